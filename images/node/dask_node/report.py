"""Describe the running cluster as one JSON object: `python -m dask_node.report`.

Other programs run this in the environment of the cluster and read its output, so that they need
neither Dask nor the certificates' paths: everything comes from the DASK_* configuration.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING, Any, TypedDict

from dask_node.environment import own_identity

if TYPE_CHECKING:
    from distributed import Scheduler
    from distributed.scheduler import WorkerState

    from dask_node.drain.scheduler import Drains

REPORT_OPERATION = "dask_cluster_report"
METRICS = "dask_cluster_"


class DrainReport(TypedDict):
    """A worker process that is about to end; times in seconds."""

    reason: str
    phase: str
    seconds: float
    limit: float
    results: int
    bytes: int


class WorkerReport(TypedDict):
    """One worker process; memory in bytes, and by how many seconds its clock is ahead of ours."""

    name: str
    address: str
    host: str
    pid: int
    nanny: str | None
    status: str
    nthreads: int
    memory_limit: int
    memory_used: int
    resources: dict[str, float]
    processing: int
    identity: str | None
    clock_ahead: float
    draining: DrainReport | None


class Report(TypedDict):
    """The cluster; `tasks` counts tasks by Dask's own names of their states."""

    scheduler: str
    dashboard: str | None
    id: str
    identity: str
    workers: list[WorkerReport]
    tasks: dict[str, int]
    clients: int
    # What the scaler says of the groups of workers; None without one.
    fleet: dict[str, Any] | None
    # Since this scheduler started: what ending workers handed over, and what was lost with them.
    counters: dict[str, float]


def describe(scheduler: Scheduler) -> Report:
    """Return the report; runs on the scheduler.

    Tasks are summed over the counts that Dask keeps for each prefix, so a graph of a million tasks
    costs no more than one of ten.
    """
    tasks: Counter[str] = Counter()
    for prefix in scheduler.task_prefixes.values():
        tasks.update(prefix.states)
    del tasks["forgotten"]
    workers = sorted(scheduler.workers.values(), key=lambda worker: str(worker.name))
    drains: Drains | None = scheduler.extensions.get("dask_cluster_drain")
    scaler = scheduler.extensions.get("dask_cluster_scaler")
    return {
        "scheduler": scheduler.address,
        "dashboard": _dashboard(scheduler),
        "id": str(scheduler.id),
        "identity": own_identity(),
        "workers": [_describe_worker(worker, drains) for worker in workers],
        "tasks": dict(sorted(tasks.items())),
        # Dask keeps a client of its own name for work that outlives its submitter.
        "clients": len(scheduler.clients.keys() - {"fire-and-forget"}),
        "fleet": scaler.describe() if scaler else None,
        "counters": _counters(),
    }


def _counters() -> dict[str, float]:
    """Return our counters of the scheduler's `/metrics`, by name and label."""
    # On the scheduler, where both are loaded.
    from prometheus_client import Counter  # noqa: PLC0415

    from dask_node import metrics  # noqa: PLC0415

    ours = [metric for metric in vars(metrics).values() if isinstance(metric, Counter)]
    samples = [
        sample for counter in ours for family in counter.collect() for sample in family.samples
    ]
    return {
        " ".join([s.name.removeprefix(METRICS).removesuffix("_total"), *s.labels.values()]): s.value
        for s in samples
        if s.name.endswith("_total")
    }


def _describe_worker(worker: WorkerState, drains: Drains | None) -> WorkerReport:
    return {
        "name": str(worker.name),
        "address": worker.address,
        "host": worker.host,
        "pid": worker.pid,
        "nanny": worker.nanny,
        "status": worker.status.name,
        "nthreads": worker.nthreads,
        "memory_limit": worker.memory_limit,
        "memory_used": int(worker.metrics.get("memory", 0)),
        "resources": dict(worker.resources),
        "processing": len(worker.processing),
        # The key under which dask_node.identity leaves it.
        "identity": worker.extra.get("dask_cluster_environment"),
        "clock_ahead": -worker.time_delay,
        "draining": _describe_drain(worker, drains),
    }


def _describe_drain(worker: WorkerState, drains: Drains | None) -> DrainReport | None:
    drain = drains.going.get(str(worker.name)) if drains else None
    if drains is None or drain is None:
        return None
    held = drains.at_risk([worker])
    return {
        "reason": drain.reason,
        "phase": drain.phase,
        "seconds": monotonic() - drain.began,
        "limit": drain.seconds,
        "results": len(held),
        "bytes": sum(task.nbytes for task in held),
    }


def _dashboard(scheduler: Scheduler) -> str | None:
    """Return the dashboard's address, or None where it is off."""
    from distributed import comm, utils  # noqa: PLC0415  # on the scheduler, where it is loaded

    service = scheduler.services.get("dashboard")
    if service is None:
        return None
    host = comm.get_address_host(scheduler.address)  # type: ignore[attr-defined]
    return str(utils.format_dashboard_link(host, service.port))


def _ask(seconds: float) -> dict[str, Any]:
    """Return the scheduler's report.

    Raises:
        OSError: Nobody answers at the configured address within `seconds`.
        LookupError: No address is configured, or its scheduler is not one of ours.
    """
    # Dask takes half a second to import, and help needs none of it.
    import dask.config  # noqa: PLC0415
    from distributed.security import Security  # noqa: PLC0415

    from dask_node.wire import ask  # noqa: PLC0415

    address = dask.config.get("scheduler-address", None)
    if not address:
        raise LookupError("No scheduler address is configured (DASK_SCHEDULER_ADDRESS).")
    security = Security()
    answer = asyncio.run(ask(address, REPORT_OPERATION, security, seconds=seconds))
    if answer is None:
        raise LookupError(f"The scheduler at {address} lacks the preload dask_node.identity.")
    return dict(answer)


def main(arguments: list[str] | None = None) -> int:
    """Print the report, or `{"error": ...}`; return the exit code, 0 or 1."""
    parser = argparse.ArgumentParser(prog="python -m dask_node.report", description=__doc__)
    parser.add_argument(
        "--timeout", type=float, default=5, help="seconds to wait for an answer (default: 5)"
    )
    seconds: float = parser.parse_args(arguments).timeout
    try:
        answer = _ask(seconds)
    except Exception as error:  # noqa: BLE001  # whatever it is, the caller reads JSON
        answer = {"error": str(error) or type(error).__name__}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main())
