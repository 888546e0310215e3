"""The commands of a stack on AWS, by what Pulumi's backend and AWS say of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from components.settings import VmSettings
from operations import aws, machines, machines_doctor, machines_screen, pulumi_cli, remote
from operations.stacks import COMMAND, WRONG_SETTINGS, CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console

    from operations.stacks import Opened


def status(console: Console, opened: Opened, *, as_json: bool) -> bool:
    """Show a cluster; return whether nothing is wrong with it."""
    return show(console, opened.name, pulumi_cli.outputs(opened), as_json=as_json)


def show(console: Console, name: str, found: Mapping[str, Any], *, as_json: bool) -> bool:
    """Show the cluster of some outputs; return whether nothing is wrong with it."""
    view = machines.look(found, aws.session(found["region"]))
    faults = machines_screen.faults(view)
    if as_json:
        shown = {"stack": name, "outputs": found, "faults": faults, **view.as_json()}
        console.print(json.dumps(shown, indent=2), markup=False, soft_wrap=True)
    else:
        machines_screen.show(console, name, found, view)
    return not faults


def findings(opened: Opened) -> Iterator[tuple[bool, str]]:
    """Yield each check of a cluster: whether it is well, and a line that says what was seen."""
    found = pulumi_cli.outputs(opened)
    view = machines.look(found, aws.session(found["region"]))
    yield from machines_doctor.findings(found, view)


def run(opened: Opened, words: Sequence[str]) -> int:
    """Run a command beside a cluster; return its exit code."""
    name = opened.name
    typed = remote.Typed(up=f"pulumi up -s {name}", status=f"{COMMAND} status {name}")
    return beside(opened, pulumi_cli.outputs(opened), words, typed)


def beside(
    opened: Opened, found: Mapping[str, Any], words: Sequence[str], typed: remote.Typed
) -> int:
    """Run a command beside the cluster of some outputs; return its exit code."""
    clients = aws.session(found["region"])
    reach = remote.session_manager(found, clients, typed)
    return remote.run(opened, found, words, clients=clients, reach=reach, typed=typed)


def sweep(console: Console, opened: Opened, *, ask: Callable[[str], None]) -> bool:
    """Delete what bears a cluster's tag; return whether nothing is left.

    Raises:
        SettingsError: The stack file is wrong; it says in which region to look.
        CommandError: The stack is not on AWS.
    """
    # botocore, half a second of it, for a command that few people type.
    from operations.sweep import command as sweep_command  # noqa: PLC0415

    settings = opened.settings()
    if not isinstance(settings, VmSettings):
        raise CommandError(
            f"stack `{opened.name}` runs on this machine, where `{COMMAND} destroy {opened.name}` "
            "leaves nothing.",
            WRONG_SETTINGS,
        )
    return sweep_command.run(console, opened.name, settings.region, ask=ask)
