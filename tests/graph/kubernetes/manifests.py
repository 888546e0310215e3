"""The objects of a graph as an API server gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.graph.recorder import Graph

Manifest = dict[str, Any]

SCHEDULER, WORKER, JUPYTER = "scheduler", "worker", "jupyter"


def manifests(graph: Graph) -> list[Manifest]:
    """Return what would be applied."""
    return [
        {key: value for key, value in each.inputs.items() if key != "__provider"}
        for each in graph.resources
        if each.is_kubernetes
    ]


def of(objects: list[Manifest], *kinds: str) -> list[Manifest]:
    return [each for each in objects if each["kind"] in kinds]


def pods(objects: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Yield the template of each Deployment's pods, by the Deployment's name."""
    for each in of(objects, "Deployment"):
        yield each["metadata"]["name"], each["spec"]["template"]


def component(labels: dict[str, str]) -> str:
    return labels["app.kubernetes.io/component"]
