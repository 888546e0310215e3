"""Calls that need a worker, and wait here until one is there."""

from __future__ import annotations

import asyncio
import inspect
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Scheduler

# `Client.scatter`, through the scheduler and straight to the workers: Dask gives both up after
# `distributed.comm.timeouts.connect`, 30 s, in which few fleets have started.
OPERATIONS = ("scatter", "ncores_running")
HOLD_SECONDS = 120.0
POLL_SECONDS = 0.1


class Callers:
    """Holds calls that need a worker while there is none.

    Attributes:
        waiting: How many are held.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.waiting = 0
        self._scheduler = scheduler
        for operation in OPERATIONS:
            scheduler.handlers[operation] = self._held(scheduler.handlers[operation])

    def _held(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        async def held(**message: Any) -> Any:  # noqa: ANN401  # whatever the handler takes
            await self._worker()
            answer = handler(**message)
            return await answer if inspect.isawaitable(answer) else answer

        return held

    async def _worker(self) -> None:
        """Wait for a worker; without one the caller gets Dask's own error."""
        end = monotonic() + HOLD_SECONDS
        self.waiting += 1
        try:
            # Dask has no event for this; its own `scatter` polls as well.
            while not self._scheduler.running and monotonic() < end:  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)
        finally:
            self.waiting -= 1
