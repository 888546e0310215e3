"""Nodes that only look so, for tests of scale: their pods get ready, and nothing runs in them."""

from __future__ import annotations

from typing import Any, Final

from sandbox.kubernetes import starting
from sandbox.kubernetes.api import Api
from sandbox.kubernetes.box import Box
from sandbox.kubernetes.errors import KubernetesError
from sandbox.kubernetes.places import Place
from sandbox.machine import leftovers

MARK: Final = "kwok.x-k8s.io/node"
"""The annotation, label and taint of a pretended node; its value is `fake`."""
_NODES: Final = "/api/v1/nodes"
# Nobody's: what a pod of such a node says of itself leads nowhere.
_PODS: Final = "198.18.0.0/15"
_SELECTOR: Final = f"{MARK}=fake"


def start(
    nodes: int = 20, pods: int = 50, *, tainted: bool = False, place: Place | None = None
) -> None:
    """Add pretended nodes to the Kubernetes that runs; `stop` before another number of them.

    Args:
        nodes: How many; they are called `fake-0` and so on.
        pods: How many fit on each, whatever they ask for.
        tainted: Whether only pods that tolerate `MARK` are put on them.
        place: For tests.

    Raises:
        KubernetesError: None runs, or it refuses.
    """
    place = place or Place()
    if not starting.complete(place):
        raise KubernetesError("no Kubernetes runs on this machine: begin a rehearsal of one")
    box = Box(place)
    binaries = place.binaries
    box.spawn(
        "kwok",
        [
            str(binaries / "kwok"),
            f"--kubeconfig={place.run / 'kwok.kubeconfig'}",
            f"--config={binaries / 'stages.yaml'}",
            "--manage-all-nodes=false",
            f"--manage-nodes-with-annotation-selector={_SELECTOR}",
            f"--cidr={_PODS}",
            "--node-lease-duration-seconds=40",
        ],
    )
    api = Api(place)
    for number in range(nodes):
        api.create(_NODES, _node(f"fake-{number}", pods, tainted=tainted))


def stop(*, place: Place | None = None) -> None:
    """Take all pretended nodes away, and their pods with them; where none are, nothing happens."""
    place = place or Place()
    if not starting.complete(place):
        return
    api = Api(place)
    names = [each["metadata"]["name"] for each in api.items(f"{_NODES}?labelSelector={_SELECTOR}")]
    for name in names:
        api.delete(f"{_NODES}/{name}")
    for pod in api.items("/api/v1/pods"):
        if pod["spec"].get("nodeName") in names:
            where = pod["metadata"]
            path = f"/api/v1/namespaces/{where['namespace']}/pods/{where['name']}"
            # Nobody confirms its end any more.
            api.delete(f"{path}?gracePeriodSeconds=0")
    config = f"--kubeconfig={place.run / 'kwok.kubeconfig'}"
    leftovers.end(leftovers.processes("kwok", config), 5.0)


def _node(name: str, pods: int, *, tainted: bool) -> dict[str, Any]:
    room = {"cpu": "100k", "memory": "1Pi", "ephemeral-storage": "1Pi", "pods": str(pods)}
    taint = {"key": MARK, "value": "fake", "effect": "NoSchedule"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {MARK: "fake"},
            "labels": {MARK: "fake", "kubernetes.io/hostname": name},
        },
        "spec": {"taints": [taint]} if tainted else {},
        "status": {"allocatable": room, "capacity": room},
    }
