"""The process table of a local cluster: what supervisord keeps running, and how it is changed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xmlrpc.client import Fault

from supervisor.states import ProcessStates

from components.local import private_file, supervisor_rpc

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

NO_WAIT = False
LAST_LINES = 20
STOP_SECONDS = 15  # killed this long after SIGTERM, if its program says no other time
RUNNING = (ProcessStates.STARTING, ProcessStates.RUNNING, ProcessStates.BACKOFF)
STOPPED = (ProcessStates.STOPPED, ProcessStates.EXITED, ProcessStates.FATAL)

# Nothing starts by itself: `apply` and the scaler say what is to run. What ends is started again,
# and stays down only after code 0, where the program means by it that it was told to end. The pause
# before a start grows by a second each time; after 10 quick ends it is given up.
_PROGRAM = """\
[program:{name}]
command={command}
environment={environment}
autostart=false
autorestart={restart}
exitcodes=0
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
        stop_seconds: Killed this long after SIGTERM.
        ends: Whether it stays down after ending with code 0.
    """

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    stop_seconds: int = STOP_SECONDS
    ends: bool = False


# Pulumi may change two groups at once, from two threads of one provider.
_CHANGING = threading.Lock()


class ProcessTable:
    """The process table of the cluster in ``folder``, through supervisord's socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._proxy = supervisor_rpc.connect(folder)
        self._rpc: Any = self._proxy.supervisor

    def close(self) -> None:
        """Close the connection; for processes that live on."""
        self._proxy("close")()

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

    def outdated(self, group: str, programs: Mapping[str, Program]) -> set[str]:
        """Return the names in ``programs`` whose process runs, but not as they say it."""
        return self.running(group) & programs.keys() - self.kept(group, programs)

    def running(self, group: str) -> set[str]:
        """Return the names of a group's processes that run, or are being started."""
        return {name for name, row in self.states(group).items() if row["state"] in RUNNING}

    def apply(
        self,
        group: str,
        programs: Mapping[str, Program],
        *,
        start: Collection[str] | None = None,
        hold: Collection[str] = (),
    ) -> None:
        """Make the lines of a group be exactly ``programs``, and start what is to run.

        A process whose line did not change keeps running, whatever happens to the others. Those
        that go, or change, are told to end all at the same time, and their end is awaited.

        Args:
            group: A set of processes that is changed together.
            programs: Wanted lines by process name; an empty mapping ends the group.
            start: Names that are to run; by default all. The others are left as they are.
            hold: Names whose line is not touched this time.
        """
        lines = {n: _text(n, p, self.log(n)) for n, p in programs.items() if n not in hold}
        with _CHANGING:
            self._stop(self._configured(group) - programs.keys(), "fewer workers in the stack file")
            self._write(group, lines, gone=self._configured(group) - programs.keys())
            [[added, changed, removed]] = self._rpc.reloadConfig()
            rolled = lines.keys() & set(changed)
            # What is in no file any more belongs to nobody, even if a killed run left it here.
            self._stop({*removed, *rolled}, "other settings in the stack file")
            for name in (*removed, *rolled):
                self._rpc.removeProcessGroup(name)
            for name in rolled | (lines.keys() & set(added)):
                self._rpc.addProcessGroup(name)
            self.start(group, programs.keys() if start is None else start)

    def start(self, group: str, names: Collection[str]) -> None:
        """Start those of a group's processes that are down."""
        for name, row in self.states(group).items():
            if name in names and row["state"] in STOPPED:
                self._notice(name).unlink(missing_ok=True)
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

    def _write(self, group: str, lines: Mapping[str, str], gone: Collection[str]) -> None:
        folder = self.folder / "programs" / group
        for name in gone:
            (folder / f"{name}.conf").unlink()
        for name, text in lines.items():
            private_file.write(folder / f"{name}.conf", text)

    def _notice(self, name: str) -> Path:
        """Return the file in which a process that is told to end finds the reason."""
        return self.folder / "fleet" / "notices" / f"{name}.json"

    def _stop(self, names: set[str], reason: str) -> None:
        """Stop processes, all at the same time, and wait for the last.

        There is no limit: the supervisor kills what has not ended in its time, and a supervisor
        that does not answer is an error of its own.
        """
        rows = self.states()
        for name in names & rows.keys():
            if rows[name]["state"] in RUNNING:
                private_file.write(self._notice(name), json.dumps({"reason": reason}))
                self._rpc.stopProcess(name, NO_WAIT)
        while any(n in names and r["state"] not in STOPPED for n, r in self.states().items()):
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
    # Sorted: Pulumi keeps no order of keys, and another order is no other process.
    pairs = (f'{key}="{value}"' for key, value in sorted(program.environment.items()))
    return _PROGRAM.format(
        name=name,
        command=_escaped(shlex.join(program.command)),
        environment=_escaped(",".join(pairs)),
        restart="unexpected" if program.ends else "true",
        stop=program.stop_seconds,
        log=log,
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
