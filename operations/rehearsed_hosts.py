"""The hosts of a rehearsal: what they do while they boot, and how they are shown."""

from __future__ import annotations

import contextlib
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from rich.table import Table
from rich.text import Text

from sandbox.aws.server import ServerError
from sandbox.aws.server.starter import request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from components.settings import VmSettings

LOOK_SECONDS = 0.5
# Of the Debian that hosts are, see sandbox/hosts/root.
PYTHON = (3, 11)
COLUMNS = ("Host", "group", "address", "state", "")
_STYLES = {"failed": "red", "up": "green"}


@dataclass(frozen=True)
class Host:
    """One host as it is now.

    Attributes:
        instance: Its id.
        group: ``scheduler``, or a group of workers.
        address: Its private address.
        container: What Docker calls it.
        state: ``starting``, ``booting``, ``up``, ``failed``, ``ending`` or ``ended``.
        step: What is done for it, and then what its boot does.
        reason: Why it failed.
        seconds: How long it took, so far.
    """

    instance: str
    group: str
    address: str
    container: str
    state: str
    step: str
    reason: str
    seconds: float

    @property
    def words(self) -> str:
        """What it does, for people."""
        if self.state == "booting" and self.step:
            return self.step
        return f"{self.state}: {self.why}" if self.why else self.state

    @property
    def why(self) -> str:
        """What there is to say beside its state."""
        if self.state == "failed":
            return f"{self.step}: {self.reason}" if self.reason and self.step else self.reason
        return self.step if self.state in {"starting", "booting"} else ""

    @property
    def line(self) -> str:
        """What is told of it."""
        told = f"{self.instance} {self.group:<9} {self.address:<12} {self.words}"
        return f"  {told} ({self.seconds:.0f} s)"


@dataclass(frozen=True)
class Hosts:
    """All hosts of a rehearsal.

    Attributes:
        docker: Where their Docker answers.
        there: The hosts, the scheduler first; none that has ended.
    """

    docker: str
    there: list[Host]


def unlike(settings: VmSettings, python: tuple[int, int] = sys.version_info[:2]) -> list[str]:
    """Return what hosts on this machine cannot be, of what a stack file asks for.

    Args:
        settings: Of the stack.
        python: The program's own minor version, which its hosts need as well.
    """
    found = []
    if python != PYTHON:
        ours, theirs = (".".join(map(str, each)) for each in (python, PYTHON))
        found.append(f"Python {ours}: hosts here are Debian 12, which has {theirs} only")
    if settings.lustre is not None:
        found.append("lustre: Debian has no client of it")
    found += [
        f"spillToNvme of {name}: a container has no disks of its own"
        for name, group in settings.worker_groups.items()
        if group.spill_to_nvme
    ]
    return found


def look(endpoint: str) -> Hosts:
    """Ask the AWS of a rehearsal for its hosts.

    Raises:
        ServerError: It does not answer, or has none.
    """
    told = request(endpoint, "GET", "/_sandbox/hosts")
    hosts = [_host(each) for each in told["hosts"]]
    there = [each for each in hosts if each.state != "ended"]
    there.sort(key=lambda each: (each.group != "scheduler", each.group, each.instance))
    return Hosts(told["docker"], there)


def _host(told: dict[str, Any]) -> Host:
    words = ("instance", "group", "address", "container", "state", "step", "reason")
    return Host(**{key: str(told[key]) for key in words}, seconds=float(told["seconds"]))


def show(console: Console, hosts: Hosts) -> None:
    """Print a row for each host."""
    rows = [(e.instance, e.group, e.address, e.state, e.why) for e in hosts.there]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, column in enumerate(COLUMNS):
        width = max(len(cell) for cell in (column, *(row[number] for row in rows)))
        table.add_column(column if number else f"  {column}", min_width=width + 2 * (not number))
    for instance, group, address, state, why in rows:
        styled = Text(state, _STYLES.get(state, ""))
        table.add_row(f"  {instance}", group, address, styled, why)
    console.print()
    console.print(table, soft_wrap=True)  # a wide one is not cut


def show_way_in(console: Console, hosts: Hosts) -> None:
    """Print what a person types to look into a host, if there is one."""
    for each in hosts.there[:1]:
        command = f"    docker -H {hosts.docker} exec -it {each.container} bash"
        console.print(command, markup=False, soft_wrap=True)


def findings(hosts: Hosts) -> Iterator[tuple[bool, str]]:
    """Yield each check of the hosts: whether it is well, and a line that says what was seen."""
    failed = [each for each in hosts.there if each.state == "failed"]
    for each in failed:
        yield False, f"host {each.instance} of group {each.group}: {each.words}"
    if not failed:
        up = sum(each.state == "up" for each in hosts.there)
        yield True, f"hosts: {up} of {len(hosts.there)} up, by Docker at {hosts.docker}"


class Boots:
    """Prints a line whenever the boot of a host comes to another step.

    Each is printed in one piece, by the console that others print on at the same time.
    """

    def __init__(self, console: Console, endpoint: str) -> None:
        """Prepare it.

        Args:
            console: Where to print.
            endpoint: The AWS of the rehearsal.
        """
        self._console = console
        self._endpoint = endpoint
        self._seen: dict[str, tuple[str, str]] = {}
        self._over = threading.Event()
        self._printing = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="boots", daemon=True)

    def __enter__(self) -> Self:
        # What they did before is no news.
        self._seen = {each.instance: (each.state, each.step) for each in self._look()}
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Print nothing more from here on."""
        self._over.set()
        # A line that is being printed comes to its end.
        with self._printing:
            pass

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            for each in self._look():
                now = (each.state, each.step)
                if self._seen.get(each.instance) != now:
                    self._seen[each.instance] = now
                    self._print(each)

    def _look(self) -> Sequence[Host]:
        # An AWS that does not answer is found by whoever asks it for something.
        with contextlib.suppress(ServerError):
            told = request(self._endpoint, "GET", "/_sandbox/hosts")
            return [_host(each) for each in told["hosts"]]
        return ()

    def _print(self, host: Host) -> None:
        with self._printing:
            if not self._over.is_set():
                line = Text(host.line, _STYLES.get(host.state, "dim"))
                self._console.print(line, soft_wrap=True)
