"""A stack for AWS, rehearsed on this machine: the same program against an AWS on loopback.

Nothing here reaches another machine: every variable of AWS's is replaced before anything is
started.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

import sandbox.hosts
from components.settings import Settings, VmSettings
from engine.display import Display
from engine.events import Outputs, Summary
from operations import rehearsed_hosts
from operations.rehearse import Asked, Rehearsal
from operations.stacks import COMMAND, WRONG_SETTINGS, CommandError
from sandbox.aws import server
from sandbox.aws.server.starter import INSTANCES, request
from sandbox.hosts.errors import HostsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console

    from engine import Event, Result, Stack
    from operations.rehearsed_hosts import Hosts
    from operations.stacks import Opened
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


class AwsRehearsal(Rehearsal):
    """The rehearsal of a stack for AWS.

    Attributes:
        endpoint: Where its AWS answers, once it has begun.
    """

    platform = "vm"
    cloud = "an AWS"
    mark = "tag"
    farewell = "Its AWS was as empty as before, and has ended."
    settings_model: ClassVar[type[Settings]] = VmSettings
    # Of the server itself nothing is left after a kill -9, but what its hosts need is.
    kept_file = "instances"

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        if importlib.util.find_spec("moto") is None:
            raise CommandError(
                f"a rehearsal needs moto, which is not installed here: run `make rehearse "
                f"STACK={opened.name}`, or `uv sync --group rehearsal` before this command.",
                WRONG_SETTINGS,
            )
        self.endpoint = ""
        self._place = self.folder / "aws"

    @property
    def runs(self) -> bool:
        """Whether its AWS runs: a kill, or a restart of the machine, ends it."""
        return server.find(self._place) is not None

    @property
    def known(self) -> Instances | None:
        """What its instances are, also while its AWS does not run; None if it never began."""
        if self._kept.exists():
            kept = self._kept.read_text().strip()
            return next((each for each in INSTANCES if each == kept), "guests")
        if (running := server.find(self._place)) is not None:
            return _instances(running.endpoint) or "guests"
        # From before there were hosts.
        return "guests" if self.stack().exists else None

    @property
    def has_hosts(self) -> bool:
        """Whether its instances are hosts."""
        return self.known == "hosts"

    def choose(self, asked: Asked) -> Instances:
        """Return what its instances will be; raises as the base does."""
        if asked.context is not None:
            raise CommandError(
                f"`--context` is for stacks of platform kubernetes, and `{self.name}` is for AWS.",
                WRONG_SETTINGS,
            )
        known = self.known
        if asked.hosts and known not in (None, "hosts"):
            raise CommandError(
                f"the rehearsal of `{self.name}` has begun without hosts, and gets none by an "
                f"`up`. End it, and begin anew:\n{self._anew()}",
                WRONG_SETTINGS,
            )
        return known or ("hosts" if asked.hosts else "guests")

    def prepare(self, wanted: str) -> str | None:
        """Refuse what hosts on this machine cannot be; returns and raises as the base does."""
        settings = self.settings()
        if wanted != "hosts" or not isinstance(settings, VmSettings):
            return None
        if wrong := rehearsed_hosts.unlike(settings):
            raise CommandError(
                f"stack `{self.name}` cannot be rehearsed with hosts:\n"
                + "".join(f"  {each}\n" for each in wrong)
                + "Take it out of the stack file, or rehearse without `--hosts`.",
                WRONG_SETTINGS,
            )
        if self.runs:
            return None
        return "Starting an AWS with hosts: the first one on a machine takes minutes."

    def up(self, console: Console, inside: Stack) -> Result:
        """Bring about what the stack file says, and show it; with hosts their boots too."""
        if not self.has_hosts:
            return super().up(console, inside)
        display = Display(console, kind="up")
        with rehearsed_hosts.Boots(console, self.endpoint) as boots:

            def listen(event: Event) -> None:
                # What comes now is a table, which no other line may be in.
                if isinstance(event, Outputs | Summary):
                    boots.end()
                display(event)

            return inside.up(listener=listen)

    def left(self) -> list[str]:
        """Return what its AWS holds that was not there at first."""
        running = server.find(self._place)
        there = [] if running is None else server.contents(running.endpoint)
        return [f"{item.service} {item.type} {item.id}" for item in there]

    def end(self, say: Callable[[str], None]) -> None:
        """End its AWS, undo what its hosts needed of this machine, and remove its folder."""
        try:
            server.stop(self._place)
            if self.has_hosts:
                _undo(self._place, say)
        except (server.ServerError, HostsError) as error:
            raise CommandError(str(error)) from error
        shutil.rmtree(self._place, ignore_errors=True)
        self._remove_folder()

    def require_way_in(self) -> None:
        """Refuse one without hosts, or whose hosts have ended; raises as the base does."""
        if not self.has_hosts:
            raise CommandError(
                f"the rehearsal of `{self.name}` has no hosts: its instances are records, and no "
                f"scheduler runs on them. For one with hosts:\n{self._anew()}",
                WRONG_SETTINGS,
            )
        if not self.runs:
            raise CommandError(
                f"the AWS of the rehearsal of `{self.name}` does not run any more, and its hosts "
                f"ended with it. To make them again: `{COMMAND} rehearse {self.name} up`."
            )

    def findings(self) -> Iterator[tuple[bool, str]]:
        """Yield each check of its hosts."""
        if self.has_hosts:
            yield from rehearsed_hosts.findings(self._hosts())

    def show_what_it_is(self, console: Console) -> None:
        """Print what stands in for AWS, below the table of the cluster."""
        things = f"  A rehearsal: {len(self.left())} things exist in an AWS on this machine. Its\n"
        if not self.has_hosts:
            console.print(
                f"\n{things}  instances are records; what they would report of their boot is "
                "pretended."
            )
            return
        hosts = self._hosts()
        rehearsed_hosts.show(console, hosts)
        console.print(
            f"\n{things}  instances are hosts here. A command beside them, a look into one:"
        )
        command = f"    {COMMAND} run {self.name} --rehearsal -- COMMAND"
        console.print(command, markup=False, soft_wrap=True)
        rehearsed_hosts.show_way_in(console, hosts)

    def _hosts(self) -> Hosts:
        try:
            return rehearsed_hosts.look(self.endpoint)
        except server.ServerError as error:
            raise CommandError(str(error)) from error

    def _is_reachable(self) -> bool:
        return self.has_hosts

    def _anew(self) -> str:
        """Return the lines to type for one with hosts, where this one has none."""
        begin = f"{COMMAND} rehearse {self.name}"
        return f"  {begin} destroy\n  {begin} up --hosts"

    def _start(self, wanted: str, *, end: bool, say: Callable[[str], None]) -> dict[str, str]:
        try:
            self.endpoint = self._serve(cast("Instances", wanted), end=end, say=say)
        except server.ServerError as error:
            raise CommandError(str(error)) from error
        return surroundings(os.environ, self.endpoint, hosts=wanted == "hosts")

    def _serve(self, wanted: Instances, *, end: bool, say: Callable[[str], None]) -> str:
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

    def _give_up(self, wanted: str, *, begun: bool) -> None:
        if wanted == "hosts":
            try:
                _undo(self._place, lambda _: None)
            except HostsError:
                return  # `destroy` undoes it, and says what is in the way
        super()._give_up(wanted, begun=begun)


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
