"""Clusters of this machine: the place of the platform ``local``."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, NoReturn

from operations import doctor, screen
from operations.stacks import COMMAND, WRONG_SETTINGS, CommandError
from operations.view import client_environment, look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from operations.clusters import Cluster
    from operations.stacks import Opened


def show(console: Console, cluster: Cluster, *, as_json: bool) -> bool:
    """Show a cluster; return whether nothing is wrong with it."""
    found = dict(cluster.outputs)
    view = look(found)
    faults = screen.faults(view)
    if as_json:
        shown = {"stack": cluster.name, "outputs": found, "faults": faults, **view.as_json()}
        console.print(json.dumps(shown, indent=2), markup=False, soft_wrap=True)
    else:
        screen.show(console, cluster.name, found, view)
    return not faults


def findings(cluster: Cluster) -> Iterator[tuple[bool, str]]:
    """Yield each check of a cluster: whether it is well, and a line that says what was seen."""
    found = dict(cluster.outputs)
    return doctor.findings(found, look(found))


def run(cluster: Cluster, words: Sequence[str]) -> NoReturn:
    """Become a command beside a cluster: there is nothing to close after it.

    Raises:
        CommandError: There is no such command.
    """
    environment = client_environment(dict(cluster.outputs))
    program = shutil.which(words[0], path=environment["PATH"])
    if program is None:
        raise CommandError(f"{words[0]}: no such command in the cluster's environment or on PATH.")
    sys.stdout.flush()
    os.execve(program, list(words), environment)  # noqa: S606


def sweep(console: Console, opened: Opened, *, ask: Callable[[str], None]) -> NoReturn:
    """Refuse: what is left of a cluster here, `destroy` knows.

    Raises:
        CommandError: Always.
    """
    del console, ask
    raise CommandError(
        f"stack `{opened.name}` runs on this machine, where `{COMMAND} destroy {opened.name}` "
        "leaves nothing.",
        WRONG_SETTINGS,
    )
