"""The scaler and the stops, on real processes: by the stack file, the command and a client."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.local.cluster import Cluster, changes
from tests.local.load import metric, workers
from tests.local.test_lifecycle import COUNT
from tests.local.test_resilience import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Client

# Dask's own setting of how often its adaptive scaling looks; 10 of these pass before it shrinks.
QUICKLY = {"distributed": {"adaptive": {"interval": "300ms", "target-duration": "1s"}}}


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="dc-") as folder:
        gpu = {"workers": 0, "maxWorkers": 1, "resources": {"GPU": 1}}
        path = Path(folder).resolve() / "shared"
        cluster = Cluster.prepare(path, groups={"gpu": gpu}, dask=QUICKLY)
        yield cluster
        cluster.destroy()
        assert cluster.left() == []


@pytest.fixture
def scaled(shared: Cluster) -> Cluster:
    """From one worker to three, whatever the test before has left."""
    shared.edit(workers=1, maxWorkers=3, idleStop=None)
    shared.up()
    with shared.client() as client:
        wait_until("1 worker", lambda: len(workers(client)) == 1)
    return shared


def names(client: Client) -> list[str]:
    return [name.removesuffix("-0") for name in workers(client)]


def test_work_brings_workers_and_its_end_takes_them_away(scaled: Cluster) -> None:
    with scaled.client() as client:
        kept = client.scatter(list(range(1000)), hash=False)

        def work(n: int) -> int:
            time.sleep(0.2)
            return n

        futures = client.map(work, range(400), pure=False)
        wait_until("3 workers", lambda: len(workers(client)) == 3)
        assert names(client) == ["worker-0", "worker-1", "worker-2"]
        before = scaled.pids()
        assert changes(scaled.up()) == {"unchanged": COUNT + 1}  # of them one more group
        assert scaled.pids() == before, "an update changed the scaler's number"
        assert client.gather(futures) == list(range(400))
        assert metric(client, 'limit_workers{group="worker"}') == 3
        assert metric(client, 'wanted_workers{group="gpu"}') == 0
        del futures
        wait_until("1 worker", lambda: len(workers(client)) == 1)
        assert client.gather(kept) == list(range(1000))
        assert metric(client, 'drained_workers_total{reason="scale-in"}') == 2
        assert scaled.status()["faults"] == []


def test_a_task_that_needs_a_gpu_brings_a_worker_that_has_one(scaled: Cluster) -> None:
    with scaled.client() as client:
        assert client.submit(abs, -3, resources={"GPU": 1}).result(timeout=60) == 3
        assert [n for n in names(client) if n.startswith("gpu")] == ["gpu-0"]
        assert len(names(client)) == 2
        wait_until("no GPU", lambda: len(workers(client)) == 1)


def test_adding_and_removing_the_scaler(scaled: Cluster) -> None:
    """The stack file decides again without `maxWorkers`; adding it changes no number."""
    with scaled.client() as client:
        scaled.edit(maxWorkers=None, workers=2)
        scaled.up()
        assert len(workers(client)) == 2
        before = scaled.pids()
        scaled.edit(maxWorkers=3)
        scaled.up()
        assert {n: pid for n, pid in scaled.pids().items() if pid} == {
            n: pid for n, pid in before.items() if pid
        }
        scaled.edit(maxWorkers=None, workers=1)
        scaled.up()
        assert names(client) == ["worker-0"]


def test_an_idle_stop_and_what_ends_it(scaled: Cluster) -> None:
    # Longer than a worker takes to start here: a shorter one ends it before `up` has seen it.
    scaled.edit(idleStop="10 s", maxWorkers=None)
    scaled.up()
    with scaled.client() as client:
        wait_until("no workers", lambda: not workers(client))
        wait_until("it says so", lambda: bool(scaled.status()["report"]["fleet"]["stopped"]))
        assert "stopped: idle stop: no work and nobody who held" in scaled.command(
            "status", "local"
        )
        held = client.submit(abs, -5)
        assert held.result(timeout=60) == 5
        assert names(client) == ["worker-0"]
        del held
        wait_until("no workers again", lambda: not workers(client))
    scaled.edit(idleStop="1 h")
    assert changes(scaled.up()) == {"updated": 2, "unchanged": COUNT - 1}
    with scaled.client() as client:
        assert names(client) == ["worker-0"]
        assert metric(client, 'lost_keys_total{kind="computed"}') == 0
