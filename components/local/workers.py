"""A worker group of a local cluster: any number of workers as one resource."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault

import pulumi
from pulumi import dynamic

from components.local import private_file
from components.local.process_table import ProcessTable, Program, Restarts
from components.local.scheduler import LocalScheduler, registered

START_SECONDS = 90
# The supervisor kills a worker this long after its drain's deadline: the nanny gives up a
# scheduler that does not answer after 5 s and needs up to 18 s to end a hanging worker.
STOP_SLACK_SECONDS = 30
# A roll takes this part of the workers at a time; the others hold their data meanwhile.
WAVES = 4
CLUSTER_FILE = "fleet/cluster.json"


class LocalWorkers(dynamic.Resource, module="local", name="Workers"):
    """``count`` nannies with their worker processes, named ``<group>-<n>``, all alike.

    Another count is an update that leaves the remaining processes alone; those that go hand over
    their data first. Another command or fingerprint is an update that starts them all anew, a
    quarter at a time. With a ``limit`` the scaler decides how many run, from ``count`` to
    ``limit``, and an update leaves its number alone. Created, or updated, when every worker has
    registered with the scheduler.
    """

    count: pulumi.Output[int]

    def __init__(
        self,
        name: str,
        *,
        folder: pulumi.Input[str],
        count: int,
        limit: int | None,
        layout: dict[str, Any],
        command: pulumi.Input[list[str]],
        variables: pulumi.Input[dict[str, str]],
        drain_seconds: float,
        scheduler: LocalScheduler,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Start the workers.

        Args:
            name: Name of the resource and of the group.
            folder: The cluster's folder, with a supervisor in it.
            count: How many workers (nannies); with a limit, at least.
            limit: How many workers the scaler may have; None: exactly ``count``.
            layout: ``processes`` of a worker; ``threads``, ``memory`` (bytes) and ``resources`` of
                a process. The scaler reads it.
            command: The worker's command without its name; ``{name}`` stands for it.
            variables: Environment variables of each worker.
            drain_seconds: How long a worker that ends may take to hand over its data.
            scheduler: With another one the workers register again.
            opts: Resource options.
        """
        props = {
            "group": name,
            "folder": folder,
            "count": count,
            # Pulumi drops a null, and a diff would not see it come or go.
            "limit": 0 if limit is None else limit,
            "layout": layout,
            # Of those that ought to run; a refresh finds them and the next update starts them.
            "missing": [],
            "command": command,
            "variables": variables,
            "drain_seconds": drain_seconds,
            "dashboard": scheduler.dashboard,
            "scheduler": scheduler.generation,
        }
        super().__init__(_WorkersProvider(), name, props, opts)


class _WorkersProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        changed = [key for key in news if key != "__provider" and olds.get(key) != news[key]]
        moved = [key for key in changed if key in ("group", "folder")]
        return dynamic.DiffResult(changes=bool(changed), replaces=moved, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        group = _Group(props)
        try:
            group.apply()
        except Exception:
            with contextlib.suppress(OSError, Fault):  # the supervisor may be what failed
                group.table.end(group.name)
            raise
        return dynamic.CreateResult(id_=group.name, outs=props)

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        # A new scheduler has no data to save: its workers are started anew all at once.
        _Group(news).apply(at_once=olds["scheduler"] != news["scheduler"])
        return dynamic.UpdateResult(outs=news)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        group = _Group(props)
        if not group.table.alive():
            return dynamic.ReadResult(id_="", outs={})
        seen = props | {"missing": sorted(group.missing())}
        return dynamic.ReadResult(id_=id_, outs=seen, inputs=seen)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        group = _Group(props)
        group.fleet_file.unlink(missing_ok=True)  # the scaler lets go of it
        if not group.table.alive():
            return
        if group.name in group.listed():
            group.table.end(group.name)  # a destroy: nobody is left to want the data
        else:
            group.table.apply(group.name, {})


class _Group:
    """What the process table and the scaler are to hold for one group."""

    def __init__(self, props: dict[str, Any]) -> None:
        self.props = props
        self.name: str = props["group"]
        self.folder = Path(props["folder"])
        self.table = ProcessTable(self.folder)
        self.count = int(props["count"])
        self.limit = int(props["limit"]) or None
        self.processes = int(props["layout"]["processes"])
        self.fleet_file = self.folder / "fleet" / f"{self.name}.json"

    def listed(self) -> list[str]:
        """Return the groups that the stack file has, as its last `up` wrote them down."""
        file = self.folder / CLUSTER_FILE
        groups: list[str] = json.loads(file.read_text())["groups"] if file.exists() else []
        return groups

    def programs(self) -> dict[str, Program]:
        """Return the wanted lines of the process table, by the name of the worker."""
        most = self.count if self.limit is None else self.limit
        return dict(self._program(n) for n in range(most))

    def _program(self, number: int) -> tuple[str, Program]:
        place = f"{self.name}-{number}"
        # With several processes Dask itself appends `-<n>` to the name.
        name = place if self.processes > 1 else f"{place}-0"
        command = [part.replace("{name}", name) for part in self.props["command"]]
        drain = float(self.props["drain_seconds"])
        variables = self.props["variables"] | {
            "DASK_CLUSTER_DRAIN_SECONDS": f"{drain:g}",
            "DASK_CLUSTER_NOTICE": str(self.folder / "fleet" / "notices" / f"{place}.json"),
        }
        return place, Program(command, variables, round(drain) + STOP_SLACK_SECONDS, ends=True)

    def apply(self, *, at_once: bool = False) -> None:
        """Change the process table, and wait until every worker has registered."""
        self._tell_scaler(None)  # hands off, until this is done
        programs = self.programs()
        start = self._to_run(programs)
        rolling = self.table.outdated(self.name, programs)
        if len(rolling) == 1 and start == rolling and not at_once:
            # Somebody has to hold the data of the only worker while it starts anew.
            spare = dict([self._program(len(programs))])
        else:
            spare = {}
        for wave in [set[str](), *_waves(rolling, 1 if at_once else WAVES)]:
            rolling = rolling - wave
            now = start - rolling | spare.keys()
            self.table.apply(self.name, programs | spare, start=now, hold=rolling)
            self._wait(now)
        if spare:
            self.table.apply(self.name, programs, start=start)
        self._tell_scaler(self.limit)

    def missing(self) -> set[str]:
        """Return the names of workers that ought to run as the stack file says it, and do not."""
        programs = self.programs()
        # One that was started with other settings, by an `up` that was killed, does not count.
        return self._to_run(programs) - self.table.kept(self.name, programs)

    def _to_run(self, programs: dict[str, Program]) -> set[str]:
        """Return the names that are to run: all, or as many as the scaler has, and `count`."""
        if self.limit is None:
            return set(programs)
        there = self.table.running(self.name) & programs.keys()
        down = [name for name in programs if name not in there]
        return there | set(down[: max(0, self.count - len(there))])

    def _tell_scaler(self, limit: int | None) -> None:
        size = {"workers": self.count, "maxWorkers": limit}
        private_file.write(self.fleet_file, json.dumps(size | self.props["layout"]))

    def _wait(self, places: set[str]) -> None:
        """Wait until these workers have registered; start those that went down meanwhile."""
        wanted = {f"{place}-{n}" for place in places for n in range(self.processes)}
        deadline, restarts = time.monotonic() + START_SECONDS, Restarts()
        dashboard: str = self.props["dashboard"]
        while missing := wanted - (registered(dashboard) or set()):
            flapping = restarts.flapping(self.table.states(self.name))
            if flapping or time.monotonic() > deadline:
                place = flapping or min(missing).rpartition("-")[0]
                what = (
                    f"{len(missing)} of {len(wanted)} workers did not register with the scheduler"
                )
                raise self.table.failure(place, what)
            self.table.start(self.name, places)
            time.sleep(0.1)


def _waves(names: set[str], count: int) -> list[set[str]]:
    """Split names into at most ``count`` sets, none of them empty."""
    ordered = sorted(names)
    size = -(-len(ordered) // count) if ordered else 1
    return [set(ordered[n : n + size]) for n in range(0, len(ordered), size)]
