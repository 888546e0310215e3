"""What ``up`` and ``status`` show of a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from operations.stacks import COMMAND
from operations.view import NO_FLEET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from operations.view import View

MOST_ROWS = 20  # workers shown one by one; the line below the table counts them all


def show(console: Console, name: str, outputs: dict[str, Any], view: View) -> None:
    """Print a cluster: its addresses, its environment, its workers, and what is wrong with it."""
    console.print()
    wrong = faults(view)
    console.print(f"[bold]Dask cluster {name}[/bold]  {_word(wrong, view)}")
    show_facts(
        console,
        {
            "Scheduler": outputs["scheduler_address"],
            "Dashboard": f"{outputs['dashboard']}/status",
            "Environment": _environment(outputs),
        },
    )
    workers = sorted(view.report.get("workers", []), key=lambda w: _natural(w["name"]))
    if workers:
        console.print()
        console.print(_workers(workers[:MOST_ROWS]))
    console.print(f"  {totals(workers)}")
    for line in happenings(view.report, view.scaled):
        console.print(f"  {line}", markup=False)
    for line in wrong:
        console.print(Text(f"  {line}", style="red"))


def show_facts(console: Console, facts: Mapping[str, str]) -> None:
    """Print a line for each fact, without blanks at its end."""
    width = max(map(len, facts))
    for name, value in facts.items():
        console.print(f"  {name.ljust(width)}  {value}", markup=False)


def show_next(console: Console, name: str) -> None:
    """Print the three commands that a person who has just come here wants to try."""
    bare = "from dask.distributed import Client; print(Client())"
    console.print()
    console.print("Try next:")
    for command in (
        f'{COMMAND} run {name} -- python -c "{bare}"',
        f"{COMMAND} status {name}",
        "make demo" if name == "local" else f"make demo STACK={name}",
    ):
        console.print(f"  {command}", markup=False, soft_wrap=True)


def faults(view: View) -> list[str]:
    """Return a line for each thing that is not as it should be."""
    lines = []
    if not view.supervisor:
        lines.append("The supervisor is gone: nothing restarts what ends. `up` puts it back.")
    lines += [f"{p.name} is {p.state}. Its log: {p.log}" for p in view.amiss]
    if view.error:
        lines.append(f"The scheduler gives no report: {view.error}")
    else:
        registered = {w["name"].rpartition("-")[0] for w in view.report["workers"]}
        missing = {p.name for p in view.processes if view.ought_to_register(p)} - registered
        if missing:
            names = ", ".join(sorted(missing, key=_natural))
            lines.append(f"Not registered with the scheduler: {names}.")
    for name, group in view.fleet["groups"].items():
        there = group["running"]
        if name in view.scaled and there < group["workers"] and not view.fleet["stopped"]:
            lines.append(f"Group {name} has {there} of at least {group['workers']} workers.")
    return lines


def happenings(
    report: Mapping[str, Any], scaled: Mapping[str, tuple[int, int]] | None = None
) -> list[str]:
    """Return a line for each thing that happens to the workers, or has happened.

    Args:
        report: The scheduler's.
        scaled: The bounds of the groups whose number the scaler decides.
    """
    fleet: dict[str, Any] = report.get("fleet") or NO_FLEET
    # A scheduler that was started by an older checkout does not say.
    draining = [worker for worker in report.get("workers", []) if worker.get("draining")]
    lines = [f"{w['name']} is draining: {_drain(w['draining'])}" for w in draining]
    if fleet["stopped"]:
        lines.append(f"stopped: {fleet['stopped']}. Work that arrives, or `up`, starts them.")
    if (left := fleet.get("stops_in")) is not None and not fleet["stopped"]:
        lines.append(f"idle: the workers are stopped in {left:.0f} s, if nobody comes")
    groups = fleet["groups"]
    lines += [
        # The scaler looks again and again: right after an `up` it may not have seen the bounds.
        f"group {name}: {least} to {most} workers, {max(least, groups[name]['wanted'])} wanted"
        for name, (least, most) in (scaled or {}).items()
        if name in groups
    ]
    counters = report.get("counters", {})
    handed, size = counters.get("drained_keys", 0), counters.get("drained_bytes", 0)
    lost = sum(value for name, value in counters.items() if name.startswith("lost_keys"))
    if handed or lost:
        lines.append(
            f"workers that ended handed over {handed:.0f} results ({size / 2**20:.1f} MiB) "
            f"and lost {lost:.0f}"
        )
    return lines


def _drain(drain: dict[str, Any]) -> str:
    left = f"{drain['results']} results ({drain['bytes'] / 2**20:.1f} MiB) left"
    time = f"{drain['seconds']:.0f} s of at most {drain['limit']:.0f} s"
    return f"{drain['reason']}; {drain['phase']}, {time}, {left}"


def _word(wrong: list[str], view: View) -> str:
    if wrong:
        return "[red]not as it should be[/red]"
    return "[yellow]stopped[/yellow]" if view.fleet["stopped"] else "[green]running[/green]"


def _environment(outputs: dict[str, Any]) -> str:
    record = Path(outputs["environment_folder"]) / "environment.json"
    if not record.exists():
        return f"{outputs['environment']}  (its folder is gone; `up` builds it again)"
    built = json.loads(record.read_text())
    packages = built["packages"]
    known = f"Python {built['python']}, Dask {packages['dask']}, {len(packages)} packages"
    return f"{outputs['environment']}  ({known})"


def _workers(workers: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("  Worker")
    for column in ("threads", "memory", "used", "tasks"):
        table.add_column(column, justify="right")
    for worker in workers:
        table.add_row(
            f"  {worker['name']}",
            str(worker["nthreads"]),
            _gib(worker["memory_limit"]),
            _gib(worker["memory_used"]),
            str(worker["processing"]),
        )
    return table


def totals(workers: list[dict[str, Any]]) -> str:
    """Say how many workers there are, as places and as processes, and what they have."""
    places = len({worker["name"].rpartition("-")[0] for worker in workers})
    threads = sum(worker["nthreads"] for worker in workers)
    memory = sum(worker["memory_limit"] for worker in workers)
    return (
        f"{places} workers, {len(workers)} processes, {threads} threads, {_gib(memory)} of memory"
    )


def _gib(size: float) -> str:
    return f"{size / 2**30:.2f} GiB"


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in name.split("-")]
