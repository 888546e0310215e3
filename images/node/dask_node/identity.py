"""Preload of scheduler and workers: publish the environment, admit only workers of the same one.

The scheduler decides. Dask catches whatever a preload raises (`distributed/preloading.py`), so a
worker cannot refuse itself there; but a registration that the scheduler answers with an error ends
the worker process with a logged line, and its nanny with exit code 1. That is how Dask itself
treats a worker name that is taken, and it holds for workers without this preload too. A nanny does
not start such a worker again; whoever keeps the nanny running decides how often to try.
"""

from __future__ import annotations

import logging
from collections import Counter
from time import time
from typing import TYPE_CHECKING, Any, TypedDict

from dask_node import roster
from dask_node.compare import Group, same, sentence
from dask_node.environment import Environment, own
from dask_node.report import REPORT_OPERATION, describe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from distributed import Scheduler, Worker
    from distributed.comm.core import Comm
    from distributed.scheduler import WorkerState

logger = logging.getLogger("distributed.dask_node.identity")

IDENTITY_OPERATION = "dask_cluster_identity"
# The name of our part in a worker's registration and heartbeat. The registration ends up in
# `scheduler_info()["workers"][address]`, where only the identity is left.
FIELD = "dask_cluster_environment"


class Published(TypedDict):
    """The scheduler's answer to a client that is about to connect."""

    scheduler: Environment
    # One entry for each environment among the workers, and how many workers run it.
    workers: list[tuple[Environment, int]]


class SchedulerEnvironment:
    """What the scheduler knows of the environments of its workers."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        # By the worker process's own id: Dask may rewrite the address that a worker gives.
        self.registered: dict[str, Environment] = {}
        self.changed: dict[str, Environment] = {}
        self._add_worker: Callable[..., Awaitable[None]] = scheduler.handlers["register-worker"]

    async def register_worker(self, comm: Comm, **message: Any) -> None:  # noqa: ANN401
        """Answer a worker's registration: an error if it runs another environment."""
        extra = dict(message.pop("extra", None) or {})
        theirs: Environment | None = extra.get(FIELD)
        refusal = _refusal(theirs)
        if theirs is None or refusal:
            logger.error(
                "Refused worker %s at %s: %s", message["name"], message["address"], refusal
            )
            answer = {"status": "error", "message": refusal, "time": time()}
            await comm.write(answer)
            return
        self._forget_gone()
        self.registered[message["server_id"]] = theirs
        extra[FIELD] = theirs["identity"]
        await self._add_worker(comm, extra=extra, **message)

    def heartbeat(self, worker: WorkerState, changed: Environment | None) -> None:
        """Take in what a worker's heartbeat says: its environment, if it changed while running."""
        if changed is None:
            self.changed.pop(worker.server_id, None)
        else:
            self.changed[worker.server_id] = changed

    def published(self) -> Published:
        """Answer a client: the scheduler's environment and those of all workers, grouped."""
        counts: Counter[str] = Counter()
        environments: dict[str, Environment] = {}
        for worker in self.scheduler.workers.values():
            server = worker.server_id
            environment = self.changed.get(server) or self.registered[server]
            key = repr(sorted(environment["packages"].items()))
            key += environment["identity"] + environment["python"]
            environments[key] = environment
            counts[key] += 1
        return {
            "scheduler": own(),
            "workers": [(environments[key], count) for key, count in counts.items()],
        }

    def _forget_gone(self) -> None:
        present = {worker.server_id for worker in self.scheduler.workers.values()}
        for known in (self.registered, self.changed):
            for server in known.keys() - present:
                del known[server]


class WorkerEnvironment:
    """A worker's part: tell the scheduler in each heartbeat what changed since it registered.

    Without this a package that someone installs into a running worker would be seen by nobody.
    """

    def __init__(self) -> None:
        self.registered = own()

    def startup(self, _: Worker) -> Environment:
        """Return what the registration carries."""
        self.registered = own()
        return self.registered

    def heartbeat(self) -> Environment | None:
        """Return the environment if it is no longer the registered one."""
        now = own()
        return None if now == self.registered else now


def dask_setup(server: Scheduler | Worker) -> None:
    """Install our part into a scheduler or a worker; Dask calls this before either serves anyone.

    A server answers nothing before its preloads are done (`Server._handle_comm` awaits the start),
    so no worker can register before the check is in place.
    """
    if hasattr(server, "startup_information"):
        ours = WorkerEnvironment()
        server.startup_information[FIELD] = ours.startup
        server.extensions[FIELD] = ours
        return
    known = SchedulerEnvironment(server)
    server.extensions[FIELD] = known
    server.handlers["register-worker"] = known.register_worker
    server.handlers[IDENTITY_OPERATION] = known.published
    server.handlers[REPORT_OPERATION] = lambda: describe(server)
    roster.install(server)
    logger.info("Environment: %s", own()["identity"])


def _refusal(theirs: Environment | None) -> str:
    """Return why a worker is not admitted, on one line, or nothing."""
    if theirs is None:
        return (
            "this worker does not say which environment it runs. "
            "Give it the preload dask_node.identity: start it with the cluster's dask.yaml"
        )
    mine = own()
    if same([[Group(theirs, 1)], [Group(mine, 1)]]):
        return ""
    said = sentence(theirs, mine, whose="the scheduler")
    return f"this worker runs another environment than its scheduler. {said}"
