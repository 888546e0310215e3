"""Workers end in every way, under load: no data is lost and nothing finished runs again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from distributed import Client, wait

from tests.local.cluster import COMMAND, Cluster, changes
from tests.local.test_lifecycle import COUNT
from tests.local.test_resilience import kill, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Future, Scheduler

KEYS = 10_000
FINISHED = 200
RUNNING = 300


@dataclass
class Load:
    """Scattered data, finished tasks and a running computation, all held by one client."""

    client: Client
    folder: Path
    scattered: list[Future[int]]
    finished: list[Future[int]]
    running: list[Future[int]]

    @classmethod
    def put_on(cls, client: Client, folder: Path) -> Load:
        folder.mkdir()
        scattered = client.scatter(list(range(KEYS)), hash=False)

        def counted(n: int, folder: str, seconds: float) -> int:
            time.sleep(seconds)
            with Path(folder, str(n)).open("a") as file:
                file.write("x")
            return n

        finished = client.map(counted, range(FINISHED), folder=str(folder), seconds=0, pure=False)
        wait(finished)
        running = client.map(
            counted,
            range(FINISHED, FINISHED + RUNNING),
            folder=str(folder),
            seconds=0.1,
            pure=False,
        )
        return cls(client, folder, scattered, finished, running)

    def runs(self) -> Counter[int]:
        """Return how many tasks ran once, twice ..."""
        return Counter(file.stat().st_size for file in self.folder.iterdir())

    def check(self) -> None:
        """Compare every value with what it must be, and count the runs of every task."""
        assert self.client.gather(self.scattered) == list(range(KEYS))
        assert self.client.gather(self.finished) == list(range(FINISHED))
        assert self.client.gather(self.running) == list(range(FINISHED, FINISHED + RUNNING))
        assert self.runs() == {1: FINISHED + RUNNING}
        assert {
            kind: metric(self.client, f'lost_keys_total{{kind="{kind}"}}') for kind in KINDS
        } == (dict.fromkeys(KINDS, 0))


KINDS = ("computed", "scattered", "actor")


def metric(client: Client, name: str) -> float:
    """Return one of our own counters, as Prometheus reads it from the scheduler."""

    def read() -> str:
        import prometheus_client  # noqa: PLC0415

        return prometheus_client.generate_latest().decode()

    found = re.search(
        rf"^dask_cluster_{re.escape(name)} (\S+)$", client.run_on_scheduler(read), re.MULTILINE
    )
    assert found, name
    return float(found[1])


def control(cluster: Cluster, *words: str) -> None:
    """Use the supervisor's own command, as a person might."""
    command = [
        str(COMMAND.with_name("supervisorctl")),
        "-c",
        str(cluster.folder / "supervisord.conf"),
    ]
    subprocess.run([*command, *words], check=True, cwd="/", stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def eight() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="dc-") as folder:
        cluster = Cluster.prepare(Path(folder).resolve() / "shared", workers=8)
        cluster.up()
        yield cluster
        cluster.destroy()
        assert cluster.left() == []


def workers(client: Client) -> list[str]:
    return sorted(w["name"] for w in client.scheduler_info(n_workers=-1)["workers"].values())


def test_from_eight_workers_to_two_by_the_stack_file(eight: Cluster, tmp_path: Path) -> None:
    with eight.client() as client:
        load = Load.put_on(client, tmp_path / "runs")
        eight.edit(workers=2)
        assert changes(eight.up()) == {"updated": 1, "unchanged": COUNT - 1}
        assert workers(client) == ["worker-0-0", "worker-1-0"]
        load.check()
        assert (
            metric(client, 'drained_workers_total{reason="fewer workers in the stack file"}') == 6
        )


def test_a_roll_to_other_settings(eight: Cluster, tmp_path: Path) -> None:
    with eight.client() as client:
        load = Load.put_on(client, tmp_path / "runs")
        eight.edit(threads=2)
        before = eight.pids()
        assert changes(eight.up()) == {"updated": 1, "unchanged": COUNT - 1}
        assert {n for n, pid in eight.pids().items() if before[n] == pid} == {"scheduler"}
        assert list(client.nthreads().values()) == [2, 2]
        load.check()


def test_a_worker_that_is_told_to_end_stays_down(eight: Cluster, tmp_path: Path) -> None:
    with eight.client() as client:
        load = Load.put_on(client, tmp_path / "runs")
        os.kill(eight.pids()["worker-0"], signal.SIGTERM)
        wait_until("worker-0 is gone", lambda: workers(client) == ["worker-1-0"])
        load.check()
        wait_until("worker-0 is down", lambda: eight.pids()["worker-0"] == 0)
        [fault] = eight.status(code=1)["faults"]
        assert fault.startswith("worker-0 is EXITED")
        eight.up()
        assert workers(client) == ["worker-0-0", "worker-1-0"]

        load = Load.put_on(client, tmp_path / "more")
        control(eight, "stop", "worker-1")
        assert workers(client) == ["worker-0-0"]
        load.check()


def test_the_only_worker_rolls_without_a_loss(eight: Cluster, tmp_path: Path) -> None:
    eight.edit(workers=1)
    eight.up()
    with eight.client() as client:
        load = Load.put_on(client, tmp_path / "runs")
        eight.edit(threads=1)
        assert changes(eight.up()) == {"updated": 1, "unchanged": COUNT - 1}
        assert workers(client) == ["worker-0-0"]
        load.check()


def test_a_group_that_is_removed_hands_over_and_one_that_is_destroyed_does_not_wait(
    eight: Cluster, tmp_path: Path
) -> None:
    eight.edit(workers=2, groups={"gpu": {"workers": 2, "resources": {"GPU": 1}}})
    before = eight.pids()
    assert changes(eight.up()) == {"created": 1, "updated": 2, "unchanged": COUNT - 2}
    with eight.client() as client:
        assert workers(client) == ["gpu-0-0", "gpu-1-0", "worker-0-0", "worker-1-0"]
        load = Load.put_on(client, tmp_path / "runs")
        eight.edit(groups=None)
        assert changes(eight.up())["deleted"] == 1
        assert workers(client) == ["worker-0-0", "worker-1-0"]
        load.check()
    assert {name: eight.pids()[name] for name in before} == before


def test_a_merge_during_a_shrink(eight: Cluster) -> None:
    eight.edit(workers=4)
    eight.up()
    program = """
import pandas as pd, numpy as np, dask, dask.dataframe as dd
from dask.distributed import Client, wait
client = Client()
dask.config.set({"dataframe.shuffle.method": "p2p"})
rows = 200_000
left = pd.DataFrame({"key": np.arange(rows), "a": np.arange(rows) * 2})
right = pd.DataFrame({"key": np.arange(rows)[::-1], "b": np.arange(rows)[::-1] * 3})
merged = dd.from_pandas(left, npartitions=40).merge(dd.from_pandas(right, npartitions=40), on="key")
def slowly(frame):
    import time
    time.sleep(0.3)
    return frame
merged = dd.from_pandas(left, npartitions=40).map_partitions(slowly).merge(
    dd.from_pandas(right, npartitions=40), on="key")
future = client.compute(merged)
print("started", flush=True)
whole = future.result().sort_values("key").reset_index(drop=True)
expected = left.merge(right, on="key").sort_values("key").reset_index(drop=True)
pd.testing.assert_frame_equal(whole, expected)
print("equal", len(whole))
"""
    with eight.client() as client:
        with subprocess.Popen(
            [COMMAND, "run", "local", "--", "python", "-c", program],
            cwd=eight.directory,
            stdout=subprocess.PIPE,
            text=True,
        ) as merging:
            assert merging.stdout is not None
            assert merging.stdout.readline() == "started\n"

            def shuffles(dask_scheduler: Scheduler) -> int:
                plugin: Any = dask_scheduler.plugins["shuffle"]
                return len(plugin.active_shuffles)

            wait_until("the shuffle runs", lambda: client.run_on_scheduler(shuffles) > 0)
            eight.edit(workers=2)
            eight.up()
            assert merging.stdout.read() == "equal 200000\n"
        assert metric(client, "shuffle_restarts_total") > 0


def test_a_worker_killed_under_load(eight: Cluster) -> None:
    with eight.client() as client:
        before = metric(client, "died_workers_total")

        def slow(n: int) -> int:
            time.sleep(0.05)
            return n

        running = client.map(slow, range(300), pure=False)
        time.sleep(1)
        [address] = [
            w["pid"] for w in eight.status()["report"]["workers"] if w["name"] == "worker-1-0"
        ]
        kill(address)
        assert client.gather(running) == list(range(300))
        assert metric(client, "died_workers_total") == before + 1
