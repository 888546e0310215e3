"""The cluster outlives its scheduler's pod, and the work its client."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.kubernetes.podded import kill
from tests.running import children

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kubernetes.podded import Podded

pytestmark = pytest.mark.timeout(900)

WORKERS = 2
# Leaves work that nobody waits for, and hangs.
BEGIN = """
import os, time
from distributed import Client, Variable, fire_and_forget

def work(number):
    time.sleep(1)
    return number * number

def tell(squares):
    Variable("told").set(sum(squares))

client = Client()
squares = client.map(work, range(30), pure=False)
fire_and_forget(client.submit(tell, squares))
squares[0].result()  # the scheduler has all of it
print("begun", flush=True)
time.sleep(600)
"""
GO_ON = """
import json
from distributed import Client, Variable
with Client() as client:
    print(json.dumps(Variable("told").get(timeout=240)))
"""
COMPUTE = f"""
import json
from distributed import Client
with Client() as client:
    client.wait_for_workers({WORKERS}, timeout=240)
    names = sorted(w["name"] for w in client.scheduler_info(n_workers=-1)["workers"].values())
    total = client.submit(sum, client.map(lambda n: n * n, range(1000), pure=False)).result()
    print(json.dumps([names, total, client.scheduler_info()["id"]]))
"""


@pytest.fixture(scope="module")
def stack(podded: Callable[[str], Podded]) -> Podded:
    stack = podded("outlives")
    stack.take(workers=WORKERS)
    stack.up()
    return stack


def service(stack: Podded) -> dict[str, Any]:
    (found,) = (
        each
        for each in stack.objects("services")
        if each["metadata"]["name"] == "dask-outlives-scheduler"
    )
    return found


def test_work_goes_on_when_its_client_is_killed(
    stack: Podded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A killed command leaves its certificate there.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with stack.beside("python", "-c", BEGIN) as client:
        client.wait_for("begun")
        pids = [*children(client.pid)]
        assert pids
        # It, and its way to the cluster, as when a person's machine dies.
        for pid in (client.pid, *pids):
            os.kill(pid, signal.SIGKILL)
    assert stack.python(GO_ON) == sum(n * n for n in range(30))


@pytest.mark.parametrize("how", ["deleted", "killed"])
def test_the_schedulers_pod_goes(stack: Podded, how: str) -> None:
    """The same address, the same workers: nobody told them anything."""
    names, total, began = stack.python(COMPUTE)
    (before,) = stack.pods("scheduler")
    workers, address = stack.names(), service(stack)["spec"]["clusterIP"]
    assert names == sorted(f"{each}-0" for each in workers)
    pod = before["metadata"]["name"]
    if how == "deleted":
        stack.kubectl("delete", "pod", pod, "--wait=true")
    else:
        kill(before)

    def another() -> bool:
        statuses = [
            (each["metadata"]["uid"], status["restartCount"])
            for each in stack.pods("scheduler")
            for status in each["status"].get("containerStatuses", ())
            if status["ready"]
        ]
        old = before["metadata"]["uid"], before["status"]["containerStatuses"][0]["restartCount"]
        return len(statuses) == 1 and statuses[0] != old

    stack.until(another, "another scheduler")
    again = stack.python(COMPUTE)
    assert again[:2] == [names, total]
    assert again[2] != began
    assert stack.settled(WORKERS) == workers
    assert service(stack)["spec"]["clusterIP"] == address
    assert stack.up().changed == {}
    # Workers that began again are no fault; a scheduler that was killed is.
    lines = stack.doctor(code=int(how == "killed")).splitlines()
    (scheduler,) = stack.names("scheduler")
    wrong = [line for line in lines if line.startswith("  no  ")]
    assert [f"pod {scheduler} was started 1 times again" in line for line in wrong] == [True] * (
        how == "killed"
    )
