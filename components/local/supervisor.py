"""The supervisor of a local cluster (supervisord): the twin of systemd on this machine."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pulumi
from pulumi import dynamic

from components.local import processes
from components.local.process_table import ProcessTable
from components.local.supervisor_rpc import SOCKET

START_SECONDS = 15

# The files of [include] are relative to this one: supervisord splits that line at blanks.
_CONFIGURATION = """\
[unix_http_server]
file={folder}/{socket}
chmod=0600

[supervisord]
directory={folder}
pidfile={folder}/supervisord.pid
logfile={folder}/logs/supervisord.log
logfile_maxbytes=10MB
logfile_backups=1
childlogdir={folder}/logs

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{folder}/{socket}

[include]
files=programs/*/*.conf
"""


class LocalSupervisor(dynamic.Resource, module="local", name="Supervisor"):
    """A supervisord that outlives the command, restarts what ends, and keeps the process table.

    A refresh that finds it gone drops it, and everything under it, from the state; the next
    ``up`` ends what it left running and starts it again.
    """

    folder: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        folder: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(_SupervisorProvider(), name, {"folder": folder}, opts)


class _SupervisorProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        moved = olds["folder"] != news["folder"]
        return dynamic.DiffResult(changes=moved, replaces=["folder"] if moved else [])

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        folder = Path(props["folder"])
        processes.end(folder)  # what an earlier supervisor left when it was killed
        (folder / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "programs").mkdir(mode=0o700, exist_ok=True)
        configuration = folder / "supervisord.conf"
        configuration.write_text(_configuration(folder))
        try:
            _start(folder, configuration)
        except Exception:
            processes.end(folder)
            raise
        return dynamic.CreateResult(id_=str(folder), outs=props)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        if not ProcessTable(Path(props["folder"])).alive():
            return dynamic.ReadResult(id_="", outs={})
        return dynamic.ReadResult(id_=id_, outs=props, inputs=props)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        folder = Path(props["folder"])
        table = ProcessTable(folder)
        if table.alive():
            table.shut_down()
        processes.end(folder, grace=1.0)


def _configuration(folder: Path) -> str:
    return _CONFIGURATION.format(folder=folder, socket=SOCKET)


def _start(folder: Path, configuration: Path) -> None:
    """Start supervisord, which puts itself into the background, and wait until it answers."""
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)]
    done = subprocess.run(
        command,
        env=processes.environment(folder),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        start_new_session=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"supervisord did not start: {(done.stdout + done.stderr).strip()}")
    table = ProcessTable(folder)
    deadline = time.monotonic() + START_SECONDS
    while not table.alive():
        if time.monotonic() > deadline:
            log = folder / "logs" / "supervisord.log"
            raise RuntimeError(f"supervisord does not answer after {START_SECONDS} s. See {log}.")
        time.sleep(0.05)
