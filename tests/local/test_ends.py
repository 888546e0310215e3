"""Every other way in which a worker ends, under load."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.local.cluster import COMMAND, Cluster, changes
from tests.local.load import Load, address, metric, workers
from tests.local.test_lifecycle import COUNT
from tests.local.test_resilience import kill, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="dc-") as folder:
        cluster = Cluster.prepare(Path(folder).resolve() / "shared")
        yield cluster
        cluster.destroy()
        assert cluster.left() == []


@pytest.fixture
def two(shared: Cluster) -> Cluster:
    """Two workers of one thread, whatever the test before has left."""
    shared.edit(workers=2, threads=1, groups=None)
    shared.up()
    return shared


def test_a_roll_to_other_settings(two: Cluster, tmp_path: Path) -> None:
    with two.client() as client:
        load = Load.put_on(client, tmp_path / "runs")
        two.edit(threads=2)
        before = two.pids()
        assert changes(two.up()) == {"updated": 1, "unchanged": COUNT - 1}
        assert {n for n, pid in two.pids().items() if before[n] == pid} == {"scheduler"}
        assert list(client.nthreads().values()) == [2, 2]
        load.check()


def test_the_only_worker_rolls(two: Cluster, tmp_path: Path) -> None:
    two.edit(workers=1)
    two.up()
    with two.client() as client:
        load = Load.put_on(client, tmp_path / "runs")
        two.edit(threads=2)
        assert changes(two.up()) == {"updated": 1, "unchanged": COUNT - 1}
        assert workers(client) == ["worker-0-0"]
        assert list(client.nthreads().values()) == [2]
        load.check()


def test_a_worker_that_is_told_to_end_stays_down(two: Cluster, tmp_path: Path) -> None:
    with two.client() as client:
        load = Load.put_on(client, tmp_path / "runs")
        begun, enough = tmp_path / "begun", tmp_path / "enough"

        def until_it_is_enough() -> None:
            begun.touch()
            while not enough.exists():
                time.sleep(0.1)

        long = client.submit(until_it_is_enough, workers=[address(client, "worker-0-0")])
        wait_until("it runs", begun.exists)
        os.kill(two.pids()["worker-0"], signal.SIGTERM)
        screen = two.command("status", "local")
        assert "worker-0-0 is draining: SIGTERM; finishing tasks, " in screen
        assert " s of at most 900 s, " in screen
        enough.touch()
        long.result()
        wait_until("worker-0 is down", lambda: two.pids()["worker-0"] == 0)
        assert workers(client) == ["worker-1-0"]
        load.check()
        [fault] = two.status(code=1)["faults"]
        assert fault.startswith("worker-0 is EXITED")
        two.up()
        assert workers(client) == ["worker-0-0", "worker-1-0"]


def test_a_stop_by_the_supervisor(two: Cluster, tmp_path: Path) -> None:
    with two.client() as client:
        load = Load.put_on(client, tmp_path / "runs")
        control = COMMAND.with_name("supervisorctl")
        command = [str(control), "-c", str(two.folder / "supervisord.conf"), "stop", "worker-1"]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)
        assert workers(client) == ["worker-0-0"]
        load.check()


def test_a_group_that_is_removed(two: Cluster, tmp_path: Path) -> None:
    before = two.pids()
    two.edit(groups={"gpu": {"workers": 2, "resources": {"GPU": 1}}})
    assert changes(two.up()) == {"created": 1, "updated": 1, "unchanged": COUNT - 1}
    with two.client() as client:
        assert workers(client) == ["gpu-0-0", "gpu-1-0", "worker-0-0", "worker-1-0"]
        load = Load.put_on(client, tmp_path / "runs")
        two.edit(groups={"gpu": {"workers": 1, "resources": {"GPU": 1}}})
        assert changes(two.up()) == {"updated": 1, "unchanged": COUNT}
        two.edit(groups=None)
        assert changes(two.up()) == {"updated": 1, "deleted": 1, "unchanged": COUNT - 1}
        assert workers(client) == ["worker-0-0", "worker-1-0"]
        load.check()
    assert two.pids() == before, "another group was touched"


def test_a_worker_that_is_killed(two: Cluster) -> None:
    """Nothing can be moved: what it held is computed again, and all of it is said."""
    with two.client() as client:
        died = metric(client, "died_workers_total")

        def slow(n: int) -> int:
            time.sleep(0.05)
            return n

        running = client.map(slow, range(200), pure=False)
        time.sleep(1)
        reports = two.status()["report"]["workers"]
        kill(next(w["pid"] for w in reports if w["name"] == "worker-1-0"))
        assert client.gather(running) == list(range(200))
        assert metric(client, "died_workers_total") == died + 1
        with pytest.raises(TypeError, match="pickle"):
            client.submit(threading.Lock).result()
    found = two.command("doctor", "local", code=1)
    assert "a worker was killed, or ended by itself" in found
    assert "something is too large, or not of a kind, to be pickled" in found


def test_destroy_does_not_wait_for_data_or_tasks(two: Cluster) -> None:
    with two.client() as client:
        kept = client.scatter(list(range(100)), hash=False)
        forever = client.map(time.sleep, [600, 600], pure=False)
        wait_until("they run", lambda: all(client.processing().values()))
        printed = two.destroy()
        del kept, forever
    assert changes(printed) == {"deleted": COUNT}
    # A drain would have waited for the tasks, for half of 15 minutes.
    assert two.left() == []
