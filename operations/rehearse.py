"""A stack rehearsed on this machine: what is the same whatever the cloud that stands in.

Each stack has a rehearsal of its own in ``.dask-cluster/rehearsals/<stack>``: the state, and a
cloud that goes on running between two commands, as the real one would.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from engine import Stack
from engine.display import Display
from operations.clusters import Cluster, Typed
from operations.stacks import COMMAND, NO_STACK, WRONG_SETTINGS, CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rich.console import Console

    from components.settings import Settings
    from engine import Result
    from operations.stacks import Opened


class Action(StrEnum):
    """What can be done with a rehearsal."""

    UP = "up"
    STATUS = "status"
    DESTROY = "destroy"
    SWEEP = "sweep"


@dataclass(frozen=True)
class Asked:
    """What a person asks of the cloud, which is chosen once.

    Attributes:
        hosts: Whether the instances of AWS have to be hosts.
        context: A context of the person's own kubeconfig, in the place of our Kubernetes.
    """

    hosts: bool = False
    context: str | None = None


NOTHING = Asked()


class Rehearsal(ABC):
    """The rehearsal of one stack.

    Attributes:
        platform: The platform of its stack.
        cloud: What stands in, for people, such as ``an AWS``.
        mark: What everything of a cluster bears there.
        farewell: What to say when it has ended, and nothing was left.
        opened: The stack.
        name: Its name.
        folder: Everything that it keeps on this machine.
    """

    platform: ClassVar[str]
    cloud: ClassVar[str]
    mark: ClassVar[str]
    farewell: ClassVar[str]
    # The settings of the platform, and the file below `folder` that says what the cloud is.
    settings_model: ClassVar[type[Settings]]
    kept_file: ClassVar[str]

    def __init__(self, opened: Opened) -> None:
        """Name it; nothing is started.

        Raises:
            CommandError: What a rehearsal needs is not installed.
        """
        self.opened = opened
        self.name = opened.name
        self.folder = folder_of(opened)
        self._kept = self.folder / self.kept_file

    @property
    def exists(self) -> bool:
        """Whether there is anything of it."""
        return self.folder.exists()

    @property
    @abstractmethod
    def runs(self) -> bool:
        """Whether its cloud runs: a kill, or a restart of the machine, ends it."""

    @property
    @abstractmethod
    def known(self) -> str | None:
        """What its cloud is, also while that does not run; None if it never began."""

    @abstractmethod
    def choose(self, asked: Asked) -> str:
        """Return what its cloud will be.

        Raises:
            CommandError: It is of another platform, or has begun otherwise.
        """

    @abstractmethod
    def left(self) -> list[str]:
        """Return a line for each thing that its cloud holds and did not hold at first."""

    @abstractmethod
    def end(self, say: Callable[[str], None]) -> None:
        """End its cloud as far as nobody else needs it, and remove its folder.

        Args:
            say: Hears what takes a while, and what stays.

        Raises:
            CommandError: It does not end.
        """

    @abstractmethod
    def require_way_in(self) -> None:
        """Refuse one in which nothing runs.

        Raises:
            CommandError: There is no way into it.
        """

    @abstractmethod
    def show_what_it_is(self, console: Console) -> None:
        """Print what stands in for the cloud, below the table of the cluster."""

    @abstractmethod
    def _start(self, wanted: str, *, end: bool, say: Callable[[str], None]) -> dict[str, str]:
        """Start the cloud, if it does not run.

        Args:
            wanted: What it is.
            end: Whether that is for its end only.
            say: Hears what takes long.

        Returns:
            The variables by which this process and its children know no other cloud.

        Raises:
            CommandError: It does not start.
        """

    @abstractmethod
    def prepare(self, wanted: str) -> str | None:
        """Return what to say before a start of the cloud that takes long; None if it does not.

        Raises:
            CommandError: The stack file asks for something that cannot be on this machine.
        """

    def findings(self) -> Iterator[tuple[bool, str]]:
        """Yield each check of what stands in for the cloud, once it has begun."""
        yield from ()

    def up(self, console: Console, inside: Stack) -> Result:
        """Bring about what the stack file says, and show it."""
        return inside.up(listener=Display(console, kind="up"))

    def settings(self) -> Settings:
        """Return the settings.

        Raises:
            SettingsError: With everything that is wrong in the stack file.
            CommandError: They are not of its platform.
        """
        settings = self.opened.settings()
        if not isinstance(settings, self.settings_model):
            raise CommandError(
                f"the rehearsal of `{self.name}` has {self.cloud}, and the stack file says "
                f"`platform: {settings.platform}`. End it first:\n"
                f"  {COMMAND} rehearse {self.name} destroy",
                WRONG_SETTINGS,
            )
        return settings

    def require(self) -> None:
        """Refuse one of which there is nothing.

        Raises:
            CommandError: It is not there.
        """
        if not self.exists:
            raise CommandError(
                f"stack `{self.name}` is not rehearsed: `{COMMAND} rehearse {self.name} up`.",
                NO_STACK,
            )

    def begin(
        self,
        asked: Asked = NOTHING,
        *,
        end: bool = False,
        say: Callable[[str], None] = lambda _line: None,
    ) -> Stack:
        """Start its cloud, if that does not run, and return the stack as it is there.

        From here on this process and its children know no other cloud.

        Args:
            asked: What the cloud has to be.
            end: Whether that is for its end only.
            say: Hears what takes minutes, the first time on this machine.

        Raises:
            CommandError: It does not start.
        """
        known, wanted = self.known, self.choose(asked)
        # Before there is anything that `end` has to undo.
        if not self._kept.exists():
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            self._kept.write_text(f"{wanted}\n")
        try:
            inside = self._start(wanted, end=end, say=say)
        except CommandError:
            self._give_up(wanted, begun=known is not None)
            raise
        os.environ.clear()
        os.environ.update(inside)
        return self.stack()

    def enter(self) -> Stack:
        """Return the stack as it is there, for whatever is no `up` and no end.

        Raises:
            CommandError: Its cloud does not run, or cannot be started.
        """
        return self.begin()

    def cluster(self) -> Cluster:
        """Return the cluster; from here on this process knows its cloud only.

        Raises:
            CommandError: There is none.
        """
        self.require()
        found = self.enter().outputs(show_secrets=True)
        if "groups" not in found:
            raise CommandError(f"the rehearsal of `{self.name}` is half made: run its `up` again.")
        begin = f"{COMMAND} rehearse {self.name}"
        typed = Typed(up=f"{begin} up", status=f"{begin} status")
        return Cluster(self.opened, found, typed, reachable=self._is_reachable())

    def stack(self) -> Stack:
        """Return the stack as it is there, by the variables of this process."""
        return Stack(self.opened.project, self.name, home=self.folder)

    def _is_reachable(self) -> bool:
        return True

    def _give_up(self, wanted: str, *, begun: bool) -> None:
        """Leave nothing of what could not be; one that never began may begin otherwise."""
        del wanted
        if not begun:
            self._remove_folder()

    def _remove_folder(self) -> None:
        """Remove what `begin` has made of it; a state that is still there stays."""
        self._kept.unlink(missing_ok=True)
        for folder in (self._kept.parent, self.folder, self.folder.parent):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def folder_of(opened: Opened) -> Path:
    """Return where the rehearsal of a stack keeps everything."""
    return opened.stack.home / "rehearsals" / opened.name
