"""A thousand workers are a number in the stack file: the same objects of ours as for two.

Their pods are on nodes that are none (KWOK): Kubernetes has them for running, and nothing runs.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from sandbox.kubernetes import build, cluster
from tests.kubernetes.podded import CACHE, kubectl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kubernetes.podded import Podded

pytestmark = pytest.mark.timeout(1200)

MANY = 1_000
NODES = 20
OURS = (
    "deployments,services,configmaps,secrets,serviceaccounts,roles,rolebindings,networkpolicies,"
    "poddisruptionbudgets"
)


@pytest.fixture
def pretended(kubernetes: None) -> Iterator[None]:  # noqa: ARG001
    """Have somebody say of nodes that are none, and of their pods, what a kubelet would."""
    binaries = build.ensure(CACHE, print)
    there = cluster.find()
    assert there is not None
    words = (
        *(str(binaries / "kwok"), "--kubeconfig", str(there.kubeconfig)),
        *("--config", str(binaries / "stages.yaml"), "--manage-all-nodes=false"),
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
    )
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield
        process.terminate()


@pytest.fixture
def nodes(pretended: None) -> Iterator[None]:  # noqa: ARG001
    """Nodes that are none, and no other that takes a pod."""
    size = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "2Ti", "pods": "110"}
    made = [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": f"fake-{number}",
                "annotations": {"kwok.x-k8s.io/node": "fake"},
                "labels": {"type": "kwok", "kubernetes.io/hostname": f"fake-{number}"},
            },
            "status": {"capacity": size, "allocatable": size},
        }
        for number in range(NODES)
    ]
    real = kubectl("get", "nodes", "--output", "name").text.split()
    assert real
    try:
        given = {"apiVersion": "v1", "kind": "List", "items": made}
        said = kubectl("create", "--filename", "-", given=given)
        assert said.code == 0, said.text
        for node in real:
            assert kubectl("cordon", node).code == 0
        yield
    finally:
        for node in real:
            kubectl("uncordon", node)
        kubectl("delete", "nodes", "--selector", "type=kwok")


def ours(stack: Podded) -> list[str]:
    """Return the objects that the stack consists of."""
    return stack.kubectl("get", OURS, "--output", "name").split()


def running(stack: Podded) -> int:
    return sum(pod["status"]["phase"] == "Running" for pod in stack.pods())


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
    stack.until(lambda: running(stack) == MANY, "a thousand pods run", 600)
    assert ours(stack) == before
    assert stack.up().changed == {}
    # And back: those that nobody ever ran have nothing to hand over.
    stack.edit(workers=2)
    assert stack.up().changed == {"updated": deployment}
    stack.until(lambda: len(stack.pods()) == 2, "two are left", 600)
    assert ours(stack) == before
