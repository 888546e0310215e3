"""A client of another environment is refused before it connects, with what differs."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node.cluster import Cluster

PLAIN = """
from dask_node.connect import EnvironmentMismatch
from distributed import Client
try:
    Client()
except (EnvironmentMismatch, OSError) as error:
    print(f"{type(error).__name__}: {error}")
else:
    print("connected")
"""
IN_A_LOOP = """
import asyncio
from dask_node.connect import EnvironmentMismatch
from distributed import Client
async def main():
    try:
        async with Client(asynchronous=True) as client:
            print("connected", await client.submit(sum, [1, 2]))
    except EnvironmentMismatch as error:
        print(f"{type(error).__name__}: {error}")
asyncio.run(main())
"""
ADVICE = (
    "Run the client in the cluster's environment: dask-cluster run STACK -- python ...\n"
    "Or build that environment here: images/environment/install.sh FOLDER\n"
)


@pytest.mark.parametrize("program", [PLAIN, IN_A_LOOP], ids=["plain", "in a loop"])
def test_other_packages_are_named(running: Cluster, other_environment: Path, program: str) -> None:
    record = json.loads((running.environment / "environment.json").read_text())
    six = record["packages"]["six"]
    name = running.environment.name
    done = running.python_of(other_environment, "-c", program)
    assert done.stderr == ""
    assert done.stdout == (
        f"EnvironmentMismatch: The cluster at {running.address} "
        "runs another environment than this client:\n"
        "             client            scheduler         workers\n"
        f"six          1.16.0            {six}            {six}\n"
        "toml         0.10.2            -                 -\n"
        f"environment  {name}  {name}  {name}\n" + ADVICE
    )


def test_another_identity_with_the_same_packages_is_refused(running: Cluster) -> None:
    name = running.environment.name
    done = running.python("-c", PLAIN, DASK_CLUSTER_ENVIRONMENT="0123456789abcdef")
    assert done.stdout == (
        f"EnvironmentMismatch: The cluster at {running.address} "
        "runs another environment than this client:\n"
        "             client            scheduler         workers\n"
        f"environment  0123456789abcdef  {name}  {name}\n" + ADVICE
    )


def test_without_the_variable_the_record_of_the_environment_counts(running: Cluster) -> None:
    assert running.python("-c", PLAIN, DASK_CLUSTER_ENVIRONMENT="").stdout == "connected\n"


@pytest.mark.parametrize(
    ("program", "says"), [(PLAIN, "connected\n"), (IN_A_LOOP, "connected 3\n")]
)
def test_the_same_environment_connects(running: Cluster, program: str, says: str) -> None:
    done = running.python("-c", program)
    assert (done.stdout, done.stderr) == (says, "")


def test_a_scheduler_without_the_preload_is_refused(cluster: Cluster) -> None:
    cluster.start_scheduler(DASK_DISTRIBUTED__SCHEDULER__PRELOAD="[]")
    done = cluster.python("-c", PLAIN)
    assert done.stderr == ""
    assert done.stdout == (
        f"EnvironmentMismatch: The scheduler at {cluster.address} does not say which environment "
        "it runs. Start it with the preload dask_node.identity, as the cluster's dask.yaml does.\n"
    )


def test_a_scheduler_that_never_answers_is_an_error_in_time(cluster: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cluster.address = f"tls://127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        done = cluster.python("-c", PLAIN, DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="1s")
        assert time.monotonic() - start < 8
    assert done.stderr == ""
    assert done.stdout.startswith(("TimeoutError: ", "OSError: "))
    assert cluster.address in done.stdout


def test_clear_text_is_refused_by_the_base_configuration_alone(cluster: Cluster) -> None:
    """No component has rendered anything: only etc/dask/dask.yaml of the environment is there."""
    cluster.config.write_text("{}")
    program = "from distributed import Scheduler; import asyncio\n"
    program += "async def main():\n    await Scheduler(host='127.0.0.1', port=0, protocol='tcp',"
    program += " dashboard=False)\nasyncio.run(main())"
    done = cluster.python("-c", program)
    assert done.returncode == 1
    assert "encryption" in done.stderr
