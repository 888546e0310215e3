"""A thousand workers are a number in the stack file: the same objects of ours as for two.

Their pods are on nodes that are none (KWOK): Kubernetes has them for running, and nothing runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.kubernetes import kwok
from tests.kubernetes.podded import kubectl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kubernetes.podded import Podded

pytestmark = pytest.mark.timeout(1200)

MANY = 1_000
NODES = 20
DEPLOYMENT = "deployment/dask-thousand-worker"
OURS = (
    "deployments,services,configmaps,secrets,serviceaccounts,roles,rolebindings,networkpolicies,"
    "poddisruptionbudgets"
)


@pytest.fixture
def nodes(kubernetes: None) -> Iterator[None]:  # noqa: ARG001
    """Nodes that are none, and no other that takes a pod."""
    real = kubectl("get", "nodes", "--output", "name").text.split()
    assert real
    try:
        kwok.start(NODES, MANY // NODES + 1)
        for node in real:
            assert kubectl("cordon", node).code == 0
        yield
    finally:
        for node in real:
            kubectl("uncordon", node)
        kwok.stop()


def ours(stack: Podded) -> list[str]:
    """Return the objects that the stack consists of."""
    return stack.kubectl("get", OURS, "--output", "name").split()


def ready(stack: Podded) -> int:
    path = "jsonpath={.status.readyReplicas}"
    return int(stack.kubectl("get", DEPLOYMENT, "--output", path) or 0)


def test_a_thousand(podded: Callable[[str], Podded], request: pytest.FixtureRequest) -> None:
    stack = podded("thousand")
    stack.take(workers=2)
    stack.up()
    stack.settled(2)
    before = ours(stack)
    request.getfixturevalue("nodes")
    stack.edit(workers=MANY)
    deployment = ["dask-thousand-worker Deployment"]
    assert stack.up().changed == {"updated": deployment}
    stack.until(lambda: ready(stack) == MANY, "a thousand pods run", 600)
    assert len(stack.names(ready=True)) == MANY
    assert ours(stack) == before
    assert stack.up().changed == {}
    # And back: those that nobody ever ran have nothing to hand over.
    stack.edit(workers=2)
    assert stack.up().changed == {"updated": deployment}
    stack.until(lambda: ready(stack) == 2, "two are left", 600)
    assert len(stack.settled(2)) == 2
    assert ours(stack) == before
