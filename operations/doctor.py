"""What may be wrong with a cluster, looked at one thing at a time."""

from __future__ import annotations

import datetime as dt
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operations.view import View

LAST_LINES = 8
FREE_DISK = 2**30


def findings(outputs: dict[str, Any], view: View) -> Iterator[tuple[bool, str]]:
    """Yield each check of a cluster: whether it is well, and a line that says what was seen."""
    yield from _supervisor(view)
    yield from _ports(outputs)
    yield from _environments(outputs, view)
    yield _certificates(outputs)
    yield _disk(outputs)


def _supervisor(view: View) -> Iterator[tuple[bool, str]]:
    if not view.supervisor:
        yield False, "supervisor: gone. `up` puts it back."
    for process in view.processes:
        tail = "" if process.well else _tail(process.log)
        yield process.well, f"process {process.name}: {process.state}{tail}"


def _tail(log: str) -> str:
    path = Path(log)
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return "".join(f"\n      {line}" for line in [f"last lines of {log}:", *lines[-LAST_LINES:]])


def _ports(outputs: dict[str, Any]) -> Iterator[tuple[bool, str]]:
    for name in ("scheduler_address", "dashboard"):
        address = urlsplit(outputs[name])
        try:
            socket.create_connection((address.hostname, address.port), timeout=3).close()
        except OSError as error:
            yield False, f"port {address.port} ({name}): {error.strerror or error}"
        else:
            yield True, f"port {address.port} ({name}): open on {address.hostname}"


def _environments(outputs: dict[str, Any], view: View) -> Iterator[tuple[bool, str]]:
    if view.error:
        yield False, f"scheduler: {view.error}"
        return
    members = {w["name"]: w["identity"] for w in view.report["workers"]}
    members["scheduler"] = view.report["identity"]
    wrong = [name for name, identity in members.items() if identity != outputs["environment"]]
    same = f"the same on all {len(members)} processes"
    yield (
        not wrong,
        f"environment {outputs['environment']}: "
        + (f"another one on {', '.join(wrong)}" if wrong else same),
    )


def _certificates(outputs: dict[str, Any]) -> tuple[bool, str]:
    left = dt.datetime.fromisoformat(outputs["certificates_expire"]) - dt.datetime.now(dt.UTC)
    return left.days > 0, f"certificates: {left.days} days left; `up` renews them in the last 30"


def _disk(outputs: dict[str, Any]) -> tuple[bool, str]:
    free = shutil.disk_usage(outputs["folder"]).free
    return free > FREE_DISK, f"disk of {outputs['folder']}: {free / 2**30:.1f} GiB free"
