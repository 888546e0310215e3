"""The shipped stack comes up on a real Kubernetes, computes and goes; nothing is left of it.

First of all, and alone on the machine, which it compares with what it was before.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from sandbox.hosts.machine import Machine
from sandbox.kubernetes import cluster
from tests.kubernetes.machine import State
from tests.kubernetes.podded import KINDS, kubectl

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kubernetes.podded import Podded

pytestmark = pytest.mark.timeout(1800)

COMPUTE = """
import json
from distributed import Client
with Client() as client:
    client.wait_for_workers(2, timeout=120)
    total = sum(client.gather(client.map(lambda n: n * n, range(1000), pure=False)))
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    names = sorted(worker["name"] for worker in workers)
    print(json.dumps([total, names, client.scheduler.address]))
"""
PART_OF = "app.kubernetes.io/part-of"


@pytest.fixture(scope="module")
def before() -> State | None:
    """The machine as it is before; None where another rehearsal is there, and changes it."""
    return State.now() if alone() else None


def alone() -> bool:
    return cluster.find() is None and not Machine().users()


def gone(before: State | None) -> None:
    if before is not None and alone():
        # Processes take a moment to end.
        end = time.monotonic() + 20
        while (found := before.differences(State.now())) and time.monotonic() < end:
            time.sleep(1)
        assert found == []


def test_the_shipped_stack(before: State | None, fresh: Callable[[str], Podded]) -> None:
    stack = fresh("kubernetes")
    stack.take_committed()
    changed = stack.up().changed
    assert changed.keys() == {"created"}

    # It computes, by TLS and through a port of this machine.
    total, names, address = stack.python(COMPUTE)
    assert total == 332833500
    assert names == sorted(f"{pod}-0" for pod in stack.settled(2))
    assert len(names) == 2
    assert address.startswith("tls://127.0.0.1:")

    # Nothing is wrong with it, and nothing is to be done.
    found = stack.status()
    assert found["faults"] == []
    assert found["outputs"]["platform"] == "kubernetes"
    lines = stack.doctor().splitlines()
    assert lines
    assert all(line.split()[0] == "ok" for line in lines if line.strip())
    pods = stack.names() | stack.names("scheduler")
    assert stack.up().changed == {}
    assert stack.names() | stack.names("scheduler") == pods

    # All objects are its own, by their labels.
    assert len(stack.pods("scheduler")) == 1
    other = stack.kubectl("get", KINDS, "--output", "name", "--selector", f"!{PART_OF}")
    ours = ("kube-root-ca.crt", "default")
    assert [each for each in other.split() if not each.endswith(ours)] == []

    # And it goes, with the machine's Kubernetes if that was for it alone.
    others = len(kubectl("get", "namespaces", "--output", "name").text.split())
    stack.destroy()
    if cluster.find() is not None:
        spaces = kubectl("get", "namespaces", "--output", "name").text.split()
        assert f"namespace/{stack.namespace}" not in spaces
        assert len(spaces) == others - 1
        assert stack.left() == []
    assert not (stack.directory / ".dask-cluster" / "rehearsals").exists()
    gone(before)


@pytest.mark.parametrize("moment", ["image", "pods"])
def test_nothing_is_left_after_a_kill(
    before: State | None, fresh: Callable[[str], Podded], moment: str
) -> None:
    """An `up` that is killed: while it makes the image, and when pods begin to start."""
    stack = fresh(f"killed-{moment}")
    stack.take()
    state = stack.directory / ".dask-cluster" / "rehearsals" / stack.name / "state"
    with stack.start_up() as going:

        def reached() -> bool:
            assert going.poll() is None, going.communicate()[0]
            if moment == "pods":
                return cluster.find() is not None and len(stack.pods("scheduler")) == 1
            return state.exists()

        stack.until(reached, "it has begun", 900)
        # The command alone, as the kernel would that lacks memory: its children find it out.
        os.kill(going.pid, signal.SIGKILL)
    stack.destroy()
    assert cluster.find() is None or stack.left() == []
    assert not (stack.directory / ".dask-cluster" / "rehearsals").exists()
    gone(before)
