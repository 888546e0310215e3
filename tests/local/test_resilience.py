"""Processes are killed; the cluster comes back, by itself or with the next ``up``."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import psutil

from tests.local.cluster import COMMAND, Cluster, changes
from tests.local.test_lifecycle import COUNT

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 60


def wait_until(what: str, true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {SECONDS} s"
        time.sleep(0.2)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([p for p in psutil.process_iter() if p.pid == pid], timeout=5)


def back(cluster: Cluster, before: dict[str, int], killed: str) -> bool:
    """Say whether the killed process is another one now and every worker has registered."""
    status = cluster.status(code=None)
    pids = {p["name"]: p["pid"] for p in status["processes"]}
    new = pids.get(killed, 0) not in (0, before[killed])
    return new and not status["faults"] and len(status["report"]["workers"]) == 2


def test_a_killed_worker_comes_back(running: Cluster) -> None:
    before = running.pids()
    kill(before["worker-0"])
    wait_until("worker-0 is back", lambda: back(running, before, "worker-0"))
    after = running.pids()
    assert (after["scheduler"], after["worker-1"]) == (before["scheduler"], before["worker-1"])


def test_a_killed_scheduler_comes_back_and_all_workers_register(running: Cluster) -> None:
    before = running.pids()
    kill(before["scheduler"])
    wait_until("the scheduler is back", lambda: back(running, before, "scheduler"))
    with running.client() as client:
        assert client.submit(sum, [1, 2]).result() == 3


def test_a_killed_client_changes_nothing(running: Cluster) -> None:
    before = running.pids()
    program = (
        "import time; from dask.distributed import Client; client = Client();"
        "kept = client.map(abs, range(100)); client.gather(kept);"
        "print('holding', flush=True); time.sleep(600)"
    )
    client = subprocess.Popen(
        [COMMAND, "run", "local", "--", "python", "-c", program],
        cwd=running.directory,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdout is not None
    with client:
        assert client.stdout.readline() == "holding\n"
        client.kill()
    assert running.pids() == before
    with running.client() as another:
        assert another.submit(sum, [1, 2]).result() == 3


def test_a_killed_supervisor_is_seen_and_put_back(project: Callable[..., Cluster]) -> None:
    cluster = project()
    cluster.up()
    before = cluster.pids()
    pid = int((cluster.folder / "supervisord.pid").read_text())
    assert pid not in before.values()
    kill(pid)

    status = cluster.status(code=1)
    assert status["supervisor"] is False
    assert any("supervisor is gone" in line for line in status["faults"])
    assert "supervisor: gone" in cluster.command("doctor", "local", code=1)
    # The supervisor, the scheduler and the workers: nobody keeps them any more.
    assert changes(cluster.command("refresh", "local"))["deleted"] == 3

    assert changes(cluster.up()) == {"created": 3, "unchanged": COUNT - 3}
    assert cluster.status()["faults"] == []
    assert not any(psutil.pid_exists(p) for p in before.values()), "the old ones were not ended"


def test_an_up_waits_for_the_workers_of_a_scheduler_it_repaired(running: Cluster) -> None:
    control = COMMAND.with_name("supervisorctl")
    configuration = running.folder / "supervisord.conf"
    subprocess.run([control, "-c", configuration, "stop", "scheduler"], check=True, cwd="/")
    assert changes(running.up()) == {"created": 1, "updated": 1, "unchanged": COUNT - 2}
    assert running.status()["faults"] == []


def test_an_up_repairs_what_a_person_stopped(project: Callable[..., Cluster]) -> None:
    cluster = project()
    cluster.up()
    before = cluster.pids()
    control = COMMAND.with_name("supervisorctl")
    configuration = cluster.folder / "supervisord.conf"
    subprocess.run([control, "-c", configuration, "stop", "worker-1"], check=True, cwd="/")
    assert any("worker-1 is STOPPED" in line for line in cluster.status(code=1)["faults"])
    (cluster.folder / "dask.yaml").unlink()
    key = cluster.folder / "certificates" / "client.key"
    key.chmod(0o644)
    cluster.up()
    assert key.stat().st_mode & 0o777 == 0o600
    assert (cluster.folder / "dask.yaml").stat().st_mode & 0o777 == 0o600
    after = cluster.pids()
    assert {n: after[n] for n in ("scheduler", "worker-0")} == {
        n: before[n] for n in ("scheduler", "worker-0")
    }
    assert cluster.status()["faults"] == []
