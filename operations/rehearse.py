"""A stack for AWS, rehearsed on this machine: the same program against an AWS on loopback.

Each stack has a rehearsal of its own in ``.dask-cluster/rehearsals/<stack>``: the state, and an AWS
that goes on running between two commands, as the real one would. Nothing here reaches another
machine: every variable of AWS's is replaced before anything is started.
"""

from __future__ import annotations

import importlib.util
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from components.settings import VmSettings
from engine import Stack
from operations import aws, machines, machines_screen
from operations.stacks import COMMAND, NO_STACK, WRONG_SETTINGS, CommandError
from operations.sweep import command as sweep_command
from sandbox.aws import server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import Console

    from operations.stacks import Opened
    from sandbox.aws.server import Item

PLUGINS = Path(server.__file__).parents[1] / "plugins"
# What AWS's tools would read of the person's own account.
_NOWHERE = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCESS_KEY_ID": "rehearsal",
    "AWS_SECRET_ACCESS_KEY": "rehearsal",
}


class Action(StrEnum):
    """What can be done with a rehearsal."""

    UP = "up"
    STATUS = "status"
    DESTROY = "destroy"
    SWEEP = "sweep"


class Rehearsal:
    """The rehearsal of one stack.

    Attributes:
        name: The stack's name.
        folder: Everything that it keeps on this machine.
    """

    def __init__(self, opened: Opened) -> None:
        """Name it; nothing is started.

        Raises:
            CommandError: What a rehearsal needs is not installed.
        """
        if importlib.util.find_spec("moto") is None:
            raise CommandError(
                f"a rehearsal needs moto, which is not installed here: run `make rehearse "
                f"STACK={opened.name}`, or `uv sync --group rehearsal` before this command.",
                WRONG_SETTINGS,
            )
        self._opened = opened
        self.name = opened.name
        self.folder = opened.stack.home / "rehearsals" / opened.name

    @property
    def exists(self) -> bool:
        """Whether there is anything of it."""
        return self.folder.exists()

    def check(self) -> None:
        """Refuse wrong settings, and a stack that is not for AWS.

        Raises:
            SettingsError: With everything that is wrong in the stack file.
            CommandError: There is no AWS in it.
        """
        if not isinstance(self._opened.settings(), VmSettings):
            raise CommandError(
                f"stack `{self.name}` runs on this machine anyway: `{COMMAND} up {self.name}`.",
                WRONG_SETTINGS,
            )

    def begin(self) -> Stack:
        """Start its AWS, if that does not run, and return the stack as it is there.

        From here on this process and its children know no other AWS.

        Raises:
            CommandError: It does not start.
        """
        try:
            running = server.start(self.folder / "aws", guests=True)
        except server.ServerError as error:
            raise CommandError(str(error)) from error
        inside = surroundings(os.environ, running.endpoint)
        os.environ.clear()
        os.environ.update(inside)
        return Stack(self._opened.project, self.name, home=self.folder)

    def show(self, console: Console) -> bool:
        """Show the rehearsed cluster; return whether nothing is wrong with it.

        Raises:
            CommandError: There is none.
        """
        self._require()
        inside = self.begin()
        found = inside.outputs(show_secrets=True)
        if "groups" not in found:
            raise CommandError(f"the rehearsal of `{self.name}` is half made: run its `up` again.")
        view = machines.look(found, aws.session(found["region"]))
        machines_screen.show(console, self.name, found, view)
        console.print(
            f"\n  A rehearsal: {len(self.left())} things exist in an AWS on this machine. Its\n"
            "  instances are records; what they would report of their boot is pretended."
        )
        return not machines_screen.faults(view)

    def sweep(self, console: Console, *, ask: Callable[[str], None]) -> bool:
        """Delete what bears the cluster's tag; return whether nothing of it is left.

        Raises:
            SettingsError: The stack file is wrong; it says in which region to look.
            CommandError: There is no rehearsal.
        """
        self._require()
        settings = self._opened.settings()
        assert isinstance(settings, VmSettings)  # noqa: S101  # `check` has seen to it
        self.begin()
        return sweep_command.run(console, self.name, settings.region, ask=ask)

    def _require(self) -> None:
        if not self.exists:
            raise CommandError(
                f"stack `{self.name}` is not rehearsed: `{COMMAND} rehearse {self.name} up`.",
                NO_STACK,
            )

    def left(self) -> list[Item]:
        """Return what its AWS holds that was not there at first."""
        running = server.find(self.folder / "aws")
        return [] if running is None else server.contents(running.endpoint)

    def end(self) -> None:
        """End its AWS and remove its folder.

        Raises:
            CommandError: It does not end.
        """
        aws = self.folder / "aws"
        try:
            server.stop(aws)
        except server.ServerError as error:
            raise CommandError(str(error)) from error
        for file in aws.glob("server.*"):
            file.unlink()
        for folder in (aws, self.folder, self.folder.parent):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def surroundings(environment: Mapping[str, str], endpoint: str) -> dict[str, str]:
    """Return an environment in which AWS is on this machine and nowhere else.

    Args:
        environment: The person's own.
        endpoint: Of the rehearsal's AWS.
    """
    kept = {key: value for key, value in environment.items() if not key.startswith("AWS_")}
    path = os.pathsep.join(filter(None, (str(PLUGINS), kept.get("PATH"))))
    # Without a proxy for what is on this machine.
    direct = ",".join(filter(None, (kept.get("no_proxy"), "127.0.0.1")))
    return kept | _NOWHERE | {"AWS_ENDPOINT_URL": endpoint, "PATH": path, "no_proxy": direct}
