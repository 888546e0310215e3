"""A fleet on the API server of `kube_server`, and what it does there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from dask_node.kubernetes.fleet import KubernetesFleet
from tests.node.kube_objects import COST
from tests.node.kube_server import WHERE

if TYPE_CHECKING:
    from dask_node.fleet import State
    from tests.node.kube_objects import FakeDeployment, FakePod
    from tests.node.kube_server import FakeKubernetes

FIRST = str(-(2**31))
NONE: frozenset[str] = frozenset()


class Seen:
    """A fleet on a fake API server."""

    def __init__(self, kubernetes: FakeKubernetes, *deployments: FakeDeployment) -> None:
        kubernetes.hold(*deployments)
        self.kubernetes = kubernetes
        self.fleet = KubernetesFleet(WHERE)

    def look(self) -> State:
        return asyncio.run(self.fleet.look())

    def start(self, name: str, count: int) -> list[tuple[str, Any]]:
        self.kubernetes.calls.clear()
        asyncio.run(self.fleet.start(name, count))
        return self.kubernetes.calls

    def stop(self, *places: str, name: str = "worker") -> list[tuple[str, Any]]:
        self.kubernetes.calls.clear()
        asyncio.run(self.fleet.stop(name, places, "test"))
        return self.kubernetes.calls

    def running(self, one: FakeDeployment, number: int) -> list[FakePod]:
        """Let pods of a Deployment be ready, and look."""
        pods = [pod.run() for pod in self.kubernetes.add(one, number)]
        self.look()
        return pods

    def ended(self) -> list[str]:
        """Let the controllers act; return the pods that end."""
        self.kubernetes.control()
        return sorted(pod.name for pod in self.kubernetes.pods.values() if pod.ends)

    def costs(self) -> dict[str, str]:
        pods = self.kubernetes.pods.values()
        return {p.name: p.annotations[COST] for p in pods if COST in p.annotations and p.active}


def resized(number: int, name: str = "worker") -> list[tuple[str, Any]]:
    return [(f"deployments/dask-dev-{name}/scale", number)]


def names(pods: list[FakePod]) -> frozenset[str]:
    return frozenset(pod.name for pod in pods)
