"""Stacks as the command line names them: where they are, and what must be true to act on one."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.settings import PLATFORMS, Settings, SettingsError, load_file
from components.settings.stack_file import read
from engine import EngineError, Project, Stack

# Exit codes, those of Pulumi where it has one (pulumi/pkg/cmd/pulumi/cmd/exit_codes.go).
ERROR = 1
WRONG_SETTINGS = 2
NO_STACK = 6
UNEXPECTED_CHANGES = 7
# The platform whose stacks this command holds itself.
LOCAL = "local"


def _command() -> str:
    """Return this command as a person can type it here."""
    here = Path(sys.argv[0])
    found = shutil.which(here.name)
    if found and Path(found).samefile(here):
        return here.name
    working = Path.cwd()
    return str(here.relative_to(working) if here.is_relative_to(working) else here)


COMMAND = _command()


class CommandError(Exception):
    """A message for the person at the keyboard, complete in itself, and an exit code."""

    def __init__(self, message: str, code: int = ERROR) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Opened:
    """A stack of the project in the working folder (or above it)."""

    project: Project
    stack: Stack
    file: Path

    @property
    def name(self) -> str:
        """The stack's name, such as ``local``."""
        return self.stack.name

    @property
    def platform(self) -> str:
        """What the stack file says; the rest of it may be wrong. ``local`` where it says none."""
        if not self.file.exists():
            return LOCAL
        try:
            config, _ = read(self.file, settings=())
        except SettingsError:
            # Whoever needs the settings says what is wrong; `destroy` needs no stack file.
            return LOCAL
        said = (config.get("platform"), config.get(f"{self.project.name}:platform"))
        return next((platform for platform in PLATFORMS if platform in said), LOCAL)

    def settings(self) -> Settings:
        """Return the stack file's settings.

        Raises:
            SettingsError: With everything that is wrong in the file.
        """
        return load_file(self.file)

    def outputs(self) -> dict[str, Any]:
        """Return the outputs of a stack that is up.

        Raises:
            CommandError: The stack is not up.
        """
        self.require_up()
        outputs = self.stack.outputs(show_secrets=True)
        if "folder" not in outputs:
            raise CommandError(
                f"stack `{self.name}` is half made: an `up` is running, or was interrupted. "
                "Wait for it, run `up` again, or `destroy`."
            )
        return outputs

    def require_up(self) -> None:
        """Refuse a stack that has no state.

        Raises:
            CommandError: The stack is not up.
        """
        if not self.stack.exists:
            raise CommandError(f"stack `{self.name}` is not up. Run `{COMMAND} up {self.name}`.")


def open_stack(name: str) -> Opened:
    """Find a stack by name.

    Raises:
        CommandError: There is no project here, or no such stack (exit code 6).
    """
    try:
        project = Project.load(Path.cwd())
    except EngineError as error:
        raise CommandError(str(error)) from error
    file = project.stack_file(name)
    stack = Stack(project, name)
    if not file.exists() and not stack.exists:
        there = sorted(path.stem.removeprefix("Pulumi.") for path in file.parent.glob("Pulumi.*"))
        raise CommandError(
            f"no stack `{name}`: {file} does not exist. There are: {', '.join(there) or 'none'}.",
            NO_STACK,
        )
    return Opened(project, stack, file)
