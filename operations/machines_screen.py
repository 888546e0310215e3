"""What is shown of a cluster on AWS, and what is wrong with it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from operations.machines import SCHEDULER
from operations.screen import show_facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from operations.machines import Group, View

COLUMNS = ("wanted", "max", "in service", "starting", "ending", "registered")


def show(console: Console, name: str, outputs: Mapping[str, Any], view: View) -> None:
    """Print a cluster: its scheduler, its environment, its groups, and what is wrong with it."""
    wrong = faults(view)
    console.print()
    console.print(f"[bold]Dask cluster {name}[/bold]  {_word(wrong, view)}")
    show_facts(
        console,
        {
            "Scheduler": outputs["scheduler_address"],
            "Runs on": _scheduler(view),
            "Environment": outputs["environment"],
            "Region": outputs["region"],
        },
    )
    console.print()
    console.print(_groups(view), soft_wrap=True)  # a wide one is not cut
    for line in notes(view):
        console.print(f"  {line}", markup=False)
    for line in wrong:
        console.print(Text(f"  {line}", style="red"))


def faults(view: View) -> list[str]:
    """Return a line for each thing that is not as it should be."""
    lines = [*scheduler_faults(view)]
    for group in (view.scheduler, *view.groups):
        lines += group_faults(group, view)
    return lines


def notes(view: View) -> list[str]:
    """Return a line for each thing that happens, and is as it should be."""
    return [line for group in view.groups for line in _group_notes(group, view)]


def _group_notes(group: Group, view: View) -> Iterator[str]:
    if group.stopped:
        why = f" The last launch failed: {group.failed_activity}" if group.failed_activity else ""
        yield (
            f"stopped: group {group.name} has none of its {group.workers} workers. Work that "
            f"arrives, or `up`, starts them.{why}"
        )
    if group.ending:
        yield f"group {group.name}: {group.ending} end, and hand over their data first"
    waited = 0 if group.failed_activity or group.suspended else group.missing
    if group.starting + waited:
        yield f"group {group.name}: {group.starting + waited} start"
    if view.reported and group.silent and group.booting(view.at):
        yield f"group {group.name}: {group.silent} boot, and have not registered yet"


def scheduler_faults(view: View) -> Iterator[str]:
    """Yield a line for each thing that is wrong with the scheduler itself."""
    there = view.scheduler.in_service
    if not view.scheduler.exists:
        return  # said with the groups
    if not there:
        starts = "One is starting." if view.scheduler.starting else "None is starting."
        yield f"No scheduler is in service. {starts}"
    elif not view.reported:
        last = "" if view.reporter is None else f" The last report is by {view.reporter}."
        yield f"The scheduler on {there[0]} has not reported.{last}"
    elif view.environment != view.expected:
        yield (
            f"The scheduler runs environment {view.environment}, and the stack's is "
            f"{view.expected}. `up` puts it right."
        )


def group_faults(group: Group, view: View) -> Iterator[str]:
    """Yield a line for each thing that is wrong with one group."""
    name = f"Group {group.name}"
    if not group.exists:
        yield f"{name}: AWS has no {group.autoscaling_group}. `up` makes it."
        return
    if group.suspended:
        yield f"{name} starts no machines: its process Launch is suspended. `up` resumes it."
    if group.failed_boot:
        boot = group.failed_boot
        boots = "the last boot" if boot.failures == 1 else f"{boot.failures} boots in a row"
        yield f"{name}: {boots} failed, on {boot.instance}: {boot.reason}"
    if group.missing and group.failed_activity:
        yield f"{name} lacks {group.missing} of {group.wanted}: {group.failed_activity}"
    if 0 < group.wanted < group.workers:
        yield (
            f"{name} is to have {group.wanted} machines now, and the stack says {group.workers}. "
            "`up` puts it right."
        )
    if group.name != SCHEDULER and view.reported and group.silent and not group.booting(view.at):
        yield (
            f"{name}: {group.silent} of {len(group.in_service)} machines in service are not "
            "registered with the scheduler."
        )


def _word(wrong: list[str], view: View) -> str:
    if wrong:
        return "[red]not as it should be[/red]"
    return "[yellow]stopped[/yellow]" if view.stopped else "[green]running[/green]"


def _scheduler(view: View) -> str:
    if not view.reported or view.since is None:
        return "-"
    since = dt.datetime.fromisoformat(view.since).astimezone(dt.UTC)
    return f"{view.reporter} since {since:%Y-%m-%d %H:%M} UTC"


def _groups(view: View) -> Table:
    groups = (view.scheduler, *view.groups)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("  Group", min_width=2 + max(len(group.name) for group in groups))
    for column in COLUMNS:
        table.add_column(column, justify="right", min_width=len(column))
    table.add_column("bought", min_width=max(len(group.bought) for group in groups))
    for group in groups:
        numbers = (
            group.wanted,
            group.ceiling,
            len(group.in_service),
            group.starting,
            group.ending,
            group.registered,
        )
        table.add_row(f"  {group.name}", *map(str, numbers), group.bought)
    return table
