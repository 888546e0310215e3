"""The process table of a local cluster: what supervisord keeps running, and how it is changed."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from xmlrpc.client import Fault, ServerProxy, Transport

from supervisor.states import ProcessStates

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SOCKET = "supervisor.sock"
ANSWER_SECONDS = 10  # a supervisor that is stopped or swapped out must not hang its caller
NO_WAIT = False
LAST_LINES = 20
STOP_SECONDS = 15  # a nanny gives a running task 8 s on SIGTERM; killed after that
RUNNING = (ProcessStates.STARTING, ProcessStates.RUNNING, ProcessStates.BACKOFF)
STOPPED = (ProcessStates.STOPPED, ProcessStates.EXITED, ProcessStates.FATAL)

# Dask's processes end with code 0 when their scheduler goes away, so every end is followed by a
# start. The pause before a start grows by a second each time; after 10 quick ends it is given up.
_PROGRAM = """\
[program:{name}]
command={command}
environment={environment}
autorestart=true
startsecs=3
startretries=10
stopsignal=TERM
stopwaitsecs={stop}
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
"""


@dataclass(frozen=True)
class Program:
    """One line of the process table.

    Attributes:
        command: The program and its arguments.
        environment: Variables on top of those of the supervisor.
    """

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


# Pulumi may change two groups at once, from two threads of one provider.
_CHANGING = threading.Lock()


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


class ProcessTable:
    """The process table of the cluster in ``folder``, through supervisord's socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        proxy = ServerProxy("http://localhost", transport=_SocketTransport(folder / SOCKET))
        self._rpc: Any = proxy.supervisor

    def alive(self) -> bool:
        """Say whether a supervisor answers that is not about to end."""
        return self._state() == "RUNNING"

    def states(self, group: str | None = None) -> dict[str, dict[str, Any]]:
        """Return supervisord's record (``state``, ``pid``, ``start`` ...) of each process by name.

        Args:
            group: Only the processes of this group.
        """
        rows = {row["name"]: row for row in self._rpc.getAllProcessInfo()}
        return {n: r for n, r in rows.items() if group is None or n in self._configured(group)}

    def kept(self, group: str, programs: Mapping[str, Program]) -> set[str]:
        """Return the names whose process runs, or is being started, as ``programs`` says it."""
        rows = self.states(group)
        folder = self.folder / "programs" / group
        return {
            name
            for name, program in programs.items()
            if name in rows
            and rows[name]["state"] in RUNNING
            and (folder / f"{name}.conf").read_text() == _text(name, program, self.log(name))
        }

    def apply(self, group: str, programs: Mapping[str, Program]) -> None:
        """Make the processes of a group be exactly ``programs``.

        A process whose line did not change keeps running, whatever happens to the others.

        Args:
            group: A set of processes that is changed together.
            programs: Wanted lines by process name; an empty mapping ends the group.
        """
        wanted = {name: _text(name, program, self.log(name)) for name, program in programs.items()}
        with _CHANGING:
            self._stop(self._configured(group) - wanted.keys())
            self._write(group, wanted)
            [[added, changed, removed]] = self._rpc.reloadConfig()
            rolled = wanted.keys() & set(changed)
            # What is in no file any more belongs to nobody, even if a killed run left it here.
            self._stop({*removed, *rolled})
            for name in (*removed, *rolled):
                self._rpc.removeProcessGroup(name)
            for name in rolled | (wanted.keys() & set(added)):
                self._rpc.addProcessGroup(name)
            for name, row in self.states(group).items():
                if row["state"] in STOPPED:
                    self._rpc.startProcess(name, NO_WAIT)

    def end(self, group: str) -> None:
        """End a whole group at once: where nothing is left to save there is nothing to wait for."""
        for row in self.states(group).values():
            if row["state"] in RUNNING:
                self._rpc.stopProcess(row["name"], NO_WAIT)
            if row["pid"]:
                with contextlib.suppress(ProcessLookupError):
                    # supervisord makes each program the leader of a process group.
                    os.killpg(row["pid"], signal.SIGKILL)
        self.apply(group, {})

    def shut_down(self) -> None:
        """End all processes and the supervisor, and wait until it does not answer any more."""
        self._rpc.shutdown()
        deadline = time.monotonic() + STOP_SECONDS + 5
        while self._state() is not None and time.monotonic() < deadline:
            time.sleep(0.05)

    def _state(self) -> str | None:
        """Return the supervisor's own state, or None if none answers."""
        try:
            return str(self._rpc.getState()["statename"])
        except (OSError, Fault):
            return None

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self.folder / "logs" / f"{name}.log"

    def failure(self, name: str, what: str) -> RuntimeError:
        """Return an error for a process: its most telling line, and the last of its log."""
        log = self.log(name)
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        said = [line for line in lines if re.match(r"[\w.]*(Error|Exception): ", line)]
        reason = f": {said[-1]}" if said else ""
        tail = "".join(f"\n  | {line}" for line in lines[-LAST_LINES:])
        return RuntimeError(f"{what}{reason}\nThe last lines of {log}:{tail}")

    def _configured(self, group: str) -> set[str]:
        return {path.stem for path in (self.folder / "programs" / group).glob("*.conf")}

    def _write(self, group: str, wanted: Mapping[str, str]) -> None:
        folder = self.folder / "programs" / group
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in self._configured(group) - wanted.keys():
            (folder / f"{name}.conf").unlink()
        for name, text in wanted.items():
            draft = folder / f"{name}.draft"
            draft.write_text(text)
            draft.replace(folder / f"{name}.conf")

    def _stop(self, names: set[str]) -> None:
        """Stop processes, all at the same time, and wait for the last."""
        rows = self.states()
        for name in names & rows.keys():
            if rows[name]["state"] in RUNNING:
                self._rpc.stopProcess(name, NO_WAIT)
        deadline = time.monotonic() + STOP_SECONDS + 5
        while left := [
            n for n, r in self.states().items() if n in names and r["state"] not in STOPPED
        ]:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{', '.join(left)}: not ended after {STOP_SECONDS} s.")
            time.sleep(0.05)


class Restarts:
    """Counts how often each process was started while somebody waits for it.

    supervisord would go on for a minute; a person who waits wants to know at the third end.
    """

    MOST = 3

    def __init__(self) -> None:
        self._starts: dict[str, set[int]] = {}

    def flapping(self, rows: Mapping[str, dict[str, Any]]) -> str | None:
        """Take note of the process table; return a name that was started too often."""
        for name, row in rows.items():
            starts = self._starts.setdefault(name, set())
            starts.add(row["start"])
            if len(starts) > self.MOST or row["state"] == ProcessStates.FATAL:
                return name
        return None


def _text(name: str, program: Program, log: Path) -> str:
    pairs = (f'{key}="{value}"' for key, value in program.environment.items())
    return _PROGRAM.format(
        name=name,
        command=_escaped(shlex.join(program.command)),
        environment=_escaped(",".join(pairs)),
        stop=STOP_SECONDS,
        log=log,
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
