"""A real scheduler, workers and a client in one event loop; workers end as nannies end them."""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import threading
import time
from collections import Counter, defaultdict
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import dask.config
import prometheus_client
from distributed import Client, Scheduler, Worker
from distributed.core import Status

from dask_node import drain as preload
from dask_node.drain.scheduler import EXTENSION, Drained, Drains

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from distributed import Future

PATIENCE = 60.0
LOGGER = logging.getLogger("distributed.dask_node.drain")

# What the tasks of a test do and wait for; all of it is in this process.
RUNS: Counter[int] = Counter()
GATES: defaultdict[str, threading.Event] = defaultdict(threading.Event)


def work(number: int, gate: str = "") -> int:
    """Count that this ran, and end when the gate is open."""
    RUNS[number] += 1
    GATES[f"{gate} begun"].set()
    if gate:
        assert GATES[gate].wait(60)
    return number


class Actor:
    """Something that lives on one worker."""

    number = 1


class Lab:
    """The cluster of one test.

    Attributes:
        log: What the drain said, a line each.
    """

    def __init__(self, scheduler: Scheduler, client: Client) -> None:
        self.scheduler = scheduler
        self.client = client
        self.workers: dict[str | int, Worker] = {}
        self.log: list[str] = []
        self._before = _read_counters()

    @property
    def drains(self) -> Drains:
        found: Drains = self.scheduler.extensions[EXTENSION]
        return found

    async def drain(
        self, *names: str | int, seconds: float = 10, reason: str = "test", must_end: bool = True
    ) -> Drained:
        """Drain workers, as one place, and end them as their nannies would."""
        answer = await self.drains.drain(names, seconds, reason, must_end=must_end)
        if answer["ended"]:
            await asyncio.gather(*(self.end(name) for name in names))
        return answer

    async def end(self, name: str | int) -> None:
        await self.workers[name].close(nanny=False, executor_wait=False)

    async def die(self, name: str | int) -> None:
        """Let a worker go without a word, as by SIGKILL; it ends once no task stands at a gate."""
        worker = self.workers[name]
        worker.periodic_callbacks["heartbeat"].stop()
        assert worker.batched_stream.comm
        worker.batched_stream.comm.abort()
        await until(lambda: worker.address not in self.scheduler.workers, f"the end of {name}")

    async def pause(self, name: str) -> None:
        """Let a worker have no room, as its memory monitor does."""
        self.workers[name].status = Status.paused
        state = self.scheduler.workers[self.workers[name].address]
        await until(lambda: state not in self.scheduler.running, "the pause")

    async def compute(self, name: str | int, numbers: range, gate: str = "") -> list[Future[int]]:
        """Submit tasks to a worker that others may run if it cannot."""
        return self.client.map(
            work,
            numbers,
            gate=gate,
            workers=[self.workers[name].address],
            allow_other_workers=True,
            pure=False,
            key=[f"work-{n}" for n in numbers],
        )

    async def finished(self, name: str | int, numbers: range) -> list[Future[int]]:
        """Do the same and wait for the results."""
        futures = await self.compute(name, numbers)
        await until(lambda: all(f.status == "finished" for f in futures), "the tasks")
        assert self.holds(name) >= {f"work-{n}" for n in numbers}
        return futures

    async def begun(self, gate: str) -> None:
        """Wait until a task stands at this gate."""
        await until(GATES[f"{gate} begun"].is_set, f"a task at {gate}")

    def holds(self, name: str | int) -> set[Any]:
        return {task.key for task in self.scheduler.workers[self.workers[name].address].has_what}

    def state(self, number: int) -> Any:  # noqa: ANN401  # a TaskState of Dask
        return self.scheduler.tasks[f"work-{number}"]

    def counted(self) -> dict[str, float]:
        """Return which of our counters went up since the beginning, as /metrics shows them."""
        now = _read_counters()
        before = self._before
        return {n: now[n] - before.get(n, 0) for n in now if now[n] != before.get(n, 0)}

    def said(self, pattern: str) -> str:
        """Return the one line of the log that contains the pattern."""
        found = [line for line in self.log if re.search(pattern, line)]
        assert len(found) == 1, (pattern, self.log)
        return found[0]


def in_lab(
    *names: str | int, threads: int = 1
) -> Callable[[Callable[[Lab], Any]], Callable[[], None]]:
    """Run a test with workers of these names."""

    def decorate(test: Callable[[Lab], Coroutine[Any, Any, None]]) -> Callable[[], None]:
        @functools.wraps(test)
        def run() -> None:
            RUNS.clear()
            GATES.clear()
            try:
                asyncio.run(_run(test, names, threads))
            finally:
                for gate in GATES.values():
                    gate.set()

        del run.__wrapped__  # pytest would ask it for its arguments
        return run

    return decorate


async def _run(
    test: Callable[[Lab], Coroutine[Any, Any, None]], names: tuple[str | int, ...], threads: int
) -> None:
    async with AsyncExitStack() as stack:
        # Dask's own way to take from a busy worker what it has not begun would hide ours.
        stack.enter_context(dask.config.set({"distributed.scheduler.work-stealing": False}))
        scheduler = Scheduler(host="127.0.0.1", port=0, dashboard_address=":0", validate=True)
        preload.dask_setup(scheduler)
        await stack.enter_async_context(scheduler)
        client = await stack.enter_async_context(Client(scheduler.address, asynchronous=True))
        lab = Lab(scheduler, client)
        listener = _Listener(lab.log)
        LOGGER.addHandler(listener)
        stack.callback(LOGGER.removeHandler, listener)
        level = LOGGER.level
        LOGGER.setLevel("INFO")
        stack.callback(LOGGER.setLevel, level)
        for name in names:
            worker = Worker(
                scheduler.address,
                name=name,
                nthreads=threads,
                memory_limit=0,  # no memory monitor: tests pause a worker by hand
                dashboard=False,
                host="127.0.0.1",
            )
            preload.dask_setup(worker)
            lab.workers[name] = await stack.enter_async_context(worker)
        stack.callback(_open_gates)
        await test(lab)


def _open_gates() -> None:
    """Let no thread of a test that has failed hold up the end of its worker."""
    for gate in GATES.values():
        gate.set()


async def until(done: Callable[[], bool], what: str) -> None:
    """Poll until `done`; fail with `what` if it never is."""
    limit = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < limit, f"waited {PATIENCE:g} s for {what}"
        await asyncio.sleep(0.01)


def read_counters(text: str) -> dict[str, float]:
    """Return our counters from what /metrics answers, such as `lost_keys actor`."""
    found = re.findall(r'^dask_cluster_(\w+)_total(?:\{\w+="(.*)"\})? (\S+)$', text, re.MULTILINE)
    return {f"{name} {label}".strip(): float(value) for name, label, value in found}


def _read_counters() -> dict[str, float]:
    return read_counters(prometheus_client.generate_latest().decode())


class _Listener(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.getMessage()}")
