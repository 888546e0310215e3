"""The cluster outlives its scheduler's host, and the work its client."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.running import children

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.hosts.hosted import Hosted

# Hosts boot meanwhile, on a machine that may be slow.
pytestmark = pytest.mark.timeout(1200)

WORKERS = 2
TASKS = 40
WORK = """
from distributed import Event, Variable

def square(number):
    # The other half waits for somebody who comes later.
    if number >= {half}:
        assert Event("go").wait(timeout=280)
    return number * number

def tell(squares):
    Variable("told").set(sum(squares))
"""
# Leaves a result to whoever comes, and work that nobody waits for; then it hangs.
BEGIN = """
import os, time
from distributed import Client, fire_and_forget, wait
client = Client()
squares = client.map(square, range({half}), pure=False)
wait(squares)
squares += client.map(square, range({half}, {tasks}), pure=False)
client.publish_dataset(total=client.submit(sum, squares))
fire_and_forget(client.submit(tell, squares))
def forgotten(dask_scheduler):
    client = dask_scheduler.clients.get("fire-and-forget")
    return bool(client and client.wants_what)
while not client.run_on_scheduler(forgotten):  # it is sent in the background
    time.sleep(0.1)
del squares
print("id", client.id, os.getpid(), flush=True)
print("begun", flush=True)
time.sleep(600)
"""
# What it finds of the client that was killed, and then the results of its work.
GO_ON = """
import json, sys, time
from distributed import Client
client = Client()
def clients(dask_scheduler):
    return sorted(dask_scheduler.clients)
before = time.monotonic()
while "{killed}" in client.run_on_scheduler(clients) and time.monotonic() < before + 60:
    time.sleep(0.5)
total = client.get_dataset("total")
seen = ["{killed}" in client.run_on_scheduler(clients), total.status]
Event("go").set()
print(json.dumps([*seen, total.result(timeout=240), Variable("told").get(timeout=240)]))
"""
COMPUTE = """
import json
from distributed import Client
with Client() as client:
    client.wait_for_workers({workers}, timeout=240)
    names = sorted(w["name"] for w in client.scheduler_info(n_workers=-1)["workers"].values())
    total = client.submit(sum, client.map(lambda n: n * n, range(1000), pure=False)).result()
    print(json.dumps([names, total, client.scheduler_info()["id"]]))
"""


@pytest.fixture(scope="module")
def dev(hosted: Callable[[str], Hosted]) -> Hosted:
    stack = hosted("dev")
    stack.take_committed()
    stack.up()
    # It waits for the first worker alone.
    stack.until(lambda: len(stack.hosts("worker", state="up")) == 2, "both have booted")
    return stack


def scheduler(stack: Hosted) -> dict[str, Any]:
    (row,) = stack.hosts("scheduler", state="up")
    return row


def registered(stack: Hosted, *states: str) -> list[str]:
    return sorted(row["instance"] for row in stack.hosts("worker") if row["state"] in states)


def record(stack: Hosted) -> list[str]:
    """Return the addresses that Route 53 has for the scheduler's name."""
    zones = stack.client("route53").list_hosted_zones()["HostedZones"]
    (zone,) = [each["Id"] for each in zones if each["Name"] == "dev.dask-cluster.internal."]
    rows = stack.client("route53").list_resource_record_sets(HostedZoneId=zone)
    (found,) = [each for each in rows["ResourceRecordSets"] if each["Type"] == "A"]
    assert found["Name"] == "scheduler.dev.dask-cluster.internal."
    return [each["Value"] for each in found["ResourceRecords"]]


def resolved(stack: Hosted) -> set[str]:
    """Return the addresses that the workers find by that name."""
    command = ["getent", "ahostsv4", "scheduler.dev.dask-cluster.internal"]
    said = [stack.inside(row["instance"], *command) for row in stack.hosts("worker", state="up")]
    assert len(said) == WORKERS
    return {line.split()[0] for text in said for line in text.splitlines()}


def test_the_record_is_the_hosts_and_survives_a_refresh(dev: Hosted) -> None:
    address = scheduler(dev)["address"]
    assert (record(dev), resolved(dev)) == ([address], {address})
    assert dev.up().changed == {}
    assert (record(dev), resolved(dev)) == ([address], {address})


def test_work_goes_on_when_its_client_is_killed(
    dev: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A killed command leaves its certificate there.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    figures = {"tasks": TASKS, "half": TASKS // 2}
    with dev.beside("python", "-c", (WORK + BEGIN).format(**figures)) as client:
        client.wait_for("begun")
        words = next(line.split() for line in client.said if line.startswith("id "))
        killed, pids = words[1], [*children(client.pid)]
        assert int(words[2]) in pids
        # It, and its way to the cluster, as when a person's machine dies.
        for pid in (client.pid, *pids):
            os.kill(pid, signal.SIGKILL)
    found = dev.python((WORK + GO_ON).format(killed=killed, **figures))
    total = sum(n * n for n in range(TASKS))
    # Nobody was there, and half was to be done.
    assert found == [False, "pending", total, total]


def test_the_schedulers_host_is_killed(dev: Hosted) -> None:
    first, workers = scheduler(dev), registered(dev, "up")
    names, total, began = dev.python(COMPUTE.format(workers=WORKERS))
    assert names == sorted(f"{each}-0" for each in workers)
    dev.docker.kill(first["instance"])
    dev.until(
        lambda: [
            row
            for row in dev.hosts("scheduler", state="up")
            if row["instance"] != first["instance"]
        ],
        "another scheduler",
    )
    # The same name, the same workers, nobody told them anything.
    again = dev.python(COMPUTE.format(workers=WORKERS))
    assert again[:2] == [names, total]
    assert again[2] != began
    assert registered(dev, "up", "booting", "starting") == workers
    second = scheduler(dev)
    assert second["address"] != first["address"] or second["pid"] != first["pid"]
    assert (record(dev), resolved(dev)) == ([second["address"]], {second["address"]})


def test_the_new_hosts_record_survives_a_refresh(dev: Hosted) -> None:
    address, instance = scheduler(dev)["address"], scheduler(dev)["instance"]
    assert dev.up().changed == {}
    assert scheduler(dev)["instance"] == instance
    assert (record(dev), resolved(dev)) == ([address], {address})


def test_what_is_left_of_it(dev: Hosted) -> None:
    states = {row["state"] for row in dev.sandbox("GET", "hosts")["hosts"]}
    assert states == {"up", "ended"}
    assert dev.states("scheduler") == {"InService": 1}
    assert dev.states("worker") == {"InService": WORKERS}
