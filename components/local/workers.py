"""A worker group of a local cluster: any number of workers as one resource."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pulumi
from pulumi import dynamic

from components.local.process_table import RUNNING, ProcessTable, Program
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
            table.apply(props["group"], {})
            raise
        return dynamic.CreateResult(id_=props["group"], outs=props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        _apply(ProcessTable(Path(news["folder"])), news)
        return dynamic.UpdateResult(outs=news)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        table = ProcessTable(Path(props["folder"]))
        if not table.alive():
            return dynamic.ReadResult(id_="", outs={})
        rows = table.states(props["group"]).values()
        seen = props | {"count": sum(row["state"] in RUNNING for row in rows)}
        return dynamic.ReadResult(id_=id_, outs=seen, inputs=seen)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        table = ProcessTable(Path(props["folder"]))
        if table.alive():
            table.end(props["group"])


def _apply(table: ProcessTable, props: dict[str, Any]) -> None:
    group, processes = props["group"], int(props["processes"])
    places = [f"{group}-{n}" for n in range(int(props["count"]))]
    environment = {
        "DASK_CLUSTER_ENVIRONMENT": props["environment"],
        # A process with other certificates or another configuration is another process.
        "DASK_CLUSTER_FINGERPRINT": props["fingerprint"],
    }
    programs = {}
    for place in places:
        # With several processes Dask itself appends `-<n>` to the name.
        name = place if processes > 1 else f"{place}-0"
        programs[place] = Program(
            [part.replace("{name}", name) for part in props["command"]], environment
        )
    table.apply(group, programs)
    wanted = {f"{place}-{n}" for place in places for n in range(processes)}
    _wait_until_registered(table, group, wanted, props["dashboard"])


def _wait_until_registered(
    table: ProcessTable, group: str, wanted: set[str], dashboard: str
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        workers = (identity(dashboard) or {"workers": {}})["workers"].values()
        missing = wanted - {worker["name"] for worker in workers}
        if not missing:
            return
        fatal = [n for n, row in table.states(group).items() if row["statename"] == "FATAL"]
        if fatal or time.monotonic() > deadline:
            place = fatal[0] if fatal else min(missing).rpartition("-")[0]
            raise RuntimeError(
                f"{len(missing)} of {len(wanted)} workers did not register with the scheduler. "
                f"The last lines of {place} ({table.log(place)}):\n{table.last_lines(place)}"
            )
        time.sleep(0.1)
