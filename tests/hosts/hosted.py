"""A rehearsed stack whose instances are hosts: containers on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from sandbox.hosts import ground
from sandbox.machine.docker import Docker
from tests.running import Beside
from tests.sandbox.rehearsed import ROOT, Rehearsed

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.aws.server.starter import Instances

# A machine of two cores that boots ten hosts at once is slow.
WAIT_SECONDS = 300
CACHE = ROOT / ".cache" / "hosts"
BESIDE = [sys.executable, "-m", "tests.hosts.beside"]


class Hosted(Rehearsed):
    """One stack with hosts; `python` runs programs beside it, as a person's `run` does."""

    instances: Instances = "hosts"
    cache = CACHE

    def __init__(self, home: Path, name: str) -> None:
        """Begin it: `home` is what `.dask-cluster` is in a checkout."""
        self.home = home
        folder = home / "rehearsals" / name
        folder.mkdir(parents=True)
        (folder / "instances").write_text("hosts\n")
        super().__init__(folder, name)
        self._range = free_range()

    def take(self, settings: dict[str, Any]) -> None:
        """Write a stack file, in a range that this machine has free."""
        vpc = {"cidr": self._range, **settings.get("vpc", {})}
        super().take({**settings, "vpc": vpc})

    def take_committed(self) -> None:
        super().take_committed()
        self.take(self.settings)

    def hosts(self, group: str | None = None, *, state: str | None = None) -> list[dict[str, Any]]:
        """Return the rows of hosts that have not ended."""
        rows: list[dict[str, Any]] = self.sandbox("GET", "hosts")["hosts"]
        return [
            row
            for row in rows
            if row["state"] != "ended"
            and group in (None, row["group"])
            and state in (None, row["state"])
        ]

    @property
    def docker(self) -> Docker:
        return Docker(self.sandbox("GET", "hosts")["docker"])

    def inside(self, instance: str, *command: str) -> str:
        """Run a command in a host and return what it printed; it has to go well."""
        done = self.docker.exec(instance, *command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def order(self, body: dict[str, Any]) -> None:
        """Tell the hosts of the sandbox something, such as a spot notice."""
        self.sandbox("POST", "hosts", body)

    def until(self, look: Any, what: str, seconds: float = WAIT_SECONDS) -> Any:  # noqa: ANN401
        """Wait until something is true, and return it."""
        end = time.monotonic() + seconds
        while not (seen := look()):
            assert time.monotonic() < end, f"not within {seconds:g} s: {what}\n{self.shown()}"
            time.sleep(0.2)
        return seen

    def shown(self) -> str:
        """Return the state of every host, for messages."""
        return "\n".join(json.dumps(row) for row in self.sandbox("GET", "hosts")["hosts"])

    def beside(self, *words: str) -> Beside:
        """Start a command beside the cluster, in its environment, where `Client()` connects."""
        command = [*BESIDE, str(self.home), str(self.stacks), self.name, *words]
        return Beside(command, ROOT)

    def python(self, program: str, *, seconds: float = WAIT_SECONDS) -> Any:  # noqa: ANN401
        """Run a program beside the cluster; return what its last line says, as JSON."""
        with self.beside("python", "-c", program) as running:
            return running.result(seconds)

    def end(self) -> None:
        super().end()
        ground.undo(self.folder / "aws")


def free_range() -> str:
    """Return a range of addresses to which this machine has no route."""
    command = ["ip", "-json", "-4", "route", "show"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    routes = [each["dst"] for each in json.loads(shown) if each["dst"] != "default"]
    taken = [IPv4Network(each) for each in routes]
    # Each process of the tests has its own part: several may begin at the same time.
    part = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    free = (IPv4Network(f"10.{n}.0.0/16") for n in range(64 + 40 * part, 104 + 40 * part))
    return str(next(one for one in free if not any(map(one.overlaps, taken))))
