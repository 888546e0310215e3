"""What is shown of a cluster on Kubernetes, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from operations.pods import JUPYTER, SCHEDULER
from operations.screen import happenings, show_facts, totals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from operations.pods import Group, View

COLUMNS = ("wanted", "max", "running", "ready", "registered", "ending")


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
            "Namespace": f"{view.namespace}, by context {view.context}",
        },
    )
    console.print()
    console.print(_groups(view), soft_wrap=True)  # a wide one is not cut
    if view.report:
        console.print(f"  {totals(view.report['workers'])}")
    for line in notes(view):
        console.print(f"  {line}", markup=False)
    for line in wrong:
        console.print(Text(f"  {line}", style="red"))


def faults(view: View) -> list[str]:
    """Return a line for each thing that is not as it should be."""
    lines = [*scheduler_faults(view)]
    for group in view.all:
        lines += group_faults(group, view)
    return lines


def notes(view: View) -> list[str]:
    """Return a line for each thing that happens, and is as it should be."""
    lines = [line for group in view.groups for line in _group_notes(group, view)]
    return lines + happenings(view.report, view.scaled)


def _group_notes(group: Group, view: View) -> Iterator[str]:
    if group.stopped and not view.fleet["stopped"]:
        yield (
            f"stopped: group {group.name} has none of its {group.workers} workers. Work that "
            "arrives, or `up`, starts them."
        )
    if group.ending:
        yield f"group {group.name}: {group.ending} end, and hand over their data first"
    if earlier := sum(pod.replaced for pod in group.there):
        yield f"group {group.name}: {earlier} of an earlier template, replaced one after another"
    if starting := _starting(group, view):
        yield f"group {group.name}: {starting} start"


def _starting(group: Group, view: View) -> int:
    """Return how many of its pods are on their way, those that are not there yet included."""
    lacking = 0 if group.refused else max(0, group.wanted - len(group.there))
    return lacking + sum(pod.is_starting(view.at) for pod in group.pods)


def scheduler_faults(view: View) -> Iterator[str]:
    """Yield a line for each thing that is wrong with the scheduler itself."""
    if not view.scheduler.exists or not view.scheduler.running:
        return  # said with the groups
    if view.error:
        yield f"The scheduler gives no report: {view.error}"
    elif view.report["identity"] != view.expected:
        yield (
            f"The scheduler runs environment {view.report['identity']}, and the stack's is "
            f"{view.expected}. `up` puts it right."
        )


def group_faults(group: Group, view: View) -> Iterator[str]:
    """Yield a line for each thing that is wrong with one group."""
    name = "JupyterLab" if group.name == JUPYTER else f"Group {group.name}"
    if not group.exists:
        yield f"{name}: Kubernetes has no Deployment {group.deployment}. `up` makes it."
        return
    if group.refused:
        yield f"{name} gets no more pods: {group.refused}"
    if group.name == SCHEDULER and not group.running and not group.pods and not group.refused:
        yield "No pod of the scheduler is there."
    states = Counter(pod.state for pod in group.broken)
    for state, number in states.items():
        yield f"{name}: {number} of {group.wanted} pods {state}"
    if 0 < group.wanted < group.workers:
        yield (
            f"{name} is to have {group.wanted} pods now, and the stack says {group.workers}. "
            "`up` puts it right."
        )
    late = [pod for pod in group.pods if pod.is_late(view.at)]
    for pod in late[:1]:
        yield f"{name}: {len(late)} of {group.wanted} pods are not ready, {pod.name}: {pod.state}"


def _word(wrong: list[str], view: View) -> str:
    if wrong:
        return "[red]not as it should be[/red]"
    return "[yellow]stopped[/yellow]" if view.stopped else "[green]running[/green]"


def _scheduler(view: View) -> str:
    there = [pod for pod in view.scheduler.pods if pod.phase == "Running" and not pod.ending]
    return f"{there[0].name} on {there[0].node}" if there else "-"


def _groups(view: View) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    groups = [view.scheduler, *view.groups]
    table.add_column("  Group", min_width=2 + max(len(group.name) for group in groups))
    for column in COLUMNS:
        table.add_column(column, justify="right", min_width=len(column))
    table.add_column("moved by", min_width=max(8, *(len(group.moved) for group in groups)))
    for group in groups:
        numbers = (
            group.wanted,
            group.ceiling,
            group.running,
            group.ready,
            group.registered,
            group.ending,
        )
        table.add_row(f"  {group.name}", *map(str, numbers), group.moved)
    return table
