"""The programs of the control plane, as command lines."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from sandbox.kubernetes import certificates
from sandbox.kubernetes.places import (
    API_PORT,
    ETCD,
    METRICS_PORT,
    Addresses,
    Place,
)

if TYPE_CHECKING:
    from pathlib import Path

_FRONT_PROXY: Final = "front-proxy"


@dataclass(frozen=True)
class Program:
    """A program of the box.

    Attributes:
        name: Of its log.
        command: The program and its arguments.
        node: In whose network it runs; none for the control plane's.
    """

    name: str
    command: tuple[str, ...]
    node: str | None = None


class ControlPlane:
    """What runs besides the nodes."""

    def __init__(
        self, place: Place, addresses: Addresses, authority: certificates.Authority
    ) -> None:
        """Write the files that its programs read.

        Args:
            place: Where.
            addresses: Of everything.
            authority: Signs for all.
        """
        self._place = place
        self._addresses = addresses
        self._binaries = place.binaries
        self._authority = authority
        self._tokens = certificates.signing_keys(place.certificates)
        # Of pretended nodes, when there are any.
        self._config("kwok", "kwok", "system:masters")

    def etcd(self) -> Program:
        """Return the store; it forgets everything with the box."""
        return Program(
            "etcd",
            (
                "etcd",
                f"--data-dir={self._place.state / 'etcd'}",
                f"--listen-client-urls={ETCD}",
                f"--advertise-client-urls={ETCD}",
                "--listen-peer-urls=http://127.0.0.1:2380",
                "--unsafe-no-fsync",
                "--logger=zap",
                "--log-level=warn",
            ),
        )

    def api_server(self) -> Program:
        """Return the API server, at all addresses of the box."""
        addresses = self._addresses
        return Program(
            "kube-apiserver",
            (
                str(self._binaries / "kube-apiserver"),
                f"--etcd-servers={ETCD}",
                "--bind-address=0.0.0.0",
                f"--secure-port={API_PORT}",
                f"--advertise-address={addresses.control}",
                f"--service-cluster-ip-range={addresses.services}",
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
                "--allow-privileged=true",
                "--anonymous-auth=false",
                "--profiling=false",
                # Both need an etcd that tells how far a watch is: Debian's is 3.4. With them,
                # clients ask for such watches again and again, and look at old objects meanwhile.
                "--feature-gates=WatchList=false,SizeBasedListCostEstimate=false",
                "--kubelet-preferred-address-types=InternalIP",
                # The metrics are served by a process of the box, not by a pod.
                "--enable-aggregator-routing=true",
                "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
                f"--service-account-signing-key-file={self._tokens[0]}",
                f"--service-account-key-file={self._tokens[1]}",
                *self._api_certificates(),
            ),
        )

    def _api_certificates(self) -> list[str]:
        """Return what the API server shows to those who ask it, to kubelets, and to metrics."""
        authority, addresses = self._authority.file, self._addresses
        inside = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        serving = self._authority.issue(
            "api-server",
            "kube-apiserver",
            addresses=[
                *inside,
                "kubernetes.default.svc.cluster.local",
                "localhost",
                addresses.control,
                addresses.services[1],
                IPv4Address("127.0.0.1"),
            ],
        )
        kubelet = self._authority.issue("api-server-kubelet", "api-server", group="system:masters")
        front = self._authority.issue(_FRONT_PROXY, _FRONT_PROXY)
        return [
            f"--client-ca-file={authority}",
            f"--tls-cert-file={serving[0]}",
            f"--tls-private-key-file={serving[1]}",
            f"--kubelet-certificate-authority={authority}",
            f"--kubelet-client-certificate={kubelet[0]}",
            f"--kubelet-client-key={kubelet[1]}",
            f"--requestheader-client-ca-file={authority}",
            f"--requestheader-allowed-names={_FRONT_PROXY}",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={front[0]}",
            f"--proxy-client-key-file={front[1]}",
        ]

    def controllers(self) -> Program:
        """Return what keeps Deployments and the like as they are said to be."""
        name = "kube-controller-manager"
        return Program(
            name,
            (
                str(self._binaries / name),
                f"--kubeconfig={self._config(name, f'system:{name}')}",
                "--leader-elect=false",
                "--bind-address=127.0.0.1",
                "--use-service-account-credentials=true",
                f"--service-account-private-key-file={self._tokens[0]}",
                f"--root-ca-file={self._authority.file}",
                f"--service-cluster-ip-range={self._addresses.services}",
                # A scale test is about the scheduler of Dask, not about patience.
                "--kube-api-qps=300",
                "--kube-api-burst=500",
                # By default a pod's CPU counts after five minutes.
                "--horizontal-pod-autoscaler-cpu-initialization-period=20s",
                "--horizontal-pod-autoscaler-initial-readiness-delay=5s",
            ),
        )

    def scheduler(self) -> Program:
        """Return what gives pods a node."""
        name = "kube-scheduler"
        return Program(
            name,
            (
                str(self._binaries / name),
                f"--kubeconfig={self._config(name, f'system:{name}')}",
                "--leader-elect=false",
                "--bind-address=127.0.0.1",
                "--kube-api-qps=300",
                "--kube-api-burst=500",
            ),
        )

    def names(self) -> Program:
        """Return the DNS of pods."""
        config = self._config("coredns", "system:coredns")
        file = self._place.run / "Corefile"
        file.write_text(
            f""".:53 {{
    errors
    ready 127.0.0.1:8181
    cache 5
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {config}
        pods insecure
        ttl 5
    }}
    forward . {self._addresses.nameserver}
}}
"""
        )
        return Program("coredns", (str(self._binaries / "coredns"), "-conf", str(file)))

    def metrics(self) -> Program:
        """Return what the autoscaler of pods and `kubectl top` ask."""
        name = "metrics-server"
        config = self._config(name, f"system:{name}")
        service = "metrics-server.kube-system.svc"
        serving = self._authority.issue("metrics-serving", service, addresses=[service])
        return Program(
            name,
            (
                str(self._binaries / name),
                f"--kubeconfig={config}",
                f"--authentication-kubeconfig={config}",
                f"--authorization-kubeconfig={config}",
                f"--secure-port={METRICS_PORT}",
                f"--tls-cert-file={serving[0]}",
                f"--tls-private-key-file={serving[1]}",
                f"--kubelet-certificate-authority={self._authority.file}",
                "--kubelet-preferred-address-types=InternalIP",
                "--metric-resolution=10s",
                "--kubelet-request-timeout=5s",
            ),
        )

    def _config(self, name: str, user: str, group: str | None = None) -> Path:
        path = self._place.run / f"{name}.kubeconfig"
        return self._authority.kubeconfig(path, self._addresses.server, user, group=group)
