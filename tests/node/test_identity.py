"""Only workers of the scheduler's own environment are admitted."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.environment.built import change_packages, linked_copy, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node.cluster import Cluster

WORK = """
import json
from distributed import Client
with Client() as client:
    workers = client.scheduler_info()["workers"].values()
    fields = {worker["id"]: worker["dask_cluster_environment"] for worker in workers}
    print(json.dumps([client.submit(sum, [1, 2]).result(), fields, client.scheduler.address]))
"""


def locked(environment: Path, name: str) -> str:
    record = json.loads((environment / "environment.json").read_text())
    return str(record["packages"][name])


def error_lines(log: str) -> list[str]:
    return [line.split(" - ERROR - ")[1] for line in log.splitlines() if " - ERROR - " in line]


def names(cluster: Cluster) -> list[str]:
    _, report = cluster.report()
    workers = report["workers"]
    assert isinstance(workers, list)
    return [worker["name"] for worker in workers]


def test_the_same_environment_works_and_nothing_is_written_at_home(running: Cluster) -> None:
    done = running.python("-c", WORK)
    assert done.stderr == ""
    answer, fields, address = json.loads(done.stdout)
    assert answer == 3
    assert fields == {"w0": running.environment.name}
    assert address.startswith("tls://")
    assert list(running.home.rglob("*")) == []


def test_a_worker_of_another_environment_is_refused_with_the_packages(
    running: Cluster, other_environment: Path
) -> None:
    start = time.monotonic()
    worker = running.start_worker("odd", other_environment)
    assert worker.wait(30) == 1
    assert time.monotonic() - start < 15
    six = locked(running.environment, "six")
    refusal = (
        "this worker runs another environment than its scheduler. "
        f"both are called environment {running.environment.name}: "
        f"six 1.16.0 here, {six} on the scheduler; toml 0.10.2 here, absent on the scheduler"
    )
    assert error_lines(running.log("odd"))[0] == f"Unable to connect to scheduler: {refusal}"
    refused = [line for line in error_lines(running.log("scheduler")) if "worker odd at" in line]
    assert len(refused) == 1
    assert refused[0].startswith("Refused worker odd at tls://127.0.0.1:")
    assert refused[0].endswith(f": {refusal}")
    assert running.log("odd").count("Start Nanny at") == 1
    assert names(running) == ["w0"]


@pytest.mark.parametrize(
    ("name", "variables", "says"),
    [
        (
            "renamed",
            {"DASK_CLUSTER_ENVIRONMENT": "0123456789abcdef"},
            "the same packages, but other files of the project",
        ),
        (
            "silent",
            {"DASK_DISTRIBUTED__WORKER__PRELOAD": "[]"},
            "this worker does not say which environment it runs.",
        ),
    ],
)
def test_other_workers_that_are_refused(
    running: Cluster, name: str, variables: dict[str, str], says: str
) -> None:
    assert running.start_worker(name, **variables).wait(30) == 1
    line = error_lines(running.log(name))[0]
    assert line.startswith("Unable to connect to scheduler: ")
    assert says in line
    assert names(running) == ["w0"]


def test_a_package_installed_into_a_running_worker_is_seen_by_the_next_client(
    cluster: Cluster, tmp_path: Path
) -> None:
    copy = linked_copy(cluster.environment, tmp_path / "copy")
    cluster.start_scheduler()
    cluster.start_worker("w0")
    cluster.start_worker("w1", copy)
    for name in ("w0", "w1"):
        cluster.wait_registered(name)
    assert cluster.python("-c", "from distributed import Client; Client()").returncode == 0
    change_packages(copy, "toml==0.10.2")

    def refused() -> bool:
        done = cluster.python("-c", "from distributed import Client; Client()")
        rows = [line.split() for line in done.stderr.splitlines()]
        return ["toml", "-", "-", "-", "(1),", "0.10.2", "(1)"] in rows

    wait_for(refused, "the change to be seen", 20)
