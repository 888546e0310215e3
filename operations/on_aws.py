"""The commands of a stack on AWS, by what Pulumi's backend and AWS say of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from components.settings import VmSettings
from operations import aws, machines, machines_doctor, machines_screen, pulumi_cli, remote
from operations.stacks import COMMAND, WRONG_SETTINGS, CommandError
from operations.sweep import command as sweep_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from operations.stacks import Opened


def status(console: Console, opened: Opened, *, as_json: bool) -> bool:
    """Show a cluster; return whether nothing is wrong with it."""
    found = pulumi_cli.outputs(opened)
    view = machines.look(found, aws.session(found["region"]))
    faults = machines_screen.faults(view)
    if as_json:
        shown = {"stack": opened.name, "outputs": found, "faults": faults, **view.as_json()}
        console.print(json.dumps(shown, indent=2), markup=False, soft_wrap=True)
    else:
        machines_screen.show(console, opened.name, found, view)
    return not faults


def findings(opened: Opened) -> Iterator[tuple[bool, str]]:
    """Yield each check of a cluster: whether it is well, and a line that says what was seen."""
    found = pulumi_cli.outputs(opened)
    view = machines.look(found, aws.session(found["region"]))
    yield from machines_doctor.findings(found, view)


def run(opened: Opened, words: Sequence[str]) -> int:
    """Run a command beside a cluster; return its exit code."""
    found = pulumi_cli.outputs(opened)
    clients = aws.session(found["region"])
    reach = remote.session_manager(found, clients)
    return remote.run(opened, found, words, clients=clients, reach=reach)


def sweep(console: Console, opened: Opened, *, ask: Callable[[str], None]) -> bool:
    """Delete what bears a cluster's tag; return whether nothing is left.

    Raises:
        SettingsError: The stack file is wrong; it says in which region to look.
        CommandError: The stack is not on AWS.
    """
    settings = opened.settings()
    if not isinstance(settings, VmSettings):
        raise CommandError(
            f"stack `{opened.name}` runs on this machine, where `{COMMAND} destroy {opened.name}` "
            "leaves nothing.",
            WRONG_SETTINGS,
        )
    return sweep_command.run(console, opened.name, settings.region, ask=ask)
