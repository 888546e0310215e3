"""The fleet on one machine: places are rows in the process table of a supervisord.

The cluster's folder holds `fleet/cluster.json`, `fleet/<group>.json` and `supervisor.sock`. Every
place that a group may have is configured, and not started by itself; a row is named
`<group>-<number>`.
"""

from __future__ import annotations

import asyncio
import json
import socket
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xmlrpc.client import Error, Fault, ServerProxy, Transport

import dask.config
import distributed  # noqa: F401  # brings the defaults of the settings read here
from dask.utils import parse_timedelta

from dask_node.fleet import Group, Places, State

if TYPE_CHECKING:
    from collections.abc import Collection

ANSWER_SECONDS = 10
NO_WAIT = False

# supervisord's states of a process (supervisor/states.py): what each means to the scaler.
_KINDS = {
    0: "startable",  # STOPPED
    10: "running",  # STARTING
    20: "running",  # RUNNING
    30: "running",  # BACKOFF: it ended, and is started again after a pause
    40: "stopping",  # STOPPING
    100: "startable",  # EXITED
    200: "failed",  # FATAL: it ended too often
}
# supervisord's faults (supervisor/xmlrpc.py) that say: the row changed since it was looked at, or
# its next state tells what is wrong.
_HARMLESS = {
    10,  # BAD_NAME
    50,  # SPAWN_ERROR
    60,  # ALREADY_STARTED
    70,  # NOT_RUNNING
}


class LocalFleet:
    """The places in the process table of the cluster in a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.interval = float(parse_timedelta(dask.config.get("distributed.adaptive.interval")))

    async def look(self) -> State:
        """Return how things are; a group whose file is not there yet is left out."""
        return await asyncio.to_thread(self._look)

    async def start(self, group: str, count: int) -> None:
        """Start the rows with the lowest numbers, first those that did not fail."""
        await asyncio.to_thread(self._start, group, count)

    async def stop(self, group: str, places: Collection[str], reason: str) -> None:
        """Stop rows, with a note for each that says why."""
        del group  # a row's name is enough
        await asyncio.to_thread(self._stop, sorted(places), reason)

    def _look(self) -> State:
        cluster = self._read("cluster") or {"groups": [], "idleStop": None, "noClientStop": None}
        told = {name: self._read(name) for name in cluster["groups"]}
        groups = {name: _group(name, file) for name, file in told.items() if file}
        rows = self._rows() if groups else {}
        return State(
            groups=groups,
            places={name: _places(rows.get(name, {}), name) for name in groups},
            idle_stop=cluster["idleStop"],
            no_client_stop=cluster["noClientStop"],
        )

    def _start(self, group: str, count: int) -> None:
        rows = self._rows().get(group, {})
        order = ("startable", "failed")
        able = [number for number in rows if rows[number] in order]
        able.sort(key=lambda number: (order.index(rows[number]), number))
        for number in able[:count]:
            place = f"{group}-{number}"
            self._notice(place).unlink(missing_ok=True)
            self._call("startProcess", place, NO_WAIT)

    def _stop(self, places: list[str], reason: str) -> None:
        for place in places:
            notice = self._notice(place)
            notice.parent.mkdir(parents=True, exist_ok=True)
            notice.write_text(json.dumps({"reason": reason}))
            self._call("stopProcess", place, NO_WAIT)

    def _rows(self) -> dict[str, dict[int, str]]:
        """Return what each numbered row is good for, by group and number."""
        rows: dict[str, dict[int, str]] = {}
        for row in self._call("getAllProcessInfo"):
            group, _, number = row["name"].rpartition("-")
            if number.isdigit():
                rows.setdefault(group, {})[int(number)] = _KINDS.get(row["state"], "unknown")
        return rows

    def _notice(self, place: str) -> Path:
        return self.folder / "fleet" / "notices" / f"{place}.json"

    def _read(self, name: str) -> dict[str, Any] | None:
        """Return what a file says, or None if it is not there, or not complete."""
        try:
            found: dict[str, Any] = json.loads((self.folder / "fleet" / f"{name}.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return found

    def _call(self, method: str, *arguments: Any) -> Any:  # noqa: ANN401  # as XML-RPC has it
        """Ask the supervisor.

        Raises:
            OSError: It does not answer, or will not do it.
        """
        transport = _SocketTransport(self.folder / "supervisor.sock")
        try:
            with ServerProxy("http://localhost", transport=transport) as proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except Fault as fault:
            if fault.faultCode in _HARMLESS:
                return None
            what = f"The supervisor refuses {method} {arguments}: {fault.faultString}"
            raise OSError(what) from fault
        except (Error, HTTPException) as error:
            raise OSError(f"The supervisor does not answer {method}: {error}") from error


class _SocketConnection(HTTPConnection):
    """HTTP over a unix socket, with a timeout, which supervisor's own transport lacks."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_SECONDS)
        self.sock.connect(str(self._path))


class _SocketTransport(Transport):
    """XML-RPC to a unix socket, whatever the address says."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: tuple[str, dict[str, str]] | str) -> HTTPConnection:
        connection = self._connection[1] or _SocketConnection(self._path)
        self._connection = host, connection
        return connection


def _group(name: str, file: dict[str, Any]) -> Group:
    return Group(
        name=name,
        workers=file["workers"],
        max_workers=file["maxWorkers"],
        processes=file["processes"],
        threads=file["threads"],
        memory=file["memory"],
        resources=file["resources"],
    )


def _places(rows: dict[int, str], group: str) -> Places:
    def named(kind: str) -> frozenset[str]:
        return frozenset(f"{group}-{number}" for number, found in rows.items() if found == kind)

    return Places(running=named("running"), stopping=named("stopping"), failed=named("failed"))
