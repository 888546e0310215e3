"""Preload of the scheduler: start and stop workers as the work asks for it.

Active where `DASK_CLUSTER_FLEET` is set. It needs `dask_node.drain` loaded before it: a worker
that is stopped hands over its data by itself.

- `demand`: how many workers each group should have, by Dask's own reckoning.
- `pace`: when to act on that: not twice for one demand, not at once, not against a wall.
- `idle_stop`: nothing runs when nobody wants anything, and everything is back when somebody does.
- `callers`: hold those who ask for a worker until one is there.
- `loop`: look, decide, do at most one thing, and again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dask_node import fleet
from dask_node.scaler.loop import EXTENSION, Scaler

if TYPE_CHECKING:
    from distributed import Scheduler


def dask_setup(scheduler: Scheduler) -> None:
    """Begin to scale, if this scheduler has a fleet; Dask calls this as it starts."""
    ours = fleet.load()
    if ours is not None:
        scheduler.extensions[EXTENSION] = scaler = Scaler(scheduler, ours)
        scaler.begin()


async def dask_teardown(scheduler: Scheduler) -> None:
    """End with the scheduler; the places stay."""
    scaler: Scaler | None = scheduler.extensions.get(EXTENSION)
    if scaler is not None:
        await scaler.end()
