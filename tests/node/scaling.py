"""Fleets that tests play with, and a real scheduler in this process that scales on one of them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from contextlib import asynccontextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import dask.config
from distributed import Client, Scheduler, Worker

from dask_node.fleet import Group, Places, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Coroutine

    import pytest

INTERVAL = 0.01
PATIENCE = 60.0
DRAIN_SECONDS = 10.0
PRELOADS = ["dask_node.drain", "dask_node.scaler"]

GATE = threading.Event()


def work(number: int) -> int:
    """Run until the gate is opened; Dask reckons with `CONFIG`'s duration for each."""
    assert GATE.wait(60)
    return number


def resource_work(number: int) -> int:
    """Do the same, as the work of another group."""
    return work(number)


CONFIG = {
    # Far longer than a test: a task that runs twice as long makes Dask reckon with more
    # (`TaskPrefix.add_exec_time`), and on a slow machine a test with short ones then asked twice.
    "distributed.scheduler.default-task-durations": {"work": "1000s", "resource_work": "1000s"},
    "distributed.adaptive.target-duration": "5000s",
    "distributed.adaptive.wait-count": 3,
    # A task that was given to a worker stays there.
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
    # The process that a worker would measure is this one, which holds what other tests left.
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
}


def group(
    name: str = "worker",
    workers: int = 0,
    most: int | None = None,
    processes: int = 1,
    threads: int = 1,
    resources: dict[str, float] | None = None,
) -> Group:
    return Group(name, workers, most, processes, threads, 2**30, resources or {})


class WorkerFleet:
    """Places that are Dask workers in this process; a place that is stopped drains first."""

    def __init__(
        self, *groups: Group, idle_stop: float | None = None, no_client_stop: float | None = None
    ) -> None:
        self.interval = INTERVAL
        self.groups = {one.name: one for one in groups}
        self.idle_stop, self.no_client_stop = idle_stop, no_client_stop
        # What the scaler asked for: ("start", group, count) or ("stop", group, places).
        self.calls: list[tuple[str, str, Any]] = []
        self.reasons: set[str] = set()
        self.looks = 0
        self.armed = True  # whether idle stops are switched on yet
        self.opened = asyncio.Event()  # while it is not set, places that start do not register
        self.opened.set()
        self.may_end = asyncio.Event()  # while it is not set, places that stop do not end
        self.may_end.set()
        self.broken: Exception | None = None
        self.broken_group = ""  # whose places cannot be stopped
        self._running: dict[str, list[Worker]] = {}
        self._stopping: set[str] = set()
        self._scheduler: Scheduler | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def serve(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def look(self) -> State:
        self.looks += 1
        if self.broken:
            raise self.broken
        places = {}
        for name in self.groups:
            mine = frozenset(p for p in self._running if p.startswith(f"{name}-"))
            stopping = mine & self._stopping
            places[name] = Places(mine - stopping, stopping, frozenset())
        limits = (self.idle_stop, self.no_client_stop) if self.armed else (None, None)
        return State(dict(self.groups), places, *limits)

    async def start(self, group: str, count: int) -> None:
        self.calls.append(("start", group, count))
        self.bring(group, count)

    async def stop(self, group: str, places: Collection[str], reason: str) -> None:
        if self.broken_group == group:
            raise ConnectionResetError("gone")
        self.calls.append(("stop", group, sorted(places)))
        self.reasons.add(reason)
        for place in places:
            self._stopping.add(place)
            self._spawn(self.end(place))

    def bring(self, group: str, count: int) -> None:
        """Start places as a person or Pulumi would, without a call of the scaler."""
        names = (f"{group}-{n}" for n in range(1000))
        free = (name for name in names if name not in self._running)
        for place in list(islice(free, count)):
            self._running[place] = []
            self._spawn(self._begin(place, self.groups[group]))

    async def close(self) -> None:
        """End everything, behind the scaler's back."""
        self.groups = {}
        GATE.set()
        self.opened.set()
        self.may_end.set()
        await asyncio.gather(*self._tasks)
        workers = [worker for place in self._running.values() for worker in place]
        await asyncio.gather(*(worker.close(nanny=False) for worker in workers))
        self._running.clear()

    async def registered(self, count: int) -> None:
        """Wait until this many worker processes are there."""
        await until(lambda: len(self._known()) == count, f"{count} workers")

    def there(self) -> list[str]:
        """Return the places that are not at their end."""
        return sorted(self._running)

    def names(self) -> list[str]:
        return sorted(str(worker.name) for worker in self._known())

    async def settle(self) -> None:
        """Let the scaler look often enough to do whatever it wants to."""
        seen = self.looks
        await until(lambda: self.looks > seen + 20, "20 looks")

    def _known(self) -> list[Any]:
        assert self._scheduler is not None
        return list(self._scheduler.workers.values())

    def _spawn(self, what: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(what))

    async def _begin(self, place: str, facts: Group) -> None:
        assert self._scheduler is not None
        await self.opened.wait()
        if place not in self._running:
            return  # stopped before it was there
        for number in range(facts.processes):
            worker = Worker(
                self._scheduler.address,
                name=f"{place}-{number}",
                nthreads=facts.threads,
                memory_limit=facts.memory,
                resources=dict(facts.resources),
                preload=["dask_node.drain"],
                dashboard=False,
            )
            self._running[place].append(worker)
            await worker

    async def end(self, place: str) -> None:
        """Do what a place does on SIGTERM (`dask_node.drain.nanny`)."""
        assert self._scheduler is not None
        workers = self._running[place]
        drains = self._scheduler.extensions["dask_cluster_drain"]
        await drains.drain([str(worker.name) for worker in workers], DRAIN_SECONDS, "SIGTERM")
        await self.may_end.wait()
        for worker in workers:
            await worker.close(nanny=False)
        del self._running[place]
        self._stopping.discard(place)


@asynccontextmanager
async def scaling(
    fleet: WorkerFleet, patch: pytest.MonkeyPatch, **config: object
) -> AsyncIterator[tuple[Scheduler, Client]]:
    """A scheduler with the preloads, which scales on this fleet, and a client."""
    async with scheduling(fleet, patch, **config) as scheduler, connected(scheduler) as client:
        try:
            yield scheduler, client
        finally:
            GATE.set()


@asynccontextmanager
async def scheduling(
    fleet: WorkerFleet, patch: pytest.MonkeyPatch, **config: object
) -> AsyncIterator[Scheduler]:
    """Only the scheduler. Workers are gone at the end."""
    patch.setattr("dask_node.fleet.load", lambda: fleet)
    GATE.clear()
    with dask.config.set({**CONFIG, **config}):
        scheduler = Scheduler(
            protocol="inproc", port=0, dashboard_address=":0", preload=PRELOADS, validate=True
        )
        fleet.serve(scheduler)
        async with scheduler:
            try:
                yield scheduler
            finally:
                await fleet.close()


@asynccontextmanager
async def connected(scheduler: Scheduler) -> AsyncIterator[Client]:
    async with Client(scheduler.address, asynchronous=True, set_as_default=False) as client:
        yield client


async def until(true: Callable[[], object], what: str) -> None:
    """Wait for something, for much longer than it takes."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(INTERVAL / 4)
    assert true(), f"waited in vain for {what}"


def decisions(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the scaler logged."""
    return [r.getMessage() for r in caplog.records if r.name == "distributed.dask_node.scaler"]
