"""What may be wrong with a cluster, looked at one thing at a time."""

from __future__ import annotations

import datetime as dt
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from components.local.machine import machine_memory
from operations import log_signs, report_checks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operations.view import View

LAST_LINES = 8
GIB = 2**30
FREE_DISK = GIB
FLAPPING = dt.timedelta(minutes=10)
MOST_STARTS = 3
RECENT = dt.timedelta(hours=1)


def findings(outputs: dict[str, Any], view: View) -> Iterator[tuple[bool, str]]:
    """Yield each check of a cluster: whether it is well, and a line that says what was seen."""
    yield from _supervisor(view)
    yield _flapping(outputs)
    yield from _ports(outputs, view)
    yield _environments(outputs, view)
    yield report_checks.clocks(view.report)
    yield _memory(view)
    yield report_checks.certificates(outputs)
    yield _disk(outputs)
    yield from _logs(outputs)


def _supervisor(view: View) -> Iterator[tuple[bool, str]]:
    if not view.supervisor:
        yield False, "supervisor: gone. `up` puts it back."
    for process in view.processes:
        well = process not in view.amiss
        yield well, f"process {process.name}: {process.state}{'' if well else _tail(process.log)}"


def _flapping(outputs: dict[str, Any]) -> tuple[bool, str]:
    """A process that is up at this moment may have been started again and again."""
    log = Path(outputs["folder"]) / "logs" / "supervisord.log"
    counts = log_signs.starts(log, since=_local_time() - FLAPPING)
    often = [f"{name} ({n} times)" for name, n in counts.items() if n > MOST_STARTS]
    minutes = FLAPPING.seconds // 60
    if not often:
        return True, f"restarts: none started more than {MOST_STARTS} times in {minutes} minutes"
    tails = "".join(_tail(str(log.with_name(f"{name.split()[0]}.log"))) for name in often)
    return (
        False,
        f"restarts: started again and again in {minutes} minutes: {', '.join(often)}{tails}",
    )


def _tail(log: str) -> str:
    path = Path(log)
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return "".join(f"\n      {line}" for line in [f"last lines of {log}:", *lines[-LAST_LINES:]])


def _ports(outputs: dict[str, Any], view: View) -> Iterator[tuple[bool, str]]:
    for name in ("scheduler_address", "dashboard"):
        address = urlsplit(outputs[name])
        wrong = _unreachable(outputs[name])
        where = f"port {address.port} ({name})"
        yield not wrong, f"{where}: {wrong or f'open on {address.hostname}'}"
    addresses = {
        f"{worker['name']}{kind}": worker[key]
        for worker in view.report.get("workers", [])
        for kind, key in (("", "address"), (" (nanny)", "nanny"))
        if worker[key]
    }
    closed = {name: wrong for name, url in addresses.items() if (wrong := _unreachable(url))}
    said = ", ".join(f"{name} at {addresses[name]}: {wrong}" for name, wrong in closed.items())
    yield not closed, f"ports of workers: {said or f'all {len(addresses)} open'}"


def _unreachable(url: str) -> str:
    """Return why nobody answers at an address, or nothing."""
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname, address.port), timeout=3).close()
    except OSError as error:
        return str(error.strerror or error)
    return ""


def _environments(outputs: dict[str, Any], view: View) -> tuple[bool, str]:
    if view.error:
        return False, f"scheduler: {view.error}"
    return report_checks.environments(outputs, view.report)


def _memory(view: View) -> tuple[bool, str]:
    limits = sum(worker["memory_limit"] for worker in view.report.get("workers", []))
    there = machine_memory()
    text = (
        f"memory: the workers may use {limits / GIB:.2f} GiB of the machine's {there / GIB:.2f} GiB"
    )
    return limits <= there, text if limits <= there else f"{text}. Lower `workers` or `memory`."


def _local_time() -> dt.datetime:
    return dt.datetime.now()  # noqa: DTZ005  # as supervisord and Dask write it into their logs


def _logs(outputs: dict[str, Any]) -> Iterator[tuple[bool, str]]:
    folder = Path(outputs["folder"]) / "logs"
    signs = list(log_signs.found(folder, since=_local_time() - RECENT))
    for sign, count, path, line in signs:
        said = f"logs: {sign.meaning} ({count} lines in the last hour). {sign.remedy}"
        yield False, f"{said}\n      {path}: {line.strip()}"
    if not signs:
        yield True, f"logs: without a known sign of trouble in the last hour: {folder}"


def _disk(outputs: dict[str, Any]) -> tuple[bool, str]:
    free = shutil.disk_usage(outputs["folder"]).free
    return free > FREE_DISK, f"disk of {outputs['folder']}: {free / 2**30:.1f} GiB free"
