"""Moving results from workers that end to workers that stay: Dask's own code, and its gaps."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from distributed.active_memory_manager import ActiveMemoryManagerPolicy, RetireWorker, Suggestion
from distributed.comm.core import CommClosedError

if TYPE_CHECKING:
    from collections.abc import Collection, Generator

    from distributed import Scheduler
    from distributed.active_memory_manager import ActiveMemoryManagerExtension
    from distributed.scheduler import TaskState, WorkerState

# As long as Dask's own manager waits until it suggests a copy again (its `interval`).
AGAIN_SECONDS = 2.0
POLL_SECONDS = 0.05


async def copy_away(
    scheduler: Scheduler, workers: Collection[WorkerState], tasks: Collection[TaskState]
) -> bool:
    """Copy what these workers hold to others; say whether any could take it.

    A copy on another worker that ends is safe to Dask: look again afterwards.

    Args:
        scheduler: Where this runs.
        workers: They end, and take no tasks any more.
        tasks: Their results that are nowhere else.
    """
    if not scheduler.running:
        return False
    if any(worker.actors for worker in workers):
        await _copy_beside_actors(scheduler, tasks)
        return True
    addresses = [worker.address for worker in workers]
    try:
        moved = await scheduler.retire_workers(addresses, close_workers=False, remove=False)
    except CommClosedError:
        return False  # one of them has died this moment
    finally:
        _stop_retiring(scheduler, addresses)
    return len(moved) == len(addresses)


class _Copy(ActiveMemoryManagerPolicy):
    """Suggest once to copy some results."""

    def __init__(self, tasks: Collection[TaskState]) -> None:
        self.tasks = tasks

    def run(self) -> Generator[Suggestion, WorkerState | None, None]:
        self.manager.policies.remove(self)
        for task in self.tasks:
            yield Suggestion("replicate", task)


async def _copy_beside_actors(scheduler: Scheduler, tasks: Collection[TaskState]) -> None:
    """Do what Dask refuses for a worker with actors: its results can go all the same."""
    manager = _manager(scheduler)
    manager.add_policy(_Copy(tasks))
    manager.run_once()
    limit = monotonic() + AGAIN_SECONDS
    while any(task.who_has and not task.who_has & scheduler.running for task in tasks):
        if monotonic() > limit:
            return
        await asyncio.sleep(POLL_SECONDS)


def _stop_retiring(scheduler: Scheduler, addresses: Collection[str]) -> None:
    """Take back what `retire_workers` leaves behind where it is cut short.

    Otherwise the manager empties a worker that stays after all, again and again.
    """
    manager = _manager(scheduler)
    for policy in list(manager.policies):
        if isinstance(policy, RetireWorker) and policy.address in addresses:
            manager.policies.discard(policy)


def _manager(scheduler: Scheduler) -> ActiveMemoryManagerExtension:
    manager: ActiveMemoryManagerExtension = scheduler.extensions["amm"]
    return manager
