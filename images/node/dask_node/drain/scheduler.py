"""The scheduler's part of a drain: empty workers that are about to end, and remove them.

It gives away what they have not begun, waits for what runs, has their results copied (`copies`),
looks again, and removes them. Why not by Dask's own `retire_workers`: docs/decisions/0004.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from time import monotonic, time
from typing import TYPE_CHECKING, Any, TypedDict

from distributed.core import Status
from distributed.shuffle._core import id_from_key

from dask_node import metrics
from dask_node.drain.copies import copy_away
from dask_node.drain.losses import Losses
from dask_node.drain.worker import STOP_OPERATION, STOPPED_OPERATION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from distributed import Scheduler
    from distributed.scheduler import TaskState, WorkerState

logger = logging.getLogger("distributed.dask_node.drain")

EXTENSION = "dask_cluster_drain"
DRAIN_OPERATION = "dask_cluster_drain"
# Several workers are told to end one after the other, within moments: data must not be moved to
# one that is told next.
SETTLE_SECONDS = 0.1
POLL_SECONDS = 0.05
RETRY_SECONDS = 1.0


class Drained(TypedDict):
    """How a drain went; the nanny logs it.

    Attributes:
        ended: Whether the workers are gone. A drain that may be given up leaves them running, and
            one that another drain of the same workers has replaced leaves them to that one.
        keys: Results that were handed over.
        bytes: Their size.
        lost: Results of which no copy is left.
        why: Why they could not be saved; empty if nothing was lost.
    """

    ended: bool
    keys: int
    bytes: int
    lost: int
    why: str


@dataclass
class Drain:
    """Workers of one place that are on their way out.

    Attributes:
        names: Of the worker processes, as Dask has them: a number stays a number.
        reason: Why they end, for people.
        seconds: How long it may take.
        began: When it began, by `time.monotonic`.
        phase: What is being done, for people.
        why: Why data cannot be saved, as far as it is known.
        lost: Results that went with the workers.
        held: Results that were nowhere else, also those that were still being computed.
        parked: Keys that the workers have not begun and keep all the same.
    """

    names: Collection[Any]
    reason: str
    seconds: float
    began: float = field(default_factory=monotonic)
    phase: str = "finishing tasks"
    why: str = ""
    lost: int = 0
    held: set[TaskState] = field(default_factory=set)
    parked: set[Any] = field(default_factory=set)

    @property
    def left(self) -> float:
        """Seconds until the deadline, 0 after it."""
        return max(0.0, self.began + self.seconds - monotonic())


class Drains:
    """What the scheduler knows of workers that end."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.going: dict[str, Drain] = {}  # by the name of a worker process
        self.losses = Losses(scheduler, self)
        # Set while the whole fleet is stopped on purpose: why nothing is to be saved.
        self.dropping = ""
        # Set by the scaler for a place it has chosen: why it ends.
        self.reasons: dict[str, str] = {}

    async def drain(
        self, names: Collection[Any], seconds: float, reason: str, *, must_end: bool = True
    ) -> Drained:
        """Empty workers and remove them; return when they may end.

        A drain of workers that are already being drained takes them over.

        Args:
            names: Of worker processes; those that are not registered are left out.
            seconds: The deadline: half of it for running tasks, the rest for data.
            reason: Why they end.
            must_end: Whether they go even if their data cannot be saved.
        """
        reason = next((self.reasons[str(n)] for n in names if str(n) in self.reasons), reason)
        drain = Drain(names, reason, seconds)
        self.going |= {str(name): drain for name in names}
        try:
            logger.info("Draining %s: %s", _list(names), reason)
            self._pause(drain)
            await asyncio.sleep(SETTLE_SECONDS)
            await self._finish_tasks(drain)
            drain.phase = "handing over data"
            ended = await self._move_data(drain) or must_end
            if not self._owns(drain):
                return Drained(ended=False, keys=0, bytes=0, lost=0, why="another drain took over")
            if not ended:
                self._resume(drain)
                return Drained(ended=False, keys=0, bytes=0, lost=0, why=drain.why)
            return await self._remove(drain)
        finally:
            for name in map(str, names):
                if self.going.get(name) is drain:
                    del self.going[name]
                    self.reasons.pop(name, None)

    def workers(self, drain: Drain) -> list[WorkerState]:
        """Return the workers of a drain that are still registered."""
        if not self._owns(drain):
            return []
        there = (self.scheduler.aliases.get(name) for name in drain.names)
        return [self.scheduler.workers[address] for address in there if address is not None]

    def _owns(self, drain: Drain) -> bool:
        return all(self.going.get(str(name)) is drain for name in drain.names)

    def at_risk(self, workers: Iterable[WorkerState]) -> set[TaskState]:
        """Return what would be lost with these workers: no copy is on a worker that stays."""
        return {
            task
            for worker in workers
            for task in worker.has_what
            if not task.actor and all(str(h.name) in self.going for h in task.who_has or ())
        }

    def _pause(self, drain: Drain) -> None:
        """Stop the workers from taking tasks, and ask what they are running."""
        stimulus = f"drain-{time()}"
        for worker in self.workers(drain):
            self.scheduler.handle_worker_status_change(Status.closing_gracefully, worker, stimulus)
            message = {"op": STOP_OPERATION, "stimulus_id": stimulus}
            self.scheduler.worker_send(worker.address, message)

    def stopped(self, worker: str, running: Collection[Any], stimulus_id: str) -> None:
        """Give to others what a worker has not begun: it has stopped taking tasks.

        This came after all the results that the worker had to report, so that a task which is
        neither done nor running was not begun.
        """
        state = self.scheduler.workers.get(worker)
        drain = self.going.get(str(state.name)) if state else None
        if state is None or drain is None:
            return
        waiting = {task.key for task in state.processing}.difference(running)
        # A shuffle whose barrier is released without its worker's end never begins again
        # (distributed/shuffle/_scheduler_plugin.py, `transition` and `remove_worker`).
        drain.parked |= {key for key in waiting if id_from_key(key)}
        # What Dask does when a worker raises Reschedule (`Scheduler._reschedule`).
        self.scheduler.transitions(
            dict.fromkeys(waiting - drain.parked, "released"), stimulus_id=stimulus_id
        )

    def _running(self, drain: Drain) -> set[TaskState]:
        """Return what the workers have begun and not finished."""
        tasks = (task for worker in self.workers(drain) for task in worker.processing)
        return {task for task in tasks if task.key not in drain.parked}

    async def _finish_tasks(self, drain: Drain) -> None:
        """Wait for running tasks, for half of the time; not where their results have no home."""
        asked = monotonic()
        while self._running(drain) and not self._nowhere_to_go(drain):
            if drain.left <= drain.seconds / 2:
                return
            if monotonic() > asked + RETRY_SECONDS:
                # A task may have been stolen for it meanwhile, or it is a new process.
                self._pause(drain)
                asked = monotonic()
            await asyncio.sleep(POLL_SECONDS)

    async def _move_data(self, drain: Drain) -> bool:
        """Copy what would be lost to workers that stay; say whether all of it is safe."""
        while tasks := self.at_risk(self.workers(drain)):
            drain.held |= tasks | self._running(drain)  # those may end meanwhile
            if self._nowhere_to_go(drain):
                return False
            if not drain.left:
                drain.why = drain.why or f"the deadline of {drain.seconds:g} s has passed"
                return False
            try:
                async with asyncio.timeout(drain.left):
                    moved = await copy_away(self.scheduler, tasks)
            except TimeoutError:
                continue
            drain.why = "" if moved else "no other worker has room"
            # Look again: a copy on a worker that was told to end meanwhile is none.
            await asyncio.sleep(min(POLL_SECONDS if moved else RETRY_SECONDS, drain.left))
        drain.why = ""
        return True

    def _nowhere_to_go(self, drain: Drain) -> bool:
        if self.dropping:
            drain.why = self.dropping
        elif all(str(w.name) in self.going for w in self.scheduler.workers.values()):
            drain.why = "no other worker is left"
        else:
            return False
        return True

    def _resume(self, drain: Drain) -> None:
        """Let workers go on that need not end."""
        logger.warning("%s stays: its data cannot be saved, %s", _list(drain.names), drain.why)
        for worker in self.workers(drain):
            self.scheduler.worker_send(
                worker.address,
                {"op": "worker-status-change", "status": "running", "stimulus_id": "drain-resume"},
            )

    async def _remove(self, drain: Drain) -> Drained:
        """Take the workers out of the scheduler; their nannies end the processes."""
        workers = self.workers(drain)
        if running := self._running(drain):
            metrics.INTERRUPTED_TASKS.inc(len(running))
            logger.warning(
                "%s ends with %d running tasks, which start again elsewhere: %s",
                *(_list(drain.names), len(running), _list(task.key for task in running)),
            )
        # No await before the first of them: no result can arrive between the last look and this.
        for worker in workers:
            await self.scheduler.remove_worker(
                worker.address,
                expected=True,
                close=False,
                # One for each: Dask begins the shuffles again that a stimulus has ended.
                stimulus_id=f"drain-{worker.name}-{time()}",
            )
        safe = [task for task in drain.held if task.who_has]
        size = sum(task.nbytes for task in safe)
        metrics.DRAINED_WORKERS.labels(drain.reason).inc(len(workers))
        metrics.DRAINED_KEYS.inc(len(safe))
        metrics.DRAINED_BYTES.inc(size)
        logger.info(
            "Drained %s in %.1f s: %d results of %d bytes handed over, %d lost",
            *(_list(drain.names), monotonic() - drain.began, len(safe), size, drain.lost),
        )
        return Drained(ended=True, keys=len(safe), bytes=size, lost=drain.lost, why=drain.why)


def install(scheduler: Scheduler) -> None:
    """Let nannies ask for a drain, and count what is lost without one."""
    drains = Drains(scheduler)
    scheduler.extensions[EXTENSION] = drains
    scheduler.handlers[DRAIN_OPERATION] = drains.drain
    scheduler.stream_handlers[STOPPED_OPERATION] = drains.stopped
    scheduler.add_plugin(drains.losses, name=EXTENSION)


def _list(names: Iterable[Any]) -> str:
    shown = sorted(map(str, names))
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""  # noqa: PLR2004
    return ", ".join(shown[:5]) + more
