"""Where the Kubernetes of this machine has its state, and its addresses."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

RUN: Final = Path("/run/dask-cluster-kubernetes")
NODES: Final = ("node-a", "node-b")
CONTEXT: Final = "dask-rehearsal"
# Only of this machine and the box: the first that nothing here has is taken.
BLOCKS: Final = tuple(IPv4Network(f"172.{n}.0.0/16") for n in (30, 29, 28, 27, 26, 25))
API_PORT: Final = 6443
ETCD: Final = "http://127.0.0.1:2379"
# As the engine and names of images have it; and as nodes, whose networks are others, reach it.
REGISTRY_PORT: Final = 5000
REGISTRY: Final = f"127.0.0.1:{REGISTRY_PORT}"
REGISTRY_NAME: Final = "registry.rehearsal"
METRICS_PORT: Final = 4443


@dataclass(frozen=True)
class Place:
    """The folders and names of one Kubernetes; the box sees the same paths.

    Attributes:
        run: Its folder; short, for it has sockets. It does not outlive a restart of the machine.
    """

    run: Path = RUN

    @property
    def lock(self) -> Path:
        """Held by who changes something."""
        return self.run / "lock"

    @property
    def claims(self) -> Path:
        """A file for each rehearsal that uses it."""
        return self.run / "claims"

    @property
    def cache(self) -> Path:
        """What outlives it, as the box sees it."""
        return self.run / "cache"

    @property
    def binaries(self) -> Path:
        """Our own programs, as the box sees them."""
        return self.run / "binaries"

    @property
    def state(self) -> Path:
        """What is too large for memory and ends with it, as the box sees it."""
        return self.cache / "state"

    @property
    def logs(self) -> Path:
        """A file for each of its programs; a link to where they stay until the next start."""
        return self.run / "logs"

    def log(self, name: str) -> Path:
        """Return the log of a program, at a path that outlives everything."""
        return self.logs.resolve() / f"{name}.log"

    @property
    def certificates(self) -> Path:
        """Keys and certificates."""
        return self.run / "certificates"

    @property
    def kubeconfig(self) -> Path:
        """For a person of this machine, with all rights."""
        return self.run / "kubeconfig"

    @property
    def docker(self) -> str:
        """The address of its engine."""
        return f"unix://{self.run / 'docker.sock'}"

    @property
    def cgroup(self) -> str:
        """The cgroup of everything in it, below the top of each hierarchy."""
        return self.run.name

    @property
    def wire(self) -> str:
        """The network interface of this machine that leads to it, of at most 15 characters."""
        return f"dk-{hashlib.sha256(str(self.run).encode()).hexdigest()[:8]}"

    def node(self, name: str) -> Path:
        """Return the folder of a node."""
        return self.run / name


@dataclass(frozen=True)
class Addresses:
    """The addresses of one Kubernetes.

    Attributes:
        block: All of them are in it.
    """

    block: IPv4Network

    @property
    def link(self) -> IPv4Network:
        """Of this machine's end of the wires, the control plane's and the nodes'."""
        return self._subnet(24, 0)

    @property
    def machine(self) -> IPv4Address:
        """This machine's own on it."""
        return self.link[1]

    @property
    def control(self) -> IPv4Address:
        """That of the API server and of names."""
        return self.link[2]

    @property
    def server(self) -> str:
        """Where programs of the box find the API server."""
        return f"https://{self.control}:{API_PORT}"

    def node(self, name: str) -> IPv4Address:
        """Return a node's address."""
        return self.link[11 + NODES.index(name)]

    @property
    def outward(self) -> IPv4Network:
        """The network by which the box reaches the world, through a process of this machine."""
        return self._subnet(24, 2)

    @property
    def docker(self) -> IPv4Network:
        """The network of the containers in which images are built."""
        return self._subnet(24, 3)

    @property
    def services(self) -> IPv4Network:
        """Of Services; the first is that of the API."""
        return self._subnet(20, 4)

    @property
    def pods(self) -> IPv4Network:
        """Of pods, on all nodes."""
        return self._subnet(17, 1)

    def node_pods(self, name: str) -> IPv4Network:
        """Return the addresses of a node's pods."""
        return list(self.pods.subnets(new_prefix=24))[NODES.index(name)]

    @property
    def nameserver(self) -> IPv4Address:
        """This machine's own names, as the box asks for them."""
        return self.outward[3]

    def _subnet(self, prefix: int, number: int) -> IPv4Network:
        return list(self.block.subnets(new_prefix=prefix))[number]
