"""A node is emptied: nothing is lost. Alone on the machine, whose other pods it would move, too."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.kubernetes.podded import kubectl, processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kubernetes.podded import Podded
    from tests.running import Load

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def stack(podded: Callable[[str], Podded]) -> Podded:
    stack = podded("drained")
    stack.take(workers=4)
    stack.up()
    stack.settled(4)
    return stack


def test_a_node_that_is_drained(stack: Podded, load: Callable[..., Load]) -> None:
    """Pods go one at a time by the disruption budget; the scheduler is on the other node."""
    (scheduler,) = (pod["spec"]["nodeName"] for pod in stack.pods("scheduler"))
    nodes = {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in stack.pods()}
    there = sorted(name for name, node in nodes.items() if node != scheduler)
    # Of two nodes, and the scheduler of Kubernetes spreads what is alike.
    (node,) = {nodes[name] for name in there}
    load_ = load(4, keys=10_000)
    try:
        drained = kubectl("drain", node, "--delete-emptydir-data", "--timeout", "300s")
        assert drained.code == 0, drained.text
        after = stack.settled(4)
        assert not after & set(there)
        load_.check({"SIGTERM": len(there)})
    finally:
        kubectl("uncordon", node)


def test_a_scheduler_that_is_too_busy_to_answer_stays(stack: Podded) -> None:
    """Kubernetes asks no budget for a pod that is not ready, unless the budget says so."""
    (scheduler,) = stack.pods("scheduler")
    node = scheduler["spec"]["nodeName"]
    pids = processes(scheduler)
    assert pids
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        stack.until(lambda: healthy(stack) == "0", "its budget knows that it is not ready")
        mine = ("--pod-selector", "app.kubernetes.io/component=scheduler")
        said = kubectl("drain", node, *mine, "--delete-emptydir-data", "--timeout", "8s")
        assert said.code == 1, said.text
        assert "would violate the pod's disruption budget" in said.text
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        kubectl("uncordon", node)
    name = scheduler["metadata"]["name"]
    stack.until(lambda: stack.names("scheduler", ready=True) == {name}, "it answers again")
    stack.settled(4)


def healthy(stack: Podded) -> str:
    path = "jsonpath={.status.currentHealthy}"
    return stack.kubectl("get", "pdb", f"dask-{stack.name}-scheduler", "--output", path)
