"""The scheduler of a local cluster: one program of the process table."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault

import pulumi
from pulumi import dynamic

from components.local.process_table import ProcessTable, Program, Restarts

NAME = "scheduler"
START_SECONDS = 60


class LocalScheduler(dynamic.Resource, module="local", name="Scheduler"):
    """A ``dask scheduler`` process that is kept running; any change of it is a replacement.

    Created when it answers. A replacement ends the running work, so it shows as one in a
    preview.
    """

    address: pulumi.Output[str]
    dashboard: pulumi.Output[str]
    generation: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        folder: pulumi.Input[str],
        python: pulumi.Input[str],
        port: int,
        dashboard_port: int,
        environment: pulumi.Input[str],
        fingerprint: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Start the scheduler.

        Args:
            name: Name of the resource.
            folder: The cluster's folder, with a supervisor in it.
            python: The environment's Python.
            port: TCP port of the scheduler, on loopback.
            dashboard_port: TCP port of the dashboard, on loopback.
            environment: Identity of the environment.
            fingerprint: Of everything that the process reads when it starts.
            opts: Resource options.
        """
        props = {
            "folder": folder,
            "python": python,
            "port": port,
            "dashboard_port": dashboard_port,
            "environment": environment,
            "fingerprint": fingerprint,
            "address": None,
            "dashboard": None,
            "generation": None,
        }
        super().__init__(_SchedulerProvider(), name, props, opts)


class _SchedulerProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        inputs = ("folder", "python", "port", "dashboard_port", "environment", "fingerprint")
        changed = [key for key in inputs if olds[key] != news[key]]
        return dynamic.DiffResult(
            changes=bool(changed), replaces=changed, delete_before_replace=True
        )

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        table = ProcessTable(Path(props["folder"]))
        outs = props | {
            "address": f"tls://127.0.0.1:{int(props['port'])}",
            "dashboard": f"http://127.0.0.1:{int(props['dashboard_port'])}",
            # Another scheduler at the same address: the workers have to find it first.
            "generation": secrets.token_hex(4),
        }
        try:
            table.apply(NAME, {NAME: _program(props)})
            _wait_until_up(table, outs["dashboard"])
        except Exception:
            with contextlib.suppress(OSError, Fault):  # the supervisor may be what failed
                table.end(NAME)
            raise
        return dynamic.CreateResult(id_=NAME, outs=outs)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        table = ProcessTable(Path(props["folder"]))
        if not table.alive() or not table.kept(NAME, {NAME: _program(props)}):
            return dynamic.ReadResult(id_="", outs={})
        return dynamic.ReadResult(id_=id_, outs=props)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        table = ProcessTable(Path(props["folder"]))
        if table.alive():
            table.end(NAME)


def _program(props: dict[str, Any]) -> Program:
    command = [props["python"], "-m", "dask", "scheduler", "--protocol", "tls"]
    command += ["--host", "127.0.0.1", "--port", f"{int(props['port'])}"]
    command += ["--dashboard-address", f"127.0.0.1:{int(props['dashboard_port'])}"]
    variables = {
        "DASK_CLUSTER_ENVIRONMENT": props["environment"],
        # Where the scaler finds the groups of workers, and the table that it may change.
        "DASK_CLUSTER_FLEET": props["folder"],
    }
    return Program(command, variables)


# A proxy of the person's shell is not for loopback.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def registered(dashboard: str) -> set[str] | None:
    """Return the names of the workers that a scheduler knows, or None while it does not answer.

    Args:
        dashboard: The dashboard's address; the page is one of ours, `dask_node.roster`.
    """
    try:
        with _DIRECT.open(f"{dashboard}/dask-cluster/workers.json", timeout=5) as answer:
            return set(json.load(answer)["workers"])
    except (OSError, HTTPException, ValueError):
        return None


def _wait_until_up(table: ProcessTable, dashboard: str) -> None:
    deadline, restarts = time.monotonic() + START_SECONDS, Restarts()
    while registered(dashboard) is None:
        if restarts.flapping(table.states(NAME)):
            raise table.failure(NAME, "the scheduler ended again and again")
        if time.monotonic() > deadline:
            raise table.failure(NAME, f"the scheduler did not answer within {START_SECONDS} s")
        time.sleep(0.1)
