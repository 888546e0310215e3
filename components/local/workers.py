"""A worker group of a local cluster: any number of workers as one resource."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault

import pulumi
from pulumi import dynamic

from components.local.process_table import ProcessTable, Program, Restarts
from components.local.scheduler import identity

START_SECONDS = 90


class LocalWorkers(dynamic.Resource, module="local", name="Workers"):
    """``count`` nannies with their worker processes, named ``<group>-<n>``, all alike.

    Another count is an update that leaves the remaining processes alone. Another command or
    fingerprint is an update that starts them all anew. Created, or updated, when every worker
    has registered with the scheduler.
    """

    count: pulumi.Output[int]

    def __init__(
        self,
        name: str,
        *,
        folder: pulumi.Input[str],
        count: int,
        processes: int,
        command: pulumi.Input[list[str]],
        environment: pulumi.Input[str],
        fingerprint: pulumi.Input[str],
        dashboard: pulumi.Input[str],
        scheduler: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Start the workers.

        Args:
            name: Name of the resource and of the group.
            folder: The cluster's folder, with a supervisor in it.
            count: How many workers (nannies).
            processes: Dask worker processes under each nanny.
            command: ``dask worker ...`` without its name; ``{name}`` stands for it.
            environment: Identity of the environment.
            fingerprint: Of everything that the process reads when it starts.
            dashboard: Address of the scheduler's dashboard, where registrations show.
            scheduler: Generation of the scheduler: with another one, workers register again.
            opts: Resource options.
        """
        props = {
            "group": name,
            "folder": folder,
            "count": count,
            "processes": processes,
            "command": command,
            "environment": environment,
            "fingerprint": fingerprint,
            "dashboard": dashboard,
            "scheduler": scheduler,
        }
        super().__init__(_WorkersProvider(), name, props, opts)


class _WorkersProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        changed = [key for key in news if key != "__provider" and olds.get(key) != news[key]]
        moved = [key for key in changed if key in ("group", "folder")]
        return dynamic.DiffResult(changes=bool(changed), replaces=moved, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        table = ProcessTable(Path(props["folder"]))
        try:
            _apply(table, props)
        except Exception:
            with contextlib.suppress(OSError, Fault):  # the supervisor may be what failed
                table.end(props["group"])
            raise
        return dynamic.CreateResult(id_=props["group"], outs=props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        _apply(ProcessTable(Path(news["folder"])), news)
        return dynamic.UpdateResult(outs=news)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        table = ProcessTable(Path(props["folder"]))
        if not table.alive():
            return dynamic.ReadResult(id_="", outs={})
        # One that was started with other settings, by an `up` that was killed, does not count.
        seen = props | {"count": len(table.kept(props["group"], _programs(props)))}
        return dynamic.ReadResult(id_=id_, outs=seen, inputs=seen)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        table = ProcessTable(Path(props["folder"]))
        if table.alive():
            table.end(props["group"])


def _programs(props: dict[str, Any]) -> dict[str, Program]:
    """Return the wanted lines of the process table, by the name of the worker."""
    environment = {
        "DASK_CLUSTER_ENVIRONMENT": props["environment"],
        # A process with other certificates or another configuration is another process.
        "DASK_CLUSTER_FINGERPRINT": props["fingerprint"],
    }
    programs = {}
    for n in range(int(props["count"])):
        place = f"{props['group']}-{n}"
        # With several processes Dask itself appends `-<n>` to the name.
        name = place if int(props["processes"]) > 1 else f"{place}-0"
        command = [part.replace("{name}", name) for part in props["command"]]
        programs[place] = Program(command, environment)
    return programs


def _apply(table: ProcessTable, props: dict[str, Any]) -> None:
    """Change the process table, and wait until every worker has registered."""
    group, programs = props["group"], _programs(props)
    table.apply(group, programs)
    wanted = {f"{place}-{n}" for place in programs for n in range(int(props["processes"]))}
    deadline, restarts = time.monotonic() + START_SECONDS, Restarts()
    while missing := wanted - _registered(props["dashboard"]):
        flapping = restarts.flapping(table.states(group))
        if flapping or time.monotonic() > deadline:
            place = flapping or min(missing).rpartition("-")[0]
            what = f"{len(missing)} of {len(wanted)} workers did not register with the scheduler"
            raise table.failure(place, what)
        time.sleep(0.1)


def _registered(dashboard: str) -> set[str]:
    workers = (identity(dashboard) or {"workers": {}})["workers"]
    return {worker["name"] for worker in workers.values()}
