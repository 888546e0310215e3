"""A scheduler and a fleet as plain figures, by a clock that a test turns on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from dask_node.fleet import Group, Places, State
from dask_node.scaler.loop import Scaler

if TYPE_CHECKING:
    from collections.abc import Collection

TASK_SECONDS = 1.0


@dataclass(eq=False)
class Task:
    """What the scaler and Dask's reckoning read of a task."""

    group: str
    resource_restrictions: dict[str, float]
    key: str = "task"
    prefix: str = "task"
    nbytes: int = 100
    worker_restrictions: None = None
    host_restrictions: None = None
    loose_restrictions: bool = False


@dataclass(eq=False)
class FakeWorker:
    """The same of a worker process."""

    name: str
    nthreads: int
    memory_limit: int
    processing: set[Task] = field(default_factory=set)
    long_running: frozenset[Task] = frozenset()
    has_what: set[Task] = field(default_factory=set)

    @property
    def address(self) -> str:
        return self.name

    @property
    def nbytes(self) -> int:
        return sum(task.nbytes for task in self.has_what)

    @property
    def occupancy(self) -> float:
        return len(self.processing) * TASK_SECONDS


class FakeScheduler(SimpleNamespace):
    """The part of a scheduler that the scaler looks at."""

    def __init__(self) -> None:
        super().__init__(
            workers={},
            queued=[],
            unrunnable={},
            plugins={},
            clients={},
            client_comms={},
            running=set(),
            handlers={"scatter": None, "ncores_running": None},
            transition_counter=0,
            _client_connections_added_total=0,
            _active_graph_updates=0,
        )
        self.drains = SimpleNamespace(going={}, reasons={}, dropping="")
        self.extensions = {"dask_cluster_drain": self.drains}

    @property
    def is_idle(self) -> bool:
        busy = any(worker.processing for worker in self.workers.values())
        return not (busy or self.queued or self.unrunnable)

    def _get_prefix_duration(self, _: str) -> float:
        return TASK_SECONDS

    def ask(self, group: Group, count: int) -> None:
        """Let this many tasks wait for the workers of a group."""
        tasks = [Task(group.name, dict(group.resources)) for _ in range(count)]
        if group.resources:
            self.unrunnable |= dict.fromkeys(tasks, 0.0)
        else:
            self.queued += tasks


class FakeFleet:
    """Places that do what the test says, and remember what they were told."""

    def __init__(self, *groups: Group, interval: float = 1.0, **limits: float) -> None:
        self.interval = interval
        self.groups = {group.name: group for group in groups}
        self.limits = {"idle_stop": None, "no_client_stop": None} | limits
        self.running: dict[str, set[str]] = {name: set() for name in self.groups}
        self.stopping: dict[str, set[str]] = {name: set() for name in self.groups}
        self.failed: dict[str, set[str]] = {name: set() for name in self.groups}
        self.calls: list[tuple[str, str, Any]] = []
        self.scheduler = FakeScheduler()
        self.scaler = Scaler(self.scheduler, self)  # type: ignore[arg-type]
        self._count = 0

    async def look(self) -> State:
        places = {
            name: Places(*(frozenset(m[name]) for m in (self.running, self.stopping, self.failed)))
            for name in self.groups
        }
        limits: dict[str, Any] = self.limits
        return State(dict(self.groups), places, **limits)

    async def start(self, group: str, count: int) -> None:
        self.calls.append(("start", group, count))
        for _ in range(count):
            self._count += 1
            self.running[group].add(f"{group}-{self._count}")
        # A place that failed is started again before a further one is.
        for place in sorted(self.failed[group])[:count]:
            self.failed[group].discard(place)

    async def stop(self, group: str, places: Collection[str], reason: str) -> None:
        del reason
        self.calls.append(("stop", group, sorted(places)))
        assert set(places) <= self.running[group]
        self.running[group] -= set(places)
        self.stopping[group] |= set(places)

    def tick(self, now: float) -> list[tuple[str, str, Any]]:
        """Let the scaler look once; return what it did."""
        before = len(self.calls)
        asyncio.run(self.scaler.tick(now))
        return self.calls[before:]

    def register(self, group: str, *places: str) -> None:
        """Let all worker processes of places register."""
        facts = self.groups[group]
        for place in places or sorted(self.running[group]):
            for number in range(facts.processes):
                name = f"{place}-{number}"
                if name not in self.scheduler.workers:
                    self.scheduler.workers[name] = FakeWorker(name, facts.threads, facts.memory)

    def pending(self, group: str) -> list[str]:
        known = {name.rpartition("-")[0] for name in self.scheduler.workers}
        return sorted(self.running[group] - known)

    def fail(self, group: str, place: str) -> None:
        """Let a place give up starting."""
        self.running[group].remove(place)
        self.failed[group].add(place)

    def end(self, group: str, place: str) -> list[Task]:
        """Let a place be gone; return the tasks that it ran."""
        self.stopping[group].discard(place)
        names = [n for n in self.scheduler.workers if n.rpartition("-")[0] == place]
        return [task for name in names for task in self.scheduler.workers.pop(name).processing]
