"""Tell places to end, and let their drains know why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dask_node.drain.scheduler import EXTENSION
from dask_node.scaler.demand import place_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from distributed import Scheduler

    from dask_node.drain.scheduler import Drains
    from dask_node.fleet import Fleet, State


def drains_of(scheduler: Scheduler) -> Drains:
    """Return what a scheduler knows of workers that end."""
    drains: Drains = scheduler.extensions[EXTENSION]
    return drains


async def stop_places(
    scheduler: Scheduler, fleet: Fleet, group: str, places: Collection[str], reason: str
) -> None:
    """Ask places to end, for a reason that their drains will give."""
    names = [str(worker.name) for worker in scheduler.workers.values()]
    drains_of(scheduler).reasons |= {n: reason for n in names if place_of(n) in places}
    await fleet.stop(group, places, reason)


def forget_reasons(scheduler: Scheduler, state: State) -> None:
    """Forget why places end that have ended, or were not told: they may end for another reason."""
    stopping = {place for places in state.places.values() for place in places.stopping}
    reasons = drains_of(scheduler).reasons
    for name in [name for name in reasons if place_of(name) not in stopping]:
        del reasons[name]
