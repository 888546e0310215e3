"""Nothing runs when nobody wants anything, and everything is back when somebody does."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING

from dask_node.scaler.demand import place_of
from dask_node.scaler.ending import drains_of, stop_places

if TYPE_CHECKING:
    from distributed import Scheduler

    from dask_node.fleet import Fleet, State

logger = logging.getLogger("distributed.dask_node.scaler")

REASON = "idle stop"
# Dask's own client, for work that outlives its submitter.
FIRE_AND_FORGET = "fire-and-forget"
# A worker's own client, for tasks that submit tasks (`Worker._get_client`); it stays connected as
# long as the worker lives.
WORKERS_CLIENT = "Client-worker-"


class Quiet:
    """Measures how long nobody has wanted anything.

    Attributes:
        since: Of the last work, or of a result that somebody held.
        alone: Of the last work, or of a client that was connected.
        held: Whether the first cannot count now, as somebody works or holds a result.
        attended: Whether the second cannot.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.since = self.alone = monotonic()
        self.held = self.attended = True
        self._moved = self._connected = -1

    def look(self, now: float, *, running: bool, callers: int) -> None:
        """Take note of what goes on.

        Args:
            now: By the same clock as `since`.
            running: Whether there is anything to stop; the time counts from the first start.
            callers: Calls that wait for a worker.
        """
        scheduler = self.scheduler
        moved, connected = scheduler.transition_counter, scheduler._client_connections_added_total  # noqa: SLF001  # a public metric of Dask's
        receiving = scheduler._active_graph_updates  # noqa: SLF001  # as in Dask's check_idle
        busy = bool(
            not running
            or callers
            or receiving
            or moved != self._moved
            or not scheduler.is_idle  # counts what runs, is queued, waits, or finds no worker
        )
        # Published datasets, variables and queues are clients to Dask that never connect
        # (distributed/publish.py, variable.py, queues.py): somebody will come back for them.
        self.held = busy or any(
            client.wants_what
            for name, client in scheduler.clients.items()
            if name != FIRE_AND_FORGET
        )
        self.attended = busy or connected != self._connected or self._client_connected()
        self.since = now if self.held else self.since
        self.alone = now if self.attended else self.alone
        self._moved, self._connected = moved, connected

    def over(self, state: State, now: float) -> str:
        """Return why the fleet shall stop now, or nothing."""
        if _passed(state.idle_stop, self.since, now):
            return f"no work and nobody who held a result for {state.idle_stop:g} s"
        if _passed(state.no_client_stop, self.alone, now):
            return f"no work and no client for {state.no_client_stop:g} s"
        return ""

    def left(self, state: State, now: float) -> float | None:
        """Return the seconds until the fleet stops, or None while nothing counts towards it."""
        counting = (
            (state.idle_stop, self.since, self.held),
            (state.no_client_stop, self.alone, self.attended),
        )
        ends = [since + limit for limit, since, off in counting if limit is not None and not off]
        return max(0.0, min(ends) - now) if ends else None

    def _client_connected(self) -> bool:
        """Say whether a person's client is connected; those that never connect have no comm."""
        connected = self.scheduler.clients.keys() & self.scheduler.client_comms.keys()
        return any(not name.startswith(WORKERS_CLIENT) for name in connected)


class IdleStop:
    """Stops all places and starts them again.

    Attributes:
        reason: Why the fleet was stopped, until it runs again. A scheduler that was started anew
            meanwhile does not know it.
    """

    def __init__(self, scheduler: Scheduler, fleet: Fleet) -> None:
        self.scheduler = scheduler
        self.fleet = fleet
        self.quiet = Quiet(scheduler)
        self.reason = ""
        self._ending: set[str] = set()

    @property
    def under_way(self) -> bool:
        """Whether places are still ending."""
        return bool(self._ending)

    def begin(self, state: State, reason: str) -> None:
        """Decide that all places that are there now end."""
        running = {place for places in state.places.values() for place in places.running}
        stopping = {place for places in state.places.values() for place in places.stopping}
        held = {
            task
            for worker in self.scheduler.workers.values()
            if place_of(str(worker.name)) in running | stopping
            for task in worker.has_what
        }
        size = sum(task.nbytes for task in held)
        self.reason = f"{REASON}: {reason}"
        self._ending = running | stopping
        # Drains end at once from here on, and what goes counts as dropped, not as lost.
        drains_of(self.scheduler).dropping = self.reason
        logger.info(
            "Idle stop: %s. Stopping all %d workers; %d results of %d bytes are dropped",
            *(reason, len(running), len(held), size),
        )

    def give_up(self, state: State) -> set[str] | None:
        """Leave running what was not told to end yet, as somebody came meanwhile.

        Returns:
            The groups that have ended already, or None if all places were told: such a stop is
            finished before anything starts.
        """
        if not any(places.running & self._ending for places in state.places.values()):
            return None
        logger.info("Idle stop: given up, there is work again")
        self._ending.clear()
        drains_of(self.scheduler).dropping = ""
        return {name for name, places in state.places.items() if not places.running}

    async def go_on(self, state: State) -> bool:
        """Stop what is still to be stopped; return whether a stop is under way.

        A place that somebody started since it began is left alone.
        """
        there = {p for places in state.places.values() for p in places.running | places.stopping}
        self._ending &= there
        if not self._ending:
            drains_of(self.scheduler).dropping = ""
            return False
        for group, places in state.places.items():
            if running := places.running & self._ending:
                await stop_places(self.scheduler, self.fleet, group, running, REASON)
        return True


def asleep(state: State) -> bool:
    """Say whether nothing runs, and an idle stop may be why.

    Decided from what is there: the scheduler may have been started anew since.
    """
    may_stop = state.idle_stop is not None or state.no_client_stop is not None
    return may_stop and not any(places.running for places in state.places.values())


def _passed(limit: float | None, since: float, now: float) -> bool:
    return limit is not None and now >= since + limit
