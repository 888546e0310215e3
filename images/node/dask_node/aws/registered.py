"""Preload of scheduler and workers: who has registered, for whoever waits for it outside.

A worker says in its registration which group it is of. The scheduler writes into a parameter of
Systems Manager how many instances of each group have come: whoever runs `pulumi up` can read that
without a way into the network. It also sends a heartbeat, of whose absence an alarm tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections import defaultdict
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from dask_node.aws.clients import calling, client, place
from dask_node.environment import own_identity
from dask_node.fleet import FLEET_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from distributed import Scheduler, Worker

logger = logging.getLogger("distributed.dask_node.aws")

EXTENSION = "dask_cluster_registered"
FIELD = "dask_cluster_group"
GROUP_VARIABLE = "DASK_CLUSTER_GROUP"
INSTANCE_VARIABLE = "DASK_CLUSTER_PLACE"
# A parameter takes few changes a second, and nobody is in a hurry.
LOOK_SECONDS = 5.0
HEARTBEAT_SECONDS = 60.0
NAMESPACE, METRIC = "DaskCluster", "Heartbeat"


class Registered:
    """Tells AWS about a scheduler, as long as it lives.

    Args:
        scheduler: Whose workers are counted.
        fleet: `aws:<region>/<cluster>`.
        look: Seconds between two looks; at most one of them writes.
        beat: Seconds between two heartbeats.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        fleet: str,
        *,
        look: float = LOOK_SECONDS,
        beat: float = HEARTBEAT_SECONDS,
    ) -> None:
        self.scheduler = scheduler
        self.region, self.cluster = place(fleet)
        self.look = look
        self.beat = beat
        self._started = _now()
        self._written: dict[str, int] | None = None
        self._beaten = -beat
        self._clients: dict[str, Any] = {}
        self._complaints: set[str] = set()  # each is logged once
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Run in the scheduler's own loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def end(self) -> None:
        """Say nothing more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def workers(self) -> dict[str, int]:
        """Return how many instances of each group have a registered worker process."""
        places: defaultdict[str, set[str]] = defaultdict(set)
        for worker in self.scheduler.workers.values():
            group = worker.extra.get(FIELD)
            if group:
                places[group].add(str(worker.name).rpartition("-")[0])
        return {group: len(found) for group, found in sorted(places.items())}

    async def _run(self) -> None:
        while True:
            await self._try(self._write_changes())
            await self._try(self._beat_in_time())
            await asyncio.sleep(self.look)

    async def _try(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something now; it is tried again at the next look."""
        try:
            await work
        except Exception as error:  # without a heartbeat an alarm stops all workers
            said = str(error) if isinstance(error, OSError) else repr(error)
            if said not in self._complaints:
                # Of a refusal AWS's own sentence says it all.
                logger.log(logging.ERROR, said, exc_info=not isinstance(error, OSError))
            self._complaints.add(said)

    async def _write_changes(self) -> None:
        counts = self.workers()
        if counts != self._written:
            await asyncio.to_thread(self._write, counts)
            self._written = counts

    async def _beat_in_time(self) -> None:
        if monotonic() >= self._beaten + self.beat:
            await asyncio.to_thread(self._heartbeat)
            self._beaten = monotonic()

    def _write(self, counts: dict[str, int]) -> None:
        value = {
            "scheduler": os.environ.get(INSTANCE_VARIABLE, ""),
            "environment": own_identity(),
            "started": self._started,
            "workers": counts,
            "at": _now(),
        }
        with calling("saying who has registered"):
            self._api("ssm").put_parameter(
                Name=f"/dask-cluster/{self.cluster}/registered",
                Value=json.dumps(value),
                Overwrite=True,
            )

    def _heartbeat(self) -> None:
        cluster = [{"Name": "Cluster", "Value": self.cluster}]
        with calling("sending a heartbeat"):
            self._api("cloudwatch").put_metric_data(
                Namespace=NAMESPACE,
                MetricData=[{"MetricName": METRIC, "Dimensions": cluster, "Value": 1.0}],
            )

    def _api(self, service: str) -> Any:  # noqa: ANN401  # boto3 makes its classes at run time
        if service not in self._clients:
            self._clients[service] = client(service, self.region)
        return self._clients[service]


def dask_setup(server: Scheduler | Worker) -> None:
    """Install our part into a scheduler or a worker; Dask calls this as each of them starts."""
    if hasattr(server, "startup_information"):
        server.startup_information[FIELD] = lambda _: os.environ.get(GROUP_VARIABLE)
        return
    server.extensions[EXTENSION] = ours = Registered(server, os.environ.get(FLEET_VARIABLE, ""))
    ours.begin()


async def dask_teardown(server: Scheduler | Worker) -> None:
    """End with the scheduler."""
    ours: Registered | None = server.extensions.get(EXTENSION)
    if ours is not None:
        await ours.end()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
