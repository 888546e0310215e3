"""What may be wrong with a cluster on AWS, looked at one thing at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operations import machines_screen, report_checks, tunnel
from operations.stacks import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from operations.machines import Group, View


def findings(
    outputs: Mapping[str, Any], view: View, *, reachable: bool = True
) -> Iterator[tuple[bool, str]]:
    """Yield each check of a cluster: whether it is well, and a line that says what was seen.

    Args:
        outputs: The stack's outputs.
        view: The cluster as it is now.
        reachable: Whether there is a way into its machines.
    """
    wrong = list(machines_screen.scheduler_faults(view))
    for line in wrong:
        yield False, f"scheduler: {line}"
    if not wrong and view.scheduler.exists:
        yield True, f"scheduler: on {view.reporter}, with environment {view.environment}"
    for group in (view.scheduler, *view.groups):
        yield from _group(group, view)
    yield report_checks.certificates(outputs)
    if reachable:
        yield _plugin()


def _group(group: Group, view: View) -> Iterator[tuple[bool, str]]:
    wrong = list(machines_screen.group_faults(group, view))
    boot = group.failed_boot
    for line in wrong:
        yield False, line
    if boot:
        last = [f"last lines of the boot of {boot.instance}, {boot.at}:", *boot.log.splitlines()]
        yield False, "\n      ".join(last)
    if not wrong:
        there = f"{len(group.in_service)} of {group.wanted} machines in service"
        stopped = f"stopped, of {group.workers}" if group.stopped else there
        yield True, f"group {group.name}: {stopped}, {group.registered} registered"


def _plugin() -> tuple[bool, str]:
    try:
        return True, f"the way in, for `run`: {tunnel.find_plugin()}"
    except CommandError as error:
        return False, f"the way in, for `run`: {error}"
