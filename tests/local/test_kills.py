"""``up`` is killed at any moment; ``destroy`` leaves nothing."""

from __future__ import annotations

import random
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.local.cluster import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.local.cluster import Cluster

SEED = 20261121
LONGEST = 9.0  # seconds: an `up` of two workers is done by then on two cores
MOMENTS = [round(random.Random(SEED + n).uniform(0.05, LONGEST), 2) for n in range(20)]  # noqa: S311


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
    project: Callable[..., Cluster], moment: float
) -> None:
    cluster = project()
    up_killed_after(cluster, moment)
    cluster.destroy()
    assert cluster.left() == []


def test_up_goes_on_after_a_kill(project: Callable[..., Cluster]) -> None:
    cluster = project()
    up_killed_after(cluster, 2.0)
    up_killed_after(cluster, 4.0)
    cluster.up()
    assert cluster.status()["faults"] == []
