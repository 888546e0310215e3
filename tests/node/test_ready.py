"""The file that says a place is ready, with real nannies and schedulers."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dask_node.worker import AGAIN
from tests.environment.built import wait_for
from tests.node.cluster import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Client

    from tests.node.cluster import Cluster

SIGTERM_BIT = 1 << (signal.SIGTERM - 1)


class Place:
    """One process with nannies, and its file."""

    def __init__(self, cluster: Cluster, name: str, processes: int, /, **more: str) -> None:
        self.cluster, self.name = cluster, name
        self.file = cluster.folder / f"{name}.registered"
        self.file.touch()  # left by a process that was killed
        self._left = self.file.with_suffix(".left")
        self._left.hardlink_to(self.file)
        self.process = cluster._spawn(
            name, command(cluster, name, processes), DASK_CLUSTER_READY_FILE=str(self.file), **more
        )

    def wait(self, there: bool) -> None:  # noqa: FBT001
        wait_for(lambda: self.file.exists() == there, f"the file to be there: {there}")

    def come(self) -> None:
        """Wait until the process has begun and its workers are there, however quick that was."""
        # As long as there is a link to the one that was left, no other gets its number.
        wait_for(self._came, "its own file")

    def _came(self) -> bool:
        try:
            return self.file.stat().st_ino != self._left.stat().st_ino
        except FileNotFoundError:
            return False


def command(cluster: Cluster, name: str, processes: int) -> list[str]:
    words = [str(cluster.environment / "bin" / "python"), "-m", "dask_node.worker"]
    words += [cluster.address, "--name", name, "--nworkers", str(processes), "--nthreads", "1"]
    return [*words, "--no-dashboard", "--memory-limit", "1GB", "--host", "127.0.0.1"]


@pytest.fixture
def client(cluster: Cluster, certificates: Path) -> Iterator[Client]:
    cluster.start_scheduler()
    with connect(cluster, certificates) as ready:
        yield ready


def registered(client: Client) -> set[str]:
    return {worker["name"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()}


def test_it_is_there_while_all_of_two_are_registered(cluster: Cluster, client: Client) -> None:
    # A worker may be there again before anybody looks: here none starts while it is shut.
    shut = cluster.folder / "shut"
    (cluster.folder / "sitecustomize.py").write_text(
        f"import os, time\nwhile os.path.exists({str(shut)!r}): time.sleep(0.05)\n"
    )
    place = Place(cluster, "pair", 2, PYTHONPATH=str(cluster.folder))
    place.come()
    assert registered(client) == {"pair-0", "pair-1"}
    pids = client.run(os.getpid)
    for pid in pids.values():
        shut.touch()
        os.kill(pid, signal.SIGKILL)
        place.wait(there=False)
        shut.unlink()
        place.wait(there=True)
        assert registered(client) == {"pair-0", "pair-1"}
    assert not set(client.run(os.getpid).values()) & set(pids.values())


def test_it_goes_with_the_scheduler(cluster: Cluster, client: Client) -> None:
    place = Place(cluster, "alone", 1)
    place.come()
    # The worker's process stays for as long as this runs.
    busy = client.submit(time.sleep, 600, pure=False)
    cluster.wait_log("alone", "Registered to:")
    wait_for(lambda: any(client.processing().values()), "the task")
    cluster._started[0].kill()
    began = time.monotonic()
    place.wait(there=False)
    assert time.monotonic() - began < 30
    assert place.process.wait(60) == AGAIN
    assert not place.file.exists()
    del busy


def test_it_goes_when_the_place_is_told_to_end(cluster: Cluster, client: Client) -> None:
    cluster.start_worker("other")
    place = Place(cluster, "told", 1, DASK_CLUSTER_DRAIN_SECONDS="600")
    place.come()
    client.wait_for_workers(2, timeout=60)
    kept = client.scatter(list(range(10)), workers=["told"], hash=False)
    busy = client.submit(time.sleep, 5, workers=["told"], pure=False)
    wait_for(lambda: any(client.processing().values()), "the task")
    place.process.send_signal(signal.SIGTERM)
    place.wait(there=False)
    assert place.process.poll() is None
    assert place.process.wait(60) == 0
    assert client.gather(kept) == list(range(10))
    assert client.gather(busy) is None


def test_it_stays_while_a_lifetime_ends(cluster: Cluster, client: Client) -> None:
    cluster.start_worker("other")
    client.wait_for_workers(1, timeout=60)
    more = {"DASK_CLUSTER_LIFETIME_SECONDS": "20", "DASK_CLUSTER_DRAIN_SECONDS": "120"}
    place = Place(cluster, "old", 1, **more)
    place.come()
    gate = cluster.folder / "gate"
    until = ["sh", "-c", f"until [ -e {gate} ]; do sleep 0.1; done"]
    busy = client.submit(subprocess.call, until, workers=["old"], pure=False)
    cluster.wait_log("old", "Ending: lifetime. Draining old")
    time.sleep(2)
    assert place.file.exists()
    gate.touch()
    assert client.gather(busy) == 0
    assert place.process.wait(60) == AGAIN
    assert not place.file.exists()


def test_a_folder_that_is_not_there_is_told_of_once(cluster: Cluster, client: Client) -> None:
    file = cluster.folder / "nowhere" / "file"
    cluster.start_worker("lost", DASK_CLUSTER_READY_FILE=str(file))
    client.wait_for_workers(1, timeout=60)
    cluster.wait_log("lost", "Nobody learns whether this worker is ready")
    time.sleep(2)
    assert cluster.log("lost").count("Nobody learns") == 1


def test_the_first_process_of_a_container_can_be_told_to_end_as_it_starts(
    cluster: Cluster, client: Client
) -> None:
    del client
    alone = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*alone, "true"], check=False).returncode:
        pytest.skip("no process here may have a PID namespace of its own")
    outer = cluster._spawn("first", [*alone, *command(cluster, "first", 1)])
    wait_for(lambda: bool(_children(outer.pid)), "the first process")
    [first] = _children(outer.pid)
    wait_for(lambda: _handles_sigterm(first), "a handler of SIGTERM")
    os.kill(first, signal.SIGTERM)
    assert outer.wait(20) == 0
    assert "Start Nanny" not in cluster.log("first")


def _children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def _handles_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    [caught] = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(int(caught, 16) & SIGTERM_BIT)
