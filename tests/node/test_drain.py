"""Real processes that are told to end: what their data, their tasks and their exit codes do."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from distributed import wait

from tests.environment.built import wait_for
from tests.node.cluster import Cluster, connect
from tests.node.draining import read_counters

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from distributed import Client

DONE, AGAIN = 0, 75
STAYING = 2


@pytest.fixture(scope="module")
def staying(
    environment: Path, certificates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A cluster with two workers that stay; each test brings those that end."""
    with Cluster(environment, certificates, tmp_path_factory.mktemp("staying")) as cluster:
        cluster.start_scheduler()
        for number in range(STAYING):
            cluster.start_worker(f"stays-{number}")
        yield cluster


@pytest.fixture
def client(staying: Cluster, certificates: Path) -> Iterator[Client]:
    with connect(staying, certificates) as connected:
        connected.wait_for_workers(STAYING, timeout=60)
        yield connected


def end(*nannies: subprocess.Popen[bytes]) -> list[int]:
    """Tell all of them to end, wait, and return the exit codes."""
    for nanny in nannies:
        nanny.send_signal(signal.SIGTERM)
    return [nanny.wait(60) for nanny in nannies]


def counters(client: Client) -> dict[str, float]:
    def read() -> str:
        import prometheus_client  # noqa: PLC0415

        return prometheus_client.generate_latest().decode()

    return read_counters(client.run_on_scheduler(read))


def since(before: dict[str, float], client: Client) -> dict[str, float]:
    """Return which counters went up; how much data it was depends on where Dask put it."""
    now = counters(client)
    ours = {name: now[name] - before.get(name, 0) for name in now}
    return {n: v for n, v in ours.items() if v and n not in ("drained_keys", "drained_bytes")}


def test_four_of_six_end_together_under_load(
    staying: Cluster, client: Client, tmp_path: Path
) -> None:
    notice = tmp_path / "notice.json"
    notice.write_text(json.dumps({"reason": "spot notice", "seconds": 100}))
    leaving = [staying.start_worker("w0", DASK_CLUSTER_NOTICE=str(notice))]
    leaving += [staying.start_worker(f"w{n}") for n in range(1, 4)]
    client.wait_for_workers(STAYING + 4, timeout=60)
    before = counters(client)
    runs = tmp_path / "runs"
    runs.mkdir()

    def recorded(number: int, seconds: float, folder: str) -> int:
        time.sleep(seconds)
        with Path(folder, str(number)).open("a") as file:
            file.write("x")
        return number

    scattered = client.scatter(list(range(10_000)), hash=False)
    finished = client.map(recorded, range(300), seconds=0, folder=str(runs))
    wait(finished)
    running = client.map(recorded, range(300, 600), seconds=0.05, folder=str(runs))
    wait(running, return_when="FIRST_COMPLETED")
    assert end(*leaving) == [DONE] * 4
    assert client.gather(scattered) == list(range(10_000))
    assert client.gather(finished + running) == list(range(600))
    assert {file.stat().st_size for file in runs.iterdir()} == {1}
    assert since(before, client) == {"drained_workers SIGTERM": 3, "drained_workers spot notice": 1}
    assert counters(client)["drained_keys"] > before["drained_keys"]
    assert "Ending: spot notice. Draining w0 within 100 s" in staying.log("w0")


def test_a_lifetime_ends_with_the_code_of_one_that_comes_back(
    staying: Cluster, client: Client
) -> None:
    before = counters(client)
    old = staying.start_worker("old", DASK_CLUSTER_LIFETIME_SECONDS="8")
    client.wait_for_workers(STAYING + 1, timeout=60)
    futures = client.map(str, range(20), workers=["old"], pure=False)
    assert client.gather(futures) == [str(n) for n in range(20)]
    assert old.wait(60) == AGAIN
    assert client.gather(futures) == [str(n) for n in range(20)]
    assert since(before, client) == {"drained_workers lifetime": 1}


@pytest.fixture
def pair(staying: Cluster, client: Client) -> subprocess.Popen[bytes]:
    """One place of two worker processes."""
    command = [str(staying.environment / "bin" / "python"), "-m", "dask_node.worker"]
    command += [staying.address, "--name", "pair", "--nworkers", "2", "--nthreads", "1"]
    command += ["--no-dashboard", "--memory-limit", "1GB", "--host", "127.0.0.1"]
    started = staying._spawn("pair", command, DASK_CLUSTER_DRAIN_SECONDS="60")
    client.wait_for_workers(STAYING + 2, timeout=60)
    return started


def test_a_place_of_two_hands_over_both_though_one_dies(
    pair: subprocess.Popen[bytes], staying: Cluster, client: Client
) -> None:
    before = counters(client)
    data = client.scatter(list(range(100)), workers=["pair-1"], hash=False)
    busy = client.submit(time.sleep, 600, workers=["pair-0"])
    pids = client.run(os.getpid)
    info = client.scheduler_info(n_workers=-1)["workers"]
    [pid] = [pids[address] for address in info if info[address]["name"] == "pair-0"]
    wait_for(lambda: bool(client.processing()) and _runs(client, "pair-0"), "the task")
    pair.send_signal(signal.SIGTERM)
    staying.wait_log("scheduler", "Draining pair-0, pair-1")
    os.kill(pid, signal.SIGKILL)
    assert pair.wait(60) == DONE
    assert client.gather(data) == list(range(100))
    assert since(before, client) == {"drained_workers SIGTERM": 1, "died_workers": 1}
    del busy


def _runs(client: Client, name: str) -> bool:
    info = client.scheduler_info(n_workers=-1)["workers"]
    return any(
        worker["name"] == name and worker["metrics"]["task_counts"].get("executing")
        for worker in info.values()
    )


def test_a_second_signal_ends_at_once(staying: Cluster, client: Client) -> None:
    nanny = staying.start_worker("twice", DASK_CLUSTER_DRAIN_SECONDS="3600")
    client.wait_for_workers(STAYING + 1, timeout=60)
    busy = client.submit(time.sleep, 600, workers=["twice"])
    wait_for(lambda: _runs(client, "twice"), "the task")
    nanny.send_signal(signal.SIGTERM)
    staying.wait_log("scheduler", "Draining twice")
    assert end(nanny) == [DONE]
    assert "twice ended before its drain was done" in staying.log("scheduler")
    del busy


def test_told_to_end_before_its_worker_is_there(staying: Cluster, client: Client) -> None:
    nanny = staying.start_worker("early")
    staying.wait_log("early", "Start Nanny at")
    before = counters(client)
    assert end(nanny) == [DONE]
    assert "lost_keys computed" not in since(before, client)


def test_a_scheduler_that_is_frozen_or_gone(cluster: Cluster, certificates: Path) -> None:
    cluster.start_scheduler()
    told, other = (
        cluster.start_worker(name, DASK_CLUSTER_DRAIN_SECONDS="2") for name in ("told", "other")
    )
    with connect(cluster, certificates) as client:
        client.wait_for_workers(2, timeout=60)
    scheduler = cluster._started[0]
    scheduler.send_signal(signal.SIGSTOP)
    assert end(told) == [DONE]
    assert "The scheduler did not drain told; data may be lost" in cluster.log("told")
    scheduler.kill()
    assert other.wait(60) == AGAIN
