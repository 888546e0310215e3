"""What is lost when a worker ends, however it ends: said aloud once, and counted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from distributed.diagnostics.plugin import SchedulerPlugin

from dask_node import metrics

if TYPE_CHECKING:
    from collections.abc import Collection

    from distributed import Scheduler
    from distributed.scheduler import WorkerState

    from dask_node.drain.scheduler import Drains

logger = logging.getLogger("distributed.dask_node.drain")
_SHOWN = 5


class Losses(SchedulerPlugin):
    """Listens to what the scheduler says of each worker that it removes.

    The event comes before the tasks of the worker change and before any other plugin hears of its
    end (`Scheduler.remove_worker`), so sizes and active shuffles are still there to be read.
    """

    def __init__(self, scheduler: Scheduler, drains: Drains) -> None:
        self.scheduler = scheduler
        self.drains = drains
        # Registered workers by address: the event gives an address only.
        self.workers: dict[str, WorkerState] = {}

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        """Remember a worker until it is removed."""
        self.workers[worker] = scheduler.workers[worker]

    def log_event(self, topic: str, msg: Any) -> None:  # noqa: ANN401  # as Dask declares it
        """Take in an event of the scheduler."""
        if topic == "all" and isinstance(msg, dict) and msg.get("action") == "remove-worker":
            self._removed(self.workers.pop(msg["worker"]), msg)

    def _removed(self, worker: WorkerState, event: dict[str, Any]) -> None:
        name = str(worker.name)
        drain = self.drains.going.get(name)
        self._count_shuffles(worker)
        if not event["expected"]:
            metrics.DIED_WORKERS.inc()
            when = "before its drain was done" if drain else "without a drain"
            logger.warning("%s ended %s", name, when)
        lost = {
            "scattered": event["lost-scattered-tasks"],
            "computed": event["lost-computed-tasks"],
            "actor": [task.key for task in worker.actors if task.state == "memory"],
        }
        keys = [key for kind in lost.values() for key in kind]
        if not keys:
            return
        if self.drains.dropping:
            metrics.DROPPED_KEYS.inc(len(keys))
            logger.info("Dropped %d results with %s: %s", len(keys), name, self.drains.dropping)
            return
        for kind, some in lost.items():
            metrics.LOST_KEYS.labels(kind).inc(len(some))
        why = "it ended without a drain"
        if drain is not None:
            drain.lost += len(keys)
            dead = not event["expected"]
            found = "it ended before its drain was done" if dead else "actors cannot be moved"
            why = drain.why = drain.why or found
        logger.error(
            "LOST with %s: %d results of %d bytes (%s). %d were scattered and are gone, %d are "
            "computed again, %d were actors and are gone. Why: %s",
            *(name, len(keys), self._size(keys), _shown(keys)),
            *(len(some) for some in lost.values()),
            why,
        )

    def _count_shuffles(self, worker: WorkerState) -> None:
        plugin: Any = self.scheduler.plugins["shuffle"]  # Dask's own; it restarts them next
        for shuffle in plugin.active_shuffles.values():
            if worker.address in shuffle.participating_workers:
                metrics.SHUFFLE_RESTARTS.inc()
                logger.warning("Shuffle %s begins again: %s ended", shuffle.id, worker.name)

    def _size(self, keys: Collection[Any]) -> int:
        tasks = self.scheduler.tasks
        return sum(tasks[key].nbytes for key in keys if key in tasks)


def _shown(keys: list[Any]) -> str:
    more = ", ..." if len(keys) > _SHOWN else ""
    return ", ".join(str(key) for key in keys[:_SHOWN]) + more
