"""What rolls workers, without a loss, and what rolls nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kubernetes.podded import Podded
    from tests.running import Load

pytestmark = pytest.mark.timeout(1200)

WORKERS = 3


@pytest.fixture(scope="module")
def stack(podded: Callable[[str], Podded]) -> Podded:
    stack = podded("rolls")
    stack.take(workers=WORKERS)
    stack.up()
    return stack


def test_pods_are_replaced_and_nothing_is_lost(stack: Podded, load: Callable[..., Load]) -> None:
    scheduler, before = stack.names("scheduler"), stack.settled(WORKERS)
    load_ = load(WORKERS)
    stack.edit(memory="720 MiB", resources={"slot": 2})
    # The last one waits for a worker of the new kind.
    updated = ["cluster-ready Ready", "dask-rolls-worker Deployment"]
    assert stack.up().changed == {"updated": updated}

    def rolled() -> bool:
        return not before & stack.names()

    stack.until(rolled, "other pods")
    stack.settled(WORKERS)
    load_.check({"SIGTERM": WORKERS})
    assert stack.names("scheduler") == scheduler
    assert stack.up().changed == {}


def test_what_is_no_change_of_the_workers_rolls_nothing(stack: Podded) -> None:
    before = stack.settled(WORKERS) | stack.names("scheduler")
    stack.edit(idleStop="1 h", maxWorkers=WORKERS + 1)
    assert set(stack.up().changed) == {"updated"}
    stack.edit(idleStop=None, maxWorkers=None)
    assert set(stack.up().changed) == {"updated"}
    assert stack.settled(WORKERS) | stack.names("scheduler") == before
