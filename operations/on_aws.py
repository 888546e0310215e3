"""Clusters on AWS: the place of the platform ``vm``, by what AWS says of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from components.settings import VmSettings
from operations import aws, machines, machines_doctor, machines_screen, remote, session_manager
from operations.stacks import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from operations.clusters import Cluster
    from operations.stacks import Opened


def show(console: Console, cluster: Cluster, *, as_json: bool) -> bool:
    """Show a cluster; return whether nothing is wrong with it."""
    found = cluster.outputs
    view = machines.look(found, aws.session(found["region"]))
    faults = machines_screen.faults(view)
    if as_json:
        shown = {"stack": cluster.name, "outputs": found, "faults": faults, **view.as_json()}
        console.print(json.dumps(shown, indent=2), markup=False, soft_wrap=True)
    else:
        machines_screen.show(console, cluster.name, found, view)
    return not faults


def findings(cluster: Cluster) -> Iterator[tuple[bool, str]]:
    """Yield each check of a cluster: whether it is well, and a line that says what was seen."""
    view = machines.look(cluster.outputs, aws.session(cluster.outputs["region"]))
    yield from machines_doctor.findings(cluster.outputs, view, reachable=cluster.reachable)


def run(cluster: Cluster, words: Sequence[str]) -> int:
    """Run a command beside a cluster; return its exit code."""
    settings = _settings(cluster.opened)
    clients = aws.session(cluster.outputs["region"])
    way = session_manager.Way(cluster, clients, dashboard_tls=bool(settings.allowed_cidrs))
    return remote.run(cluster, words, way=way)


def sweep(console: Console, opened: Opened, *, ask: Callable[[str], None]) -> bool:
    """Delete what bears a cluster's tag; return whether nothing is left.

    Raises:
        SettingsError: The stack file is wrong; it says in which region to look.
        CommandError: AWS does not answer, or a cluster of that name runs in another region.
    """
    # botocore, half a second of it, for a command that few people type.
    from operations.sweep import command as sweep_command  # noqa: PLC0415

    return sweep_command.run(console, opened.name, _settings(opened).region, ask=ask)


def _settings(opened: Opened) -> VmSettings:
    settings = opened.settings()
    if not isinstance(settings, VmSettings):
        raise CommandError(f"stack `{opened.name}` is not on AWS.")
    return settings
