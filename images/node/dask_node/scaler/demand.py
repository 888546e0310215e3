"""How many places each group should have: Dask's own reckoning, on the group's part of the cluster.

Dask reckons for the cluster as a whole: a task that waits for a GPU asks for nothing while eight
workers without one are idle (`Scheduler.adaptive_target`, distributed 2026.8).
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distributed import Scheduler

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from distributed.scheduler import TaskState, WorkerState

    from dask_node.fleet import Group, Places, State

logger = logging.getLogger("distributed.dask_node.scaler")

# Called with a part of a scheduler in place of a whole one, which its types do not foresee.
_DASK: Any = Scheduler


def place_of(worker: str) -> str:
    """Return the place of a worker process: its name without the number."""
    return worker.rpartition("-")[0]


class Part:
    """One group's part of a scheduler, for methods of Dask's that think of a whole one.

    Attributes:
        workers: Worker processes by address.
        queued: Tasks that wait for any worker with a free thread.
        unrunnable: Tasks that wait for a worker of this group.
        total_occupancy: Seconds of work that the workers have before them.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.plugins = {**scheduler.plugins, "dask_cluster_whole_places": self}
        self.workers: dict[str, WorkerState] = {}
        self.queued: Collection[TaskState] = ()
        self.unrunnable: dict[TaskState, float] = {}
        self.total_occupancy = 0.0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever Dask reads besides
        return getattr(self._scheduler, name)

    def adaptive_target(self) -> int:
        """Return how many worker processes Dask wants here."""
        return int(_DASK.adaptive_target(self))

    def workers_to_close(self, **how: Any) -> list[str]:  # noqa: ANN401  # as Dask has it
        """Return worker processes that Dask can do without, only whole places."""
        found: list[str] = _DASK.workers_to_close(self, key=_place_of_state, **how)
        return found

    def valid_workers_downscaling(self, _: Any, valid: list[WorkerState]) -> list[WorkerState]:  # noqa: ANN401
        """Keep a place if one of its processes may not go; Dask asks all plugins in turn."""
        there = Counter(map(_place_of_state, self.workers.values()))
        may_go = Counter(map(_place_of_state, valid))
        return [w for w in valid if may_go[_place_of_state(w)] == there[_place_of_state(w)]]


@dataclass(frozen=True)
class Sight:
    """A group at one moment.

    Attributes:
        registered: Running places with all their worker processes.
        draining: Running places that empty themselves, such as at the end of a lifetime.
        wanted: How many places Dask wants; of a fixed group, how many it has by its file.
    """

    group: Group
    places: Places
    part: Part
    registered: frozenset[str]
    draining: frozenset[str]
    wanted: int

    @property
    def pending(self) -> frozenset[str]:
        """Running places that still miss worker processes."""
        return self.places.running - self.registered - self.draining


class Homes:
    """Finds the group that a waiting task asks for."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self._groups = [group for group in groups if group.limit > 0]
        self._known: dict[tuple[tuple[str, float], ...], str | None] = {}

    def of(self, task: TaskState) -> str | None:
        """Return the first group whose worker processes each offer what a task needs."""
        return self.offering(task.resource_restrictions or {})

    def offering(self, needs: dict[str, float]) -> str | None:
        """Return the first group that may have workers and offers all of these."""
        key = tuple(needs.items())
        if key not in self._known:
            able = (g.name for g in self._groups if _offers(g, needs))
            self._known[key] = next(able, None)
        return self._known[key]

    def missing(self, needs: dict[str, float]) -> str:
        """Return why no group offers these."""
        if not self._groups:
            return "no group may have workers"
        most = {r: max(float(g.resources.get(r, 0)) for g in self._groups) for r in needs}
        short = [
            f"{r}: {needs[r]:g} needed, a worker process offers {most[r]:g} at most"
            for r in needs
            if most[r] < needs[r]
        ]
        return "; ".join(short) or "no group offers all of them together"


class Demand:
    """Looks at the scheduler with the eyes of each group.

    Attributes:
        waiting: Tasks that wait for a worker and could run if there were more.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.waiting = 0
        self._warned: set[tuple[tuple[str, float], ...]] = set()

    def look(self, state: State, going: Collection[str]) -> dict[str, Sight]:
        """Return a sight of each group.

        Args:
            state: The fleet.
            going: Names of worker processes that are on their way out.
        """
        homes = Homes(state.groups.values())
        parts = {name: Part(self.scheduler) for name in state.groups}
        group_of = {p: name for name in state.groups for p in state.places[name].running}
        processes: Counter[str] = Counter()
        for worker in self.scheduler.workers.values():
            place = _place_of_state(worker)
            if place in group_of and str(worker.name) not in going:
                processes[place] += 1
                parts[group_of[place]].workers[worker.address] = worker
        for name, part in parts.items():
            self._occupy(name, parts, homes, part.workers.values())
        self._wait(parts, homes)
        draining = {place_of(name) for name in going}
        return {
            name: _sight(group, state.places[name], parts[name], processes, draining)
            for name, group in state.groups.items()
        }

    def _occupy(
        self, name: str, parts: dict[str, Part], homes: Homes, workers: Iterable[WorkerState]
    ) -> None:
        """Add up the work of a group's workers.

        A plain task may run on any worker, one with a GPU too. There it must not ask for more of
        them: it asks for one of its own home, if it waits behind the worker's threads.
        """
        part = parts[name]
        plain = homes.offering({})
        for worker in workers:
            part.total_occupancy += worker.occupancy
            if name == plain:
                continue  # nothing else has its home elsewhere and could run here
            guests = [t for t in worker.processing if not _bound(t) and homes.of(t) != name]
            for task in guests:
                if task not in worker.long_running:  # Dask does not count these as occupancy
                    seconds = self.scheduler._get_prefix_duration(task.prefix)  # noqa: SLF001
                    part.total_occupancy -= seconds
            free = max(0, worker.nthreads - len(worker.processing) + len(guests))
            for task in guests[free:]:
                if (home := homes.of(task)) is not None:
                    parts[home].unrunnable[task] = 0.0
        part.total_occupancy = max(0.0, part.total_occupancy)

    def _wait(self, parts: dict[str, Part], homes: Homes) -> None:
        """Give the tasks that wait to the parts where they could run."""
        self.waiting = 0
        # Dask queues only tasks that may run anywhere (`SchedulerState.is_rootish`).
        if (home := homes.offering({})) is not None:
            parts[home].queued = self.scheduler.queued
            self.waiting = len(self.scheduler.queued)
        elif parts and self.scheduler.queued:
            self._warn(self.scheduler.queued.peek(), homes)
        for task, since in self.scheduler.unrunnable.items():
            if _bound(task):
                self.waiting += 1
            elif (home := homes.of(task)) is not None:
                self.waiting += 1
                parts[home].unrunnable[task] = since
            elif parts:
                self._warn(task, homes)

    def _warn(self, task: TaskState, homes: Homes) -> None:
        needs = task.resource_restrictions or {}
        key = tuple(sorted(needs.items()))
        if key not in self._warned:
            self._warned.add(key)
            logger.warning(
                "%s and others like it can run on no worker: %s", task.key, homes.missing(needs)
            )


def _sight(
    group: Group, places: Places, part: Part, processes: Counter[str], draining: set[str]
) -> Sight:
    wanted = group.workers
    if group.scaled:
        target = part.adaptive_target()
        if not part.workers:
            # Dask cannot know how many threads a worker would have, and reckons with one.
            target = math.ceil(target / group.threads)
        wanted = math.ceil(target / group.processes)
    return Sight(
        group=group,
        places=places,
        part=part,
        registered=frozenset(p for p in places.running if processes[p] >= group.processes),
        draining=places.running & draining,
        wanted=wanted,
    )


def _place_of_state(worker: WorkerState) -> str:
    return place_of(str(worker.name))


def _bound(task: TaskState) -> bool:
    """Say whether a task may run on certain workers or hosts only: more workers do not help it."""
    return bool(task.worker_restrictions or task.host_restrictions) and not task.loose_restrictions


def _offers(group: Group, needs: dict[str, float]) -> bool:
    return all(group.resources.get(resource, 0) >= need for resource, need in needs.items())
