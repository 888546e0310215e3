"""``up`` is killed at any moment; ``destroy`` leaves nothing."""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import THOROUGH
from tests.local.cluster import COMMAND, Cluster

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = 20261121
KILLS = 20 if THOROUGH else 5
# Parts of the time that an `up` takes on this machine, which the fixture below measures.
MOMENTS = [round(random.Random(SEED + n).uniform(0.02, 1.0), 2) for n in range(KILLS)]  # noqa: S311


@pytest.fixture(scope="module")
def seconds_of_up() -> float:
    """Return how long an `up` of two workers takes here, in seconds."""
    with tempfile.TemporaryDirectory(prefix="dc-") as folder:
        cluster = Cluster.prepare(Path(folder).resolve() / "measured")
        start = time.monotonic()
        cluster.up()
        measured = time.monotonic() - start
        cluster.destroy()
    return measured


def up_killed_after(cluster: Cluster, seconds: float) -> None:
    with subprocess.Popen(
        [COMMAND, "up", "local", "--yes"],
        cwd=cluster.directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as up:
        time.sleep(seconds)
        up.kill()


@pytest.mark.parametrize("moment", MOMENTS)
def test_up_killed_then_destroy_leaves_nothing(
    project: Callable[..., Cluster], seconds_of_up: float, moment: float
) -> None:
    cluster = project()
    up_killed_after(cluster, moment * seconds_of_up)
    cluster.destroy()
    assert cluster.left() == []


def test_a_supervisor_that_the_state_does_not_know_is_ended(
    project: Callable[..., Cluster],
) -> None:
    cluster = project()
    with subprocess.Popen(
        [COMMAND, "up", "local", "--yes"], cwd=cluster.directory, stdout=subprocess.DEVNULL
    ) as up:
        while not (cluster.folder / "supervisord.pid").exists():
            time.sleep(0.005)
        up.kill()  # it runs, and its create has not returned yet
    cluster.destroy()
    assert cluster.left() == []


def test_up_goes_on_after_a_kill(project: Callable[..., Cluster], seconds_of_up: float) -> None:
    cluster = project()
    up_killed_after(cluster, 0.4 * seconds_of_up)
    up_killed_after(cluster, 0.7 * seconds_of_up)
    cluster.up()
    assert cluster.status()["faults"] == []


def threads(cluster: Cluster) -> list[int]:
    """Return the threads of each running worker, by what the scheduler says."""
    return [worker["nthreads"] for worker in cluster.status()["report"]["workers"]]


@pytest.mark.parametrize("part", [0.6, 0.9])
def test_an_edit_taken_back_after_a_kill_is_taken_back(
    project: Callable[..., Cluster], seconds_of_up: float, part: float
) -> None:
    cluster = project()
    cluster.up()
    cluster.edit(threads=2)
    up_killed_after(cluster, part * seconds_of_up)
    cluster.edit(threads=1)
    cluster.up()
    assert threads(cluster) == [1, 1]


def test_a_killed_roll_is_seen_by_the_next_up(project: Callable[..., Cluster]) -> None:
    cluster = project()
    cluster.up()
    cluster.edit(threads=2)
    configuration = cluster.folder / "programs" / "worker" / "worker-1.conf"
    with subprocess.Popen(
        [COMMAND, "up", "local", "--yes"], cwd=cluster.directory, stdout=subprocess.DEVNULL
    ) as up:
        while "--nthreads 2" not in configuration.read_text():
            time.sleep(0.02)
        time.sleep(0.7)  # the new processes are started by now and have not registered yet
        up.kill()
    cluster.edit(threads=1)
    assert "unchanged" in cluster.up()
    assert threads(cluster) == [1, 1]
