"""No pods run for nothing: nobody wants anything, or wants it from a scheduler that is away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kubernetes.podded import Podded

pytestmark = pytest.mark.timeout(900)

WORKERS = 2
# Some looks of the scaler.
WATCH_SECONDS = 40
# The stack file has an hour, for which nobody waits here. A test puts this into the annotation that
# the scaler reads, and `up` puts the file's number back.
IDLE_SECONDS = 20
IDLE = "dask-cluster/idle-stop"
DEPLOYMENT = "deployment/dask-stops-worker"
COMPUTE = """
import json
from distributed import Client
with Client() as client:
    total = client.submit(sum, client.map(lambda n: n * n, range(1000), pure=False))
    print(json.dumps(total.result(timeout=280)))
"""
TOTAL = sum(n * n for n in range(1000))


@pytest.fixture(scope="module")
def stack(podded: Callable[[str], Podded]) -> Podded:
    stack = podded("stops")
    stack.take(workers=WORKERS, idleStop="1 h")
    stack.up()
    return stack


def stays_empty(stack: Podded) -> None:
    end = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < end:
        assert (stack.replicas(), stack.names()) == (0, set())
        time.sleep(2)


def annotation(stack: Podded, key: str) -> str | None:
    (found,) = stack.objects("deployments", "dask-cluster/group=worker")
    value: str | None = found["metadata"]["annotations"].get(key)
    return value


def test_nothing_runs_when_nobody_wants_anything(stack: Podded) -> None:
    scheduler = stack.settled(WORKERS) and stack.names("scheduler")
    assert annotation(stack, IDLE) == "3600"
    stack.kubectl("annotate", DEPLOYMENT, "--overwrite", f"{IDLE}={IDLE_SECONDS}")
    stack.settled(0)
    stays_empty(stack)
    (pod,) = stack.names("scheduler")
    said = stack.kubectl("logs", pod)
    assert f"Idle stop: no work and nobody who held a result for {IDLE_SECONDS} s." in said
    # The scheduler stays, or nobody could hear of work.
    assert {pod} == scheduler


def test_a_look_at_it_says_so(stack: Podded) -> None:
    """It is stopped, and nothing is wrong with that."""
    assert stack.status()["faults"] == []


def test_work_brings_them_back(stack: Podded) -> None:
    assert stack.python(COMPUTE) == TOTAL
    assert stack.replicas() == WORKERS
    stack.settled(0)
    stays_empty(stack)


def test_up_brings_them_back(stack: Podded) -> None:
    # And waits for the first one, which was not there.
    updated = ["cluster-ready Ready", "dask-stops-worker Deployment"]
    assert stack.up().changed == {"updated": updated}
    assert annotation(stack, IDLE) == "3600"
    stack.settled(WORKERS)
    assert stack.python(COMPUTE) == TOTAL
    assert stack.up().changed == {}


def test_up_takes_the_number_back_from_kubectl(stack: Podded) -> None:
    stack.kubectl("scale", DEPLOYMENT, "--replicas", "1")
    stack.settled(1)
    assert stack.up().changed == {"updated": ["dask-stops-worker Deployment"]}
    stack.settled(WORKERS)
    assert stack.up().changed == {}


def test_up_leaves_the_scalers_number_alone(stack: Podded) -> None:
    """Between `workers` and `maxWorkers` it is not the stack file's."""
    stack.edit(maxWorkers=4)
    stack.up()
    stack.kubectl("scale", DEPLOYMENT, "--replicas", "3")
    assert stack.up().changed == {}
    # Nobody needs the third one, and that is the scaler's to find out.
    stack.settled(WORKERS)
