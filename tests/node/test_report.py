from __future__ import annotations

import re
import socket
import time
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from tests.node.cluster import Cluster

HOLD = """
import os, time
from distributed import Client
def wait(file):
    while not os.path.exists(file):
        time.sleep(0.05)
client = Client()
held = [client.submit(pow, 2, n) for n in range(5)]
client.gather(held)
busy = client.submit(wait, os.path.abspath("done"), resources={"GPU": 1})
while not any(client.processing().values()):
    time.sleep(0.05)
print("held", flush=True)
busy.result()
"""

SLOW = """
import asyncio
from distributed.core import Server
from distributed.security import Security
async def slow():
    await asyncio.sleep(60)
async def main():
    async with Server({"dask_cluster_report": slow}) as server:
        await server.listen("tls://127.0.0.1:0", **Security().get_listen_args("scheduler"))
        print(server.address, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""

COUNTERS = [
    *("drained_keys", "drained_bytes", "dropped_keys", "interrupted_tasks", "died_workers"),
    *("lost_keys computed", "lost_keys scattered", "lost_keys actor", "shuffle_restarts"),
]


def test_it_describes_the_whole_cluster(cluster: Cluster) -> None:
    cluster.start_scheduler()
    worker = cluster.start_worker("w0", DASK_DISTRIBUTED__WORKER__RESOURCES='{"GPU": 1}')
    cluster.wait_registered("w0")
    code, empty = cluster.report()
    assert code == 0
    assert empty["clients"] == 0
    cluster.start_python("client", HOLD)
    cluster.wait_log("client", "held")
    start = time.monotonic()
    code, report = cluster.report()
    assert time.monotonic() - start < 3  # alone on two cores it takes 0.6 s
    found: dict[str, Any] = report
    (only,) = found.pop("workers")
    dashboard = found.pop("dashboard")
    assert re.fullmatch(r"Scheduler-[0-9a-f-]{36}", found.pop("id"))
    states = {"erred": 0, "no-worker": 0, "queued": 0, "released": 0, "waiting": 0}
    assert (code, found) == (
        0,
        {
            "scheduler": cluster.address,
            "identity": cluster.environment.name,
            "tasks": {**states, "memory": 5, "processing": 1},
            "clients": 1,
            "fleet": None,
            "counters": dict.fromkeys(COUNTERS, 0),
        },
    )
    assert abs(only.pop("clock_ahead")) < 5
    assert re.fullmatch(r"tls://127\.0\.0\.1:\d+", only.pop("address"))
    assert re.fullmatch(r"tls://127\.0\.0\.1:\d+", only.pop("nanny"))
    assert only.pop("pid") != worker.pid
    assert 20e6 < only.pop("memory_used") < 1e9
    assert only == {
        "name": "w0",
        "host": "127.0.0.1",
        "status": "running",
        "nthreads": 1,
        "memory_limit": 1_000_000_000,
        "resources": {"GPU": 1},
        "processing": 1,
        "identity": cluster.environment.name,
        "draining": None,
    }
    health = urlsplit(dashboard)._replace(path="/health")
    connection = HTTPConnection(health.netloc, timeout=10)
    connection.request("GET", health.path)
    assert connection.getresponse().read() == b"ok"
    connection.close()
    (cluster.folder / "done").touch()


@pytest.mark.parametrize("answers", [False, True])
def test_a_scheduler_that_does_not_answer(cluster: Cluster, *, answers: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cluster.address = f"tls://127.0.0.1:{silent.getsockname()[1]}"
        if not answers:
            silent.close()
        start = time.monotonic()
        code, report = cluster.report("--timeout", "1")
        assert time.monotonic() - start < 8
    assert code == 1
    assert list(report) == ["error"]
    assert cluster.address in str(report["error"])


def test_a_scheduler_that_answers_too_late(cluster: Cluster) -> None:
    cluster.start_python("slow", SLOW)
    cluster.wait_log("slow", "\n")
    cluster.address = cluster.log("slow").strip()
    start = time.monotonic()
    answer = cluster.report("--timeout", "1")
    assert time.monotonic() - start < 8
    error = f"The scheduler at {cluster.address} did not answer within 1 s."
    assert answer == (1, {"error": error})


def test_no_address(cluster: Cluster) -> None:
    assert cluster.report(DASK_SCHEDULER_ADDRESS="") == (
        1,
        {"error": "No scheduler address is configured (DASK_SCHEDULER_ADDRESS)."},
    )


def test_no_certificate(running: Cluster) -> None:
    empty = running.folder / "empty.yaml"
    empty.write_text("{}")
    code, report = running.report(DASK_CONFIG=str(empty))
    assert code == 1
    assert list(report) == ["error"]


def test_a_scheduler_of_somebody_else(cluster: Cluster) -> None:
    cluster.start_scheduler(DASK_DISTRIBUTED__SCHEDULER__PRELOAD="[]")
    assert cluster.report() == (
        1,
        {"error": f"The scheduler at {cluster.address} lacks the preload dask_node.identity."},
    )
