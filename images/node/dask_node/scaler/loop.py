"""Look, decide, do at most one thing, and again, as long as the scheduler lives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from time import monotonic
from typing import TYPE_CHECKING, Any

from dask_node import metrics
from dask_node.scaler import idle_stop
from dask_node.scaler.callers import Callers
from dask_node.scaler.demand import Demand
from dask_node.scaler.ending import drains_of, forget_reasons, stop_places
from dask_node.scaler.pace import Change, Pace, room, wanted_places

if TYPE_CHECKING:
    from distributed import Scheduler

    from dask_node.fleet import Fleet, State
    from dask_node.scaler.demand import Sight

logger = logging.getLogger("distributed.dask_node.scaler")

EXTENSION = "dask_cluster_scaler"
SCALE_IN = "scale-in"
# What was not running and nobody knows why: the scheduler was started anew since.
ASLEEP = f"{idle_stop.REASON}: workers start when work arrives"


class Scaler:
    """Starts and stops the places of a fleet as the work asks for it."""

    def __init__(self, scheduler: Scheduler, fleet: Fleet) -> None:
        self.scheduler = scheduler
        self.fleet = fleet
        self.demand = Demand(scheduler)
        self.callers = Callers(scheduler)
        self.idle = idle_stop.IdleStop(scheduler, fleet)
        self._paces: dict[str, Pace] = {}
        self._acted: dict[str, float] = {}  # when, by group
        self._waking: set[str] = set()  # groups that an idle stop stopped, still to be started
        self._described: dict[str, Any] = {"groups": {}, "stopped": None, "stops_in": None}
        self._complaint = ""
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Run in the scheduler's own loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def end(self) -> None:
        """Do nothing more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def describe(self) -> dict[str, Any]:
        """Return the state of the last look, in plain types; for reports."""
        return self._described

    async def tick(self, now: float) -> None:
        """Look once, and do at most one thing.

        Args:
            now: By `time.monotonic`.
        """
        state = await self.fleet.look()
        sights = self.demand.look(state, drains_of(self.scheduler).going.keys())
        self._paces = {n: self._paces.get(n) or Pace(self.fleet.interval) for n in sights}
        for name, sight in sights.items():
            self._paces[name].look(sight, now)
        forget_reasons(self.scheduler, state)
        running = any(places.running for places in state.places.values())
        self.idle.quiet.look(now, running=running, callers=self.callers.waiting)
        try:
            await self._act(state, sights, now)
        finally:
            self._describe(state, sights, now)

    async def _run(self) -> None:
        while True:
            try:
                await self.tick(monotonic())
            except Exception as error:  # noqa: BLE001  # the next look may go well
                self._complain(error)
            else:
                if self._complaint:
                    logger.info("The fleet answers again")
                self._complaint = ""
            await asyncio.sleep(self.fleet.interval)

    def _complain(self, error: Exception) -> None:
        """Log what went wrong, once and not at each look."""
        said = f"{type(error).__name__}: {error}"
        if said == self._complaint:
            return
        self._complaint = said
        if isinstance(error, OSError):
            logger.error("The fleet cannot be reached, trying again: %s", said)
        else:
            logger.error("A fault in the scaler, which goes on", exc_info=error)

    async def _act(self, state: State, sights: dict[str, Sight], now: float) -> None:
        reason = self.idle.quiet.over(state, now)
        if self.idle.under_way:
            ended = None if reason else self.idle.give_up(state)
            self._waking = ended or set()
            if ended is None and await self.idle.go_on(state):
                return
        if reason:
            self._waking.clear()
            self.idle.begin(state, reason)
            await self.idle.go_on(state)
        elif idle_stop.asleep(state):
            self._waking = self._to_wake(sights)
            await self._wake(sights, now)
        elif not await self._wake(sights, now):
            await self._scale(sights, now)

    def _to_wake(self, sights: dict[str, Sight]) -> set[str]:
        """Return the groups to start, now that nothing runs: none unless work waits."""
        if not (self.demand.waiting or self.callers.waiting):
            return set()
        return {name for name, sight in sights.items() if wanted_places(sight)}

    async def _wake(self, sights: dict[str, Sight], now: float) -> bool:
        """Start the groups that are to be woken; return whether any was.

        All in one look, but for one that still ends or has just failed: once a group runs, no
        other sign is left that the rest should.
        """
        ready = [
            name
            for name, sight in sights.items()
            if name in self._waking
            and not sight.places.stopping
            and now >= self._paces[name].not_before
        ]
        rooms = {name: room(sights[name], wanted_places(sights[name])) for name in ready}
        starts = {name: count for name, count in rooms.items() if count > 0}
        self._waking -= rooms.keys() - starts.keys()
        if starts:
            logger.info(
                "%d tasks and %d calls wait for a worker, and none runs. Starting %s",
                *(self.demand.waiting, self.callers.waiting),
                ", ".join(f"{count} of group {name}" for name, count in starts.items()),
            )
        for name, count in starts.items():
            self._paces[name].done(Change(start=count), now)
            await self.fleet.start(name, count)
            self._waking.discard(name)
        return bool(starts)

    async def _scale(self, sights: dict[str, Sight], now: float) -> None:
        """Change at most one group; of several, the one that has waited longest."""
        changes = {name: self._paces[name].decide(sight, now) for name, sight in sights.items()}
        for name in sorted(changes, key=lambda name: self._acted.get(name, -math.inf)):
            if (change := changes[name]) is None:
                continue
            self._acted[name] = now
            self._paces[name].done(change, now)
            _log(sights[name], change)
            if change.start:
                await self.fleet.start(name, change.start)
                return
            await stop_places(self.scheduler, self.fleet, name, change.stop, SCALE_IN)
            return

    def _describe(self, state: State, sights: dict[str, Sight], now: float) -> None:
        asleep = idle_stop.asleep(state) and not self._waking
        if not asleep and not self.idle.under_way:
            self.idle.reason = ""
        groups = {
            name: {
                "wanted": 0 if asleep else wanted_places(sight),
                "running": len(sight.places.running),
                "pending": len(sight.pending),
                "stopping": len(sight.places.stopping),
                "limit": sight.group.limit,
                "workers": sight.group.workers,
                "scaled": sight.group.scaled,
            }
            for name, sight in sights.items()
        }
        unnamed = ASLEEP if asleep and any(group["workers"] for group in groups.values()) else None
        self._described = {
            "groups": groups,
            "stopped": self.idle.reason or unnamed,
            "stops_in": self.idle.quiet.left(state, now),
        }
        gauges = (
            (metrics.WANTED_WORKERS, "wanted"),
            (metrics.RUNNING_WORKERS, "running"),
            (metrics.LIMIT_WORKERS, "limit"),
        )
        for gauge, figure in gauges:
            gauge.clear()
            for name, figures in groups.items():
                gauge.labels(name).set(figures[figure])


def _log(sight: Sight, change: Change) -> None:
    running = len(sight.places.running)
    logger.info(
        "Group %s: %d -> %d workers (Dask wants %d; at least %d, at most %d; %d pending)%s",
        *(sight.group.name, running, running + change.start - len(change.stop)),
        *(sight.wanted, sight.group.workers, sight.group.limit, len(sight.pending)),
        f": {', '.join(change.stop)} can go" if change.stop else "",
    )
