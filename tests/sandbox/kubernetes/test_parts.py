"""What a Kubernetes of rehearsals is made of, without root: addresses, keys, files, cgroups."""

from __future__ import annotations

import itertools
import json
import os
import tomllib
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from sandbox.kubernetes import cgroups, cluster, lacks, objects, starting
from sandbox.kubernetes.certificates import Authority
from sandbox.kubernetes.errors import KubernetesError
from sandbox.kubernetes.images import MIRROR, Host
from sandbox.kubernetes.nodes import Node
from sandbox.kubernetes.places import BLOCKS, NODES, Addresses, Place
from sandbox.machine import programs

ADDRESSES = Addresses(BLOCKS[0])


def test_networks_are_apart_and_in_the_block() -> None:
    networks = [
        *(ADDRESSES.link, ADDRESSES.outward, ADDRESSES.docker, ADDRESSES.services, ADDRESSES.pods),
    ]
    assert all(network.subnet_of(ADDRESSES.block) for network in networks)
    assert not any(one.overlaps(two) for one, two in itertools.combinations(networks, 2))
    pods = [ADDRESSES.node_pods(name) for name in NODES]
    assert all(each.subnet_of(ADDRESSES.pods) for each in pods)
    assert not pods[0].overlaps(pods[1])
    on_link = {ADDRESSES.machine, ADDRESSES.control, *map(ADDRESSES.node, NODES)}
    assert len(on_link) == 4
    assert all(each in ADDRESSES.link for each in on_link)


@pytest.mark.parametrize(
    ("routes", "found"),
    [
        (["192.0.2.0/24"], BLOCKS[0]),
        (["172.30.4.0/24", "172.29.0.1"], BLOCKS[2]),
        (["172.0.0.0/11"], None),
    ],
)
def test_addresses_are_taken_that_nobody_has(
    routes: list[str], found: IPv4Network | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = json.dumps([{"dst": "default"}, *({"dst": route} for route in routes)])
    ip = tmp_path / "ip"
    ip.write_text(f"#!/bin/sh\necho '{said}'\n")
    ip.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    if found is None:
        with pytest.raises(KubernetesError, match=r"172\.30\.0\.0/16.*free one"):
            starting.free_block()
    else:
        assert starting.free_block() == found


def test_names_are_short_and_of_their_own(tmp_path: Path) -> None:
    one, two = Place(), Place(tmp_path)
    assert len(one.wire) <= 15
    assert one.wire != two.wire
    assert one.cgroup != two.cgroup
    assert one.docker.startswith("unix:///run/")


class TestCertificates:
    def test_one_is_verified_for_what_it_serves_and_for_who_it_is(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path)
        serving = authority.issue(
            "server", "someone", group="some", addresses=[IPv4Address("127.0.0.1"), "a.test"]
        )
        roots = x509.load_pem_x509_certificates(authority.file.read_bytes())
        certificate = x509.load_pem_x509_certificate(serving[0].read_bytes())
        verifier = PolicyBuilder().store(Store(roots))
        for name in (x509.DNSName("a.test"), x509.IPAddress(IPv4Address("127.0.0.1"))):
            verifier.build_server_verifier(name).verify(certificate, [])
        verifier.build_client_verifier().verify(certificate, [])
        values = {each.oid: each.value for each in certificate.subject}
        assert values == {NameOID.COMMON_NAME: "someone", NameOID.ORGANIZATION_NAME: "some"}

    def test_who_only_asks_serves_nobody(self, tmp_path: Path) -> None:
        files = Authority(tmp_path).issue("client", "someone")
        certificate = x509.load_pem_x509_certificate(files[0].read_bytes())
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]

    def test_nobody_else_reads_a_key(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path / "keys")
        config = authority.kubeconfig(tmp_path / "config", "https://127.0.0.1:1", "me")
        assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
        assert config.stat().st_mode & 0o777 == 0o600
        for path in (tmp_path / "keys").iterdir():
            assert path.stat().st_mode & 0o777 == 0o600
        # Its own key could make a user of any rank: it is nowhere.
        keys = [
            path
            for path in tmp_path.rglob("*")
            if path.is_file() and b"PRIVATE" in path.read_bytes()
        ]
        assert [path.name for path in keys] == ["user-config-key.pem"]

    def test_a_kubeconfig_has_one_context(self, tmp_path: Path) -> None:
        path = Authority(tmp_path).kubeconfig(tmp_path / "config", "https://127.0.0.1:1", "me")
        config = json.loads(path.read_text())
        assert [each["name"] for each in config["contexts"]] == ["dask-rehearsal"]
        assert config["current-context"] == "dask-rehearsal"


@pytest.mark.parametrize(
    ("repository", "host"),
    [
        ("ghcr.io/me/dask", Host("ghcr.io", None)),
        ("localhost/dask", Host("localhost", None)),
        ("localhost:5001/dask", Host("localhost", 5001)),
        ("registry:5000/me/dask", Host("registry", 5000)),
    ],
)
def test_the_host_of_an_image(repository: str, host: Host) -> None:
    assert Host.of(repository) == host
    assert host.text == repository.partition("/")[0]


@pytest.mark.parametrize("repository", ["dask", "me/dask"])
def test_docker_hub_cannot_be_ours(repository: str) -> None:
    with pytest.raises(KubernetesError, match=f"{repository} are on Docker Hub"):
        Host.of(repository)


def test_a_port_is_a_number() -> None:
    with pytest.raises(KubernetesError, match="localhost:x is no address"):
        Host.of("localhost:x/dask")


def test_what_a_node_reads(tmp_path: Path) -> None:
    place = Place(tmp_path)
    authority = Authority(tmp_path / "keys")
    node = Node("node-b", place, ADDRESSES, pause="pause:1")
    config = tomllib.loads(_read(node.containerd().command[1]))
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["sandbox_image"] == "pause:1"
    assert cri["registry"]["config_path"] == str(tmp_path / "registries")
    plugins = json.loads((tmp_path / "node-b/cni/10-bridge.conflist").read_text())["plugins"]
    assert plugins[0]["ipam"]["ranges"] == [[{"subnet": str(ADDRESSES.node_pods("node-b"))}]]
    command = node.kubelet(authority).command
    assert f"--node-ip={ADDRESSES.node('node-b')}" in command
    kubelet = json.loads(_read(command[1]))
    assert kubelet["cgroupRoot"] == f"/{place.cgroup}/node-b"
    assert kubelet["authentication"]["anonymous"] == {"enabled": False}
    assert tomllib.loads(MIRROR)["host"]["http://registry.rehearsal:5000"]["capabilities"] == [
        "pull",
        "resolve",
    ]


def _read(argument: str) -> str:
    return Path(argument.partition("=")[2]).read_text()


class TestCgroups:
    def test_every_older_hierarchy_has_them(self, tmp_path: Path) -> None:
        for name in ("cpuset", "memory"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "cgroup.procs").touch()
        (tmp_path / "other").mkdir()
        # The kernel makes these in every new folder.
        for folder in ("cpuset", "cpuset/ours", "cpuset/ours/node"):
            (tmp_path / folder).mkdir(exist_ok=True)
            for file in ("cpuset.cpus", "cpuset.mems"):
                (tmp_path / folder / file).write_text("")
        (tmp_path / "cpuset/cpuset.cpus").write_text("0-1\n")
        (tmp_path / "cpuset/cpuset.mems").write_text("0\n")
        cgroups.make("ours", ["node"], tmp_path)
        assert (tmp_path / "memory/ours/node").is_dir()
        assert not (tmp_path / "other/ours").exists()
        assert (tmp_path / "cpuset/ours/node/cpuset.cpus").read_text() == "0-1\n"
        assert (tmp_path / "cpuset/ours/node/cpuset.mems").read_text() == "0\n"

    def test_the_one_hierarchy_hands_its_controllers_down(self, tmp_path: Path) -> None:
        for folder in ("", "ours", "ours/node"):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / "cgroup.controllers").write_text(
                "cpuset cpu io memory pids rdma\n"
            )
        cgroups.make("ours", ["node"], tmp_path)
        for folder in ("", "ours"):
            said = (tmp_path / folder / "cgroup.subtree_control").read_text()
            assert said == "+cpu +cpuset +io +memory +pids"


@pytest.mark.parametrize(
    ("kind", "version", "path"),
    [
        ("PersistentVolume", "v1", "/api/v1/persistentvolumes"),
        ("StorageClass", "storage.k8s.io/v1", "/apis/storage.k8s.io/v1/storageclasses"),
    ],
)
def test_where_objects_are(kind: str, version: str, path: str) -> None:
    assert objects._path({"kind": kind, "apiVersion": version, "metadata": {"name": "x"}}) == path


def test_volumes_of_ended_claims_are_given_back_empty(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("folders of volumes are given to another user, which only root does")
    objects.make_folders(tmp_path)
    kept, gone = tmp_path / "volume-0" / "kept", tmp_path / "volume-1" / "gone"
    kept.touch()
    gone.touch()
    api = FakeApi({"volume-0": "Bound", "volume-1": "Released", "volume-2": "Available"})
    objects.renew_volumes(api, tmp_path)  # type: ignore[arg-type]
    assert api.merged == [("/api/v1/persistentvolumes/volume-1", {"spec": {"claimRef": None}})]
    assert kept.exists()
    assert not gone.exists()
    assert (gone.parent.stat().st_uid, gone.parent.stat().st_mode & 0o700) == (1000, 0o700)


class FakeApi:
    def __init__(self, phases: dict[str, str]) -> None:
        self._phases = phases
        self.merged: list[tuple[str, dict[str, object]]] = []

    def items(self, path: str) -> list[dict[str, object]]:
        assert path == "/api/v1/persistentvolumes"
        return [
            {"metadata": {"name": name}, "status": {"phase": phase}}
            for name, phase in self._phases.items()
        ]

    def merge(self, path: str, body: dict[str, object]) -> None:
        self.merged.append((path, body))


class TestWithoutRoot:
    @pytest.fixture(autouse=True)
    def _user(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)

    def test_everything_that_is_missing_is_said_at_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.setattr(programs, "_ROOT_PATH", "/nowhere")
        monkeypatch.setattr(lacks, "CNI", "/nowhere")
        said = lacks.message(lacks.lacks()).splitlines()
        assert said[0] == "this machine cannot be a Kubernetes yet:"
        assert "  not root: namespaces, containers and cgroups need it" in said
        for name in (*lacks.PROGRAMS, "kubectl", "network plugins", "Go 1.26 or newer"):
            assert any(line.startswith(f"  no {name}") for line in said), name
        assert said[-1] == (
            "On Debian: apt-get install containerd containernetworking-plugins docker-registry "
            "docker.io etcd-server iproute2 mmdebstrap nftables runc slirp4netns util-linux"
        )

    def test_what_root_has_is_not_found(self, tmp_path: Path) -> None:
        assert cluster.find(Place(tmp_path / "run")) is None

    def test_to_release_what_never_was_takes_no_root(self, tmp_path: Path) -> None:
        place = Place(tmp_path / "run")
        cluster.release(tmp_path, print, place=place)
        place.run.mkdir()
        with pytest.raises(KubernetesError, match="sudo"):
            cluster.release(tmp_path, print, place=place)

    def test_nothing_is_built_on_a_machine_that_lacks_something(self, tmp_path: Path) -> None:
        with pytest.raises(KubernetesError, match="not root"):
            cluster.start(tmp_path, tmp_path / "cache", say=print, place=Place(tmp_path / "run"))
        assert not (tmp_path / "cache").exists()
        assert not (tmp_path / "run").exists()
