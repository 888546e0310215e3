"""A stack for AWS, rehearsed on this machine: the same program against an AWS on loopback.

Each stack has a rehearsal of its own in ``.dask-cluster/rehearsals/<stack>``: the state, and an AWS
that goes on running between two commands, as the real one would. Nothing here reaches another
machine: every variable of AWS's is replaced before anything is started.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import sandbox.hosts
from components.settings import VmSettings
from engine import Stack
from operations.stacks import COMMAND, NO_STACK, WRONG_SETTINGS, CommandError
from sandbox.aws import server
from sandbox.aws.server.starter import INSTANCES, request
from sandbox.hosts.errors import HostsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from operations.stacks import Opened
    from sandbox.aws.server import Item
    from sandbox.aws.server.starter import Instances

PLUGINS = Path(server.__file__).parents[1] / "plugins"
HOSTS_PLUGINS = Path(sandbox.hosts.__file__).parent / "plugins"
# Below the project: the roots and environments of hosts, which outlive a rehearsal.
HOSTS_CACHE = Path(".cache") / "hosts"
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
        opened: The stack.
        name: Its name.
        folder: Everything that it keeps on this machine.
        endpoint: Where its AWS answers, once it has begun.
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
        self.opened = opened
        self.name = opened.name
        self.folder = opened.stack.home / "rehearsals" / opened.name
        self.endpoint = ""
        self._place = self.folder / "aws"
        # Of the server itself nothing is left after a kill -9, but what its hosts need is.
        self._kept = self.folder / "instances"

    @property
    def exists(self) -> bool:
        """Whether there is anything of it."""
        return self.folder.exists()

    @property
    def runs(self) -> bool:
        """Whether its AWS runs: a kill, or a restart of the machine, ends it."""
        return server.find(self._place) is not None

    @property
    def instances(self) -> Instances | None:
        """What its instances are, also while its AWS does not run; None if it never began."""
        if self._kept.exists():
            kept = self._kept.read_text().strip()
            return next((each for each in INSTANCES if each == kept), "guests")
        if (running := server.find(self._place)) is not None:
            return _instances(running.endpoint) or "guests"
        # From before there were hosts.
        return "guests" if self._stack().exists else None

    @property
    def has_hosts(self) -> bool:
        """Whether its instances are hosts."""
        return self.instances == "hosts"

    def check(self) -> None:
        """Refuse wrong settings, and a stack that is not for AWS.

        Raises:
            SettingsError: With everything that is wrong in the stack file.
            CommandError: There is no AWS in it.
        """
        self.settings()

    def settings(self) -> VmSettings:
        """Return the settings; raises as `check` does."""
        settings = self.opened.settings()
        if not isinstance(settings, VmSettings):
            raise CommandError(
                f"stack `{self.name}` runs on this machine anyway: `{COMMAND} up {self.name}`.",
                WRONG_SETTINGS,
            )
        return settings

    def choose(self, *, hosts: bool) -> Instances:
        """Return what its instances will be.

        Args:
            hosts: Whether they have to be hosts.

        Raises:
            CommandError: It has begun without.
        """
        known = self.instances
        if hosts and known not in (None, "hosts"):
            raise CommandError(
                f"the rehearsal of `{self.name}` has begun without hosts, and gets none by an "
                f"`up`. End it, and begin anew:\n{self.anew()}",
                WRONG_SETTINGS,
            )
        return known or ("hosts" if hosts else "guests")

    def begin(
        self,
        *,
        hosts: bool = False,
        end: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> Stack:
        """Start its AWS, if that does not run, and return the stack as it is there.

        From here on this process and its children know no other AWS.

        Args:
            hosts: Whether its instances have to be hosts.
            end: Whether that is for its end only.
            say: Hears what takes minutes, the first time that this machine has hosts.

        Raises:
            CommandError: It does not start, or has no hosts.
        """
        known, wanted = self.instances, self.choose(hosts=hosts)
        self._keep(wanted)
        try:
            self.endpoint = self._serve(wanted, end=end, say=say)
        except server.ServerError as error:
            self._give_up(wanted, begun=known is not None)
            raise CommandError(str(error)) from error
        inside = surroundings(os.environ, self.endpoint, hosts=wanted == "hosts")
        os.environ.clear()
        os.environ.update(inside)
        return self._stack()

    def anew(self) -> str:
        """Return the lines to type for one with hosts, where this one has none."""
        begin = f"{COMMAND} rehearse {self.name}"
        return f"  {begin} destroy\n  {begin} up --hosts"

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

    def left(self) -> list[Item]:
        """Return what its AWS holds that was not there at first."""
        running = server.find(self._place)
        return [] if running is None else server.contents(running.endpoint)

    def end(self, say: Callable[[str], None]) -> None:
        """End its AWS, undo what its hosts needed of this machine, and remove its folder.

        Args:
            say: Hears what takes a while, and what stays for another rehearsal.

        Raises:
            CommandError: It does not end.
        """
        try:
            server.stop(self._place)
            if self.has_hosts:
                _undo(self._place, say)
        except (server.ServerError, HostsError) as error:
            raise CommandError(str(error)) from error
        shutil.rmtree(self._place, ignore_errors=True)
        self._kept.unlink(missing_ok=True)
        for folder in (self.folder, self.folder.parent):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def _stack(self) -> Stack:
        return Stack(self.opened.project, self.name, home=self.folder)

    def _keep(self, wanted: Instances) -> None:
        """Write down what its instances are, before there is anything that `end` has to undo."""
        if not self._kept.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._kept.write_text(f"{wanted}\n")

    def _serve(self, wanted: Instances, *, end: bool, say: Callable[[str], None] | None) -> str:
        """Return where its AWS answers, after starting it if need be.

        Raises:
            ServerError: It does not start.
        """
        running = server.find(self._place)
        if running is None and end and wanted == "hosts":
            # Its hosts have ended with it: to delete what the state names takes none.
            return server.start(self._place, instances="records").endpoint
        if running is not None and not end and _instances(running.endpoint) not in (None, wanted):
            # That was the one above, and the destroy has not come to its end.
            server.stop(self._place)
        cache = self.opened.project.directory / HOSTS_CACHE if wanted == "hosts" else None
        return server.start(self._place, instances=wanted, cache=cache, say=say).endpoint

    def _give_up(self, wanted: Instances, *, begun: bool) -> None:
        """Leave nothing of hosts that could not be; one that never began may begin otherwise."""
        if wanted == "hosts":
            try:
                _undo(self._place, lambda _: None)
            except HostsError:
                return  # `destroy` undoes it, and says what is in the way
        if not begun:
            self._kept.unlink(missing_ok=True)


def surroundings(
    environment: Mapping[str, str], endpoint: str, *, hosts: bool = False
) -> dict[str, str]:
    """Return an environment in which AWS is on this machine and nowhere else.

    Args:
        environment: The person's own.
        endpoint: Of the rehearsal's AWS.
        hosts: Whether its instances are hosts: then there is a way into them.
    """
    kept = {key: value for key, value in environment.items() if not key.startswith("AWS_")}
    ours = [str(PLUGINS), *([str(HOSTS_PLUGINS)] if hosts else [])]
    path = os.pathsep.join(filter(None, (*ours, kept.get("PATH"))))
    # Without a proxy for what is on this machine.
    direct = ",".join(filter(None, (kept.get("no_proxy"), "127.0.0.1")))
    return kept | _NOWHERE | {"AWS_ENDPOINT_URL": endpoint, "PATH": path, "no_proxy": direct}


def _instances(endpoint: str) -> Instances | None:
    """Ask a server that runs what its instances are.

    Raises:
        CommandError: It does not answer.
    """
    try:
        said = request(endpoint, "GET", "/_sandbox/health").get("instances")
    except server.ServerError as error:
        raise CommandError(str(error)) from error
    return next((each for each in INSTANCES if each == said), None)


def _undo(place: Path, say: Callable[[str], None]) -> None:
    """Undo what hosts needed of this machine.

    Raises:
        HostsError: Something of it stays.
    """
    from sandbox.hosts import ground  # noqa: PLC0415  # only where there are hosts

    ground.undo(place, say)
