"""Moving results from workers that end to workers that stay, by Dask's active memory manager.

Not by `Scheduler.retire_workers` (distributed 2026.8): each call of it, and each interval of the
manager, asks again for the copies of all workers that retire, also for those on their way, and
mostly of another worker. What takes longer than 2 s to move travels nearly twice, and fills the
memory of two workers. It also refuses a worker with actors as a whole, and polls every 0.5 s.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from distributed.active_memory_manager import ActiveMemoryManagerPolicy, Suggestion

if TYPE_CHECKING:
    from collections.abc import Collection, Generator

    from distributed import Scheduler
    from distributed.active_memory_manager import ActiveMemoryManagerExtension
    from distributed.scheduler import TaskState, WorkerState

# No copy has arrived for this long: whoever was asked for the next ones may be dead or full.
AGAIN_SECONDS = 10.0
POLL_SECONDS = 0.05
# A look at a million results takes a tenth of a second or two: looks are this far apart for each.
POLL_SECONDS_EACH = 2e-6


async def copy_away(scheduler: Scheduler, tasks: Collection[TaskState]) -> bool:
    """Copy results to workers that run; say whether all of them could be.

    A copy on another worker that ends is none: its status is not `running`.

    Args:
        scheduler: Where this runs.
        tasks: Results that are only on workers that end, and take no tasks any more.
    """
    if not scheduler.running:
        return False
    manager: ActiveMemoryManagerExtension = scheduler.extensions["amm"]
    manager.add_policy(_Copy(tasks))
    manager.run_once()
    left, limit = list(tasks), monotonic() + AGAIN_SECONDS
    while waiting := [task for task in left if _waits(scheduler, task)]:
        if len(waiting) < len(left):
            limit = monotonic() + AGAIN_SECONDS
        elif monotonic() > limit or not scheduler.running:
            return False
        left = waiting
        await asyncio.sleep(max(POLL_SECONDS, POLL_SECONDS_EACH * len(left)))
    return True


def _waits(scheduler: Scheduler, task: TaskState) -> bool:
    """Say whether a result is there, but not on a worker that runs."""
    holders = task.who_has or set()
    return bool(holders) and not holders & scheduler.running


class _Copy(ActiveMemoryManagerPolicy):
    """Suggest once to copy some results; Dask finds who takes which."""

    def __init__(self, tasks: Collection[TaskState]) -> None:
        self.tasks = tasks

    def run(self) -> Generator[Suggestion, WorkerState | None, None]:
        self.manager.policies.remove(self)
        for task in self.tasks:
            yield Suggestion("replicate", task)
