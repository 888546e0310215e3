"""Fleets that stop when nobody wants them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.node.scaling import WorkerFleet, group, scheduling

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    import pytest
    from distributed import Scheduler

LIMIT = 0.2  # seconds
STOP_ALL = [("stop", "worker", ["worker-0", "worker-1"])]


def on(
    fleet: Callable[[], WorkerFleet],
    patch: pytest.MonkeyPatch,
    act: Callable[[WorkerFleet, Scheduler], Coroutine[Any, Any, None]],
    *,
    armed: bool = True,
) -> None:
    """Act on a fleet with every place of its groups there; it stops only from then on."""

    async def run() -> None:
        made = fleet()
        made.armed = False
        async with scheduling(made, patch) as scheduler:
            for one in made.groups.values():
                made.bring(one.name, 0 if one.scaled else one.workers)
            await made.registered(sum(one.workers for one in made.groups.values()))
            made.calls.clear()
            made.armed = armed
            await act(made, scheduler)

    asyncio.run(run())


def idle() -> WorkerFleet:
    return WorkerFleet(group(workers=2), idle_stop=LIMIT)


def no_client() -> WorkerFleet:
    return WorkerFleet(group(workers=2), no_client_stop=LIMIT)


def told(scheduler: Scheduler) -> dict[str, Any]:
    described: dict[str, Any] = scheduler.extensions["dask_cluster_scaler"].describe()
    return described
