"""What ``up`` and ``status`` show of a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from operations.view import View

MOST_ROWS = 20  # workers shown one by one; the line below the table counts them all


def show(console: Console, name: str, outputs: dict[str, Any], view: View) -> None:
    """Print a cluster: its addresses, its environment, its workers, and what is wrong with it."""
    facts = Table.grid(padding=(0, 2))
    facts.add_row("  Scheduler", outputs["scheduler_address"])
    facts.add_row("  Dashboard", f"{outputs['dashboard']}/status")
    facts.add_row("  Environment", _environment(outputs))
    console.print()
    console.print(f"[bold]Dask cluster {name}[/bold]  {_word(view)}")
    console.print(facts)
    workers = sorted(view.report.get("workers", []), key=lambda w: _natural(w["name"]))
    if workers:
        console.print()
        console.print(_workers(workers[:MOST_ROWS]))
    console.print(f"  {_totals(workers)}")
    for line in faults(view, outputs):
        console.print(f"  [red]{line}[/red]")


def show_next(console: Console, name: str) -> None:
    """Print the three commands that a person who has just come here wants to try."""
    bare = "from dask.distributed import Client; print(Client())"
    console.print()
    console.print("Try next:")
    for command in (
        f'dask-cluster run {name} -- python -c "{bare}"',
        f"dask-cluster status {name}",
        "make demo",
    ):
        console.print(f"  {command}", markup=False, soft_wrap=True)


def faults(view: View, outputs: dict[str, Any]) -> list[str]:
    """Return a line for each thing that is not as it should be."""
    lines = []
    if not view.supervisor:
        lines.append("The supervisor is gone: nothing restarts what ends. `up` puts it back.")
    lines += [f"{p.name} is {p.state}. Its log: {p.log}" for p in view.processes if not p.well]
    if view.error:
        lines.append(f"The scheduler gives no report: {view.error}")
    else:
        places = {w["name"].rpartition("-")[0] for w in view.report["workers"]}
        if len(places) < int(outputs["workers"]):
            lines.append(f"{len(places)} of {int(outputs['workers'])} workers have registered.")
    return lines


def _word(view: View) -> str:
    healthy = view.supervisor and not view.error
    return "[green]running[/green]" if healthy else "[red]not as it should be[/red]"


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


def _totals(workers: list[dict[str, Any]]) -> str:
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
