"""The nodes: a kubelet, a containerd and a kube-proxy each.

They have networks, folders, sockets and cgroups of their own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sandbox.kubernetes.control_plane import Program

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.kubernetes.certificates import Authority
    from sandbox.kubernetes.places import Addresses, Place

# From `containernetworking-plugins`.
CNI: Final = "/usr/lib/cni"


class Node:
    """One node."""

    def __init__(self, name: str, place: Place, addresses: Addresses, *, pause: str) -> None:
        """Name it.

        Args:
            name: Of the node.
            place: Of the Kubernetes.
            addresses: Of everything.
            pause: The image of the first container of each pod.
        """
        self.name = name
        self._place = place
        self._folder = place.node(name)
        self._state = place.state / name
        self._address = addresses.node(name)
        self._addresses = addresses
        self._pause = pause

    @property
    def socket(self) -> Path:
        """Of its containerd."""
        return self._folder / "containerd.sock"

    @property
    def cgroup(self) -> str:
        """Below which its pods are."""
        return f"/{self._place.cgroup}/{self.name}"

    def containerd(self) -> Program:
        """Write what its containerd reads, and return it; images outlive the box."""
        (self._folder / "cni").mkdir(parents=True, exist_ok=True)
        (self._folder / "cni" / "10-bridge.conflist").write_text(json.dumps(self._cni()))
        file = self._folder / "containerd.toml"
        file.write_text(self._containerd_settings())
        return Program(f"containerd-{self.name}", ("containerd", f"--config={file}"), self.name)

    def kubelet(self, authority: Authority) -> Program:
        """Write what its kubelet reads, and return it.

        Args:
            authority: Signs for it.
        """
        user = f"system:node:{self.name}"
        config = authority.kubeconfig(
            self._folder / f"{self.name}.kubeconfig",
            self._addresses.server,
            user,
            group="system:nodes",
        )
        serving = authority.issue(
            f"kubelet-{self.name}", user, group="system:nodes", addresses=[self._address, self.name]
        )
        settings = self._folder / "kubelet.yaml"
        settings.write_text(json.dumps(self._kubelet_settings(serving, authority.file), indent=1))
        return Program(
            f"kubelet-{self.name}",
            (
                str(self._place.binaries / "kubelet"),
                f"--config={settings}",
                f"--kubeconfig={config}",
                f"--hostname-override={self.name}",
                f"--node-ip={self._address}",
                f"--root-dir={self._state / 'kubelet'}",
                f"--cert-dir={self._folder / 'pki'}",
            ),
            self.name,
        )

    def proxy(self, authority: Authority) -> Program:
        """Return what makes the addresses of Services, and the ports of the node.

        Args:
            authority: Signs for it.
        """
        name, user = "kube-proxy", "system:kube-proxy"
        config = authority.kubeconfig(
            self._folder / f"{name}-{self.name}.kubeconfig", self._addresses.server, user
        )
        return Program(
            f"{name}-{self.name}",
            (
                str(self._place.binaries / name),
                f"--kubeconfig={config}",
                f"--hostname-override={self.name}",
                "--proxy-mode=nftables",
                f"--cluster-cidr={self._addresses.pods}",
                f"--nodeport-addresses={self._address}/32",
                "--healthz-bind-address=127.0.0.1:10256",
                "--metrics-bind-address=127.0.0.1:10249",
                # Settings of the whole machine.
                "--conntrack-max-per-core=0",
                "--conntrack-tcp-timeout-established=0",
                "--conntrack-tcp-timeout-close-wait=0",
                "--oom-score-adj=0",
            ),
            self.name,
        )

    def _cni(self) -> dict[str, Any]:
        bridge = {
            "type": "bridge",
            "bridge": "pods",
            "isGateway": True,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "dataDir": str(self._folder / "addresses"),
                "ranges": [[{"subnet": str(self._addresses.node_pods(self.name))}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
        return {"cniVersion": "1.0.0", "name": self.name, "plugins": [bridge]}

    def _containerd_settings(self) -> str:
        root = self._place.cache / "nodes" / self.name
        cri = '[plugins."io.containerd.grpc.v1.cri"'
        return f"""\
version = 2
root = "{root}"
state = "{self._folder / "containerd"}"
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper",
]
[grpc]
address = "{self.socket}"
[plugins."io.containerd.internal.v1.opt"]
path = "{self._folder / "opt"}"
{cri}]
sandbox_image = "{self._pause}"
restrict_oom_score_adj = true
disable_apparmor = true
netns_mounts_under_state_dir = true
{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
{cri}.containerd.runtimes.runc.options]
SystemdCgroup = false
{cri}.cni]
bin_dir = "{CNI}"
conf_dir = "{self._folder / "cni"}"
{cri}.registry]
config_path = "{self._place.run / "registries"}"
"""

    def _kubelet_settings(self, serving: tuple[Path, Path], authority: Path) -> dict[str, Any]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": str(self._address),
            "healthzPort": 0,
            "tlsCertFile": str(serving[0]),
            "tlsPrivateKeyFile": str(serving[1]),
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(authority)},
            },
            "authorization": {"mode": "Webhook"},
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": self.cgroup,
            # A machine may still have the older kind.
            "failCgroupV1": False,
            "failSwapOn": False,
            "enforceNodeAllocatable": [],
            "oomScoreAdj": 0,
            "makeIPTablesUtilChains": False,
            "clusterDNS": [str(self._addresses.control)],
            "clusterDomain": "cluster.local",
            "resolvConf": str(self._place.run / "resolv.conf"),
            "podLogsDir": str(self._state / "logs"),
            "volumePluginDir": str(self._folder / "plugins"),
            "serializeImagePulls": False,
            "nodeStatusReportFrequency": "10s",
            "nodeStatusUpdateFrequency": "4s",
            # The disk is the machine's: what else is on it is not for a kubelet to judge.
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
                "nodefs.inodesFree": "1%",
            },
            "imageGCHighThresholdPercent": 99,
            "imageGCLowThresholdPercent": 98,
        }
