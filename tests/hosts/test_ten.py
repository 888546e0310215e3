"""Ten hosts come up at once, compute and go; of them nothing is left on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from sandbox.hosts import ground
from sandbox.hosts.machine import Machine
from sandbox.hosts.names import Names
from sandbox.hosts.sysctls import LEAST

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.machine.docker import Docker
    from tests.hosts.hosted import Hosted

pytestmark = pytest.mark.timeout(1200)

WORKERS = 9
# A task on each worker, and one that fetches what all of them made.
COMPUTED = f"""
import json, socket
from distributed import Client
with Client() as client:
    client.wait_for_workers({WORKERS}, timeout=120)
    workers = client.scheduler_info(n_workers=-1)["workers"]
    names = client.run(socket.gethostname)
    parts = [client.submit(pow, n, 2, workers=[each]) for n, each in enumerate(sorted(workers))]
    total = client.submit(sum, parts)
    print(json.dumps([total.result(), sorted(names.values()), len(workers)]))
"""


@dataclass(frozen=True)
class Ours:
    """What one rehearsal may have on this machine."""

    names: Names
    docker: Docker

    @classmethod
    def of(cls, stack: Hosted) -> Ours:
        return cls(Names.of(stack.folder / "aws"), stack.docker)

    def containers(self) -> list[str]:
        return [each.name for each in self.docker.ps(self.names.label)]

    def left(self) -> list[str]:
        """Return everything of it that is there."""
        tables = _said("nft", "list", "tables").splitlines()
        # One that a rehearsal started ends with the last of them.
        answers = self.docker.fits()
        return [
            *(self.containers() if answers else ()),
            *(self.docker.networks(self.names.label) if answers else ()),
            *(each for each in tables if self.names.table in each),
            *(f"user {key}" for key in Machine().users() if key == self.names.key),
        ]


@dataclass(frozen=True)
class State:
    """What all rehearsals share of this machine, and what others have made there."""

    sysctls: dict[str, str]
    links: list[str]
    tables: list[str]
    folder: bool

    @classmethod
    def now(cls) -> State:
        links = json.loads(_said("ip", "-json", "link", "show"))
        return cls(
            {name: Path("/proc/sys", name).read_text() for name in LEAST},
            sorted(each["ifname"] for each in links),
            sorted(_said("nft", "list", "tables").splitlines()),
            Machine().run.exists(),
        )


@pytest.fixture(scope="module")
def before() -> State | None:
    """The machine as it is before; None where another rehearsal is there, and changes it."""
    return None if Machine().users() else State.now()


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _gone(ours: Ours, before: State | None) -> None:
    assert ours.left() == []
    if before is not None and not Machine().users():
        assert State.now() == before


def test_ten_at_once(before: State | None, hosted: Callable[[str], Hosted]) -> None:
    stack = hosted("dev")
    ours = Ours.of(stack)
    stack.take_committed()
    stack.edit(workers=WORKERS)
    stack.up()
    stack.until(lambda: len(stack.hosts("worker", state="up")) == WORKERS, "all have booted")
    rows = stack.hosts()
    assert len(rows) == len({row["address"] for row in rows}) == 1 + WORKERS
    assert {row["state"] for row in rows} == {"up"}
    assert sorted(ours.containers()) == sorted(row["instance"] for row in rows)
    names = sorted(f"ip-{row['address'].replace('.', '-')}" for row in stack.hosts("worker"))
    total = sum(n * n for n in range(WORKERS))
    assert stack.python(COMPUTED) == [total, names, WORKERS]
    # Nobody had to try twice.
    assert len(stack.sandbox("GET", "hosts")["hosts"]) == 1 + WORKERS

    stack.edit(workers=0)
    stack.up()
    stack.until(lambda: not stack.hosts("worker"), "all workers have ended")
    assert len(ours.containers()) == 1

    stack.destroy()
    assert stack.contents() == []
    stack.until(lambda: not ours.containers(), "the last host has ended")
    stack.end()
    _gone(ours, before)


def test_nothing_is_left_after_a_kill_in_the_middle_of_a_boot(
    before: State | None, hosted: Callable[[str], Hosted]
) -> None:
    stack = hosted("dev")
    ours = Ours.of(stack)
    stack.take_committed()
    going = threading.Thread(target=stack.run, args=("up",))
    going.start()

    def booting() -> list[int]:
        rows = stack.hosts("scheduler", state="booting")
        return [row["pid"] for row in rows if row["step"] not in {"", "cloud-init", "instance"}]

    (pid,) = stack.until(booting, "a host is in the middle of its boot")
    host = psutil.Process(pid)
    process = psutil.Process(stack.server.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    going.join(300)
    assert not going.is_alive()
    # The hosts do not notice.
    assert len(ours.containers()) == 1
    assert host.is_running()
    ground.undo(stack.folder / "aws")
    assert not host.is_running()
    _gone(ours, before)
    # There is nothing to undo any more.
    ground.undo(stack.folder / "aws")
