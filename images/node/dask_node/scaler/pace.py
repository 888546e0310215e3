"""When a group grows or shrinks: not twice for one demand, not at once, not against a wall."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dask.config

from dask_node.scaler.demand import place_of

if TYPE_CHECKING:
    from dask_node.scaler.demand import Sight

logger = logging.getLogger("distributed.dask_node.scaler")

# A place that has not registered after this long will not; an instance needs a few minutes.
START_SECONDS = 300.0
# After places did not start, the next ones wait: twice as long each time.
FIRST_WAIT_SECONDS = 30.0
LAST_WAIT_SECONDS = 600.0
# Intervals between a start and the next shrinking of the group.
COOLDOWN = 10


@dataclass(frozen=True)
class Change:
    """What to do with a group: start some places, or stop these."""

    start: int = 0
    stop: tuple[str, ...] = ()


class Pace:
    """What is remembered of a group from one look to the next; all times in seconds.

    Attributes:
        not_before: When places may be started again, by the clock of `now`.
    """

    def __init__(self, interval: float) -> None:
        self.not_before = -math.inf
        self._cooldown = COOLDOWN * interval
        self._shrink_after: int = dask.config.get("distributed.adaptive.wait-count")
        self._low = 0  # looks in a row at which less was wanted than there is
        self._started = -math.inf
        self._wait = FIRST_WAIT_SECONDS
        self._pending: dict[str, float] = {}  # since when, by place
        self._registered: frozenset[str] = frozenset()
        self._bad: frozenset[str] = frozenset()

    def look(self, sight: Sight, now: float) -> None:
        """Take note of what started, and say what did not."""
        self._pending = {place: self._pending.get(place, now) for place in sight.pending}
        if sight.registered - self._registered:
            self._wait, self.not_before = FIRST_WAIT_SECONDS, -math.inf
        self._registered = sight.registered
        bad = self._late(now) | sight.places.failed
        new, self._bad = bad - self._bad, frozenset(bad)
        if new:
            self._hold(sight, now, sorted(new))
        self._low = self._low + 1 if _least(sight) < len(sight.places.running) else 0

    def decide(self, sight: Sight, now: float) -> Change | None:
        """Return what to do now, if anything."""
        if not sight.group.scaled:
            return None
        count = room(sight, wanted_places(sight))
        if count > 0:
            return Change(start=count) if now >= self.not_before else None
        waiting = sight.pending - self._late(now)
        if self._low < self._shrink_after or waiting or now < self._started + self._cooldown:
            return None
        places = self._victims(sight, now)
        return Change(stop=places) if places else None

    def done(self, change: Change, now: float) -> None:
        """Take note that something was done."""
        self._low = 0
        if change.start:
            self._started = now

    def _victims(self, sight: Sight, now: float) -> tuple[str, ...]:
        """Return the places to stop: those that never came up, then those that Dask chooses."""
        least = _least(sight)
        most = len(sight.places.running) - least
        there = {place_of(str(worker.name)) for worker in sight.part.workers.values()}
        empty = sorted(place for place in self._late(now) if place not in there)
        can_go = sight.part.workers_to_close(target=least * sight.group.processes, attribute="name")
        chosen = dict.fromkeys(map(place_of, can_go))  # in Dask's order
        return tuple((empty + [p for p in chosen if p in sight.registered])[:most])

    def _late(self, now: float) -> set[str]:
        return {place for place, since in self._pending.items() if now - since > START_SECONDS}

    def _hold(self, sight: Sight, now: float, places: list[str]) -> None:
        """Say which places did not start, and put off the next start of the group."""
        if sight.group.scaled and now >= self.not_before:
            self.not_before = now + self._wait
            self._wait = min(2 * self._wait, LAST_WAIT_SECONDS)
        put_off = self.not_before - now
        logger.error(
            "Group %s: did not start: %s.%s",
            *(sight.group.name, ", ".join(places)),
            f" The next start waits {put_off:g} s" if put_off > 0 else "",
        )


def wanted_places(sight: Sight) -> int:
    """Return how many places there shall be."""
    return min(_least(sight), sight.group.limit)


def room(sight: Sight, wanted: int) -> int:
    """Return how many places may be started to have `wanted`; those that end still cost."""
    running, stopping = len(sight.places.running), len(sight.places.stopping)
    return min(wanted - running, sight.group.limit - running - stopping)


def _least(sight: Sight) -> int:
    """Return how many places there are to be kept, whatever the limit says.

    Pulumi drains what is above a lowered limit; to shrink to it here as well would take the same
    places twice.
    """
    return max(sight.wanted, sight.group.workers)
