"""What is said of hosts while they boot, and of those that are there."""

from __future__ import annotations

import io
import re
import threading
import time
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from components.settings import VmSettings, load_file
from engine.display import Display
from engine.events import StepStarted
from operations import rehearsed_hosts
from operations.rehearsed_hosts import Boots, look
from sandbox.aws.server import ServerError
from tests.environment.built import wait_for
from tests.operations.hosts_table import HostsTable, host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

A, B = "i-0000000000000000a", "i-0000000000000000b"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


@pytest.fixture
def table() -> Iterator[HostsTable]:
    with HostsTable() as serving:
        yield serving


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsed_hosts, "LOOK_SECONDS", 0.02)


def looked(table: HostsTable) -> None:
    """Return when it was asked, and was answered, since now."""
    before = table.asked
    wait_for(lambda: table.asked >= before + 3, "three looks")


def test_a_line_for_each_step(table: HostsTable) -> None:
    printed = io.StringIO()
    table.hosts = [host(A, state="up", step="")]
    with Boots(Console(file=printed, width=40), table.endpoint) as boots:
        looked(table)
        for seconds, state, step in (
            (0, "starting", "image"),
            (2, "booting", "environment"),
            (3, "booting", "environment"),
            (9, "up", "environment"),
        ):
            table.hosts = [
                host(A, state="up", step=""),
                host(B, state=state, step=step, seconds=seconds),
            ]
            looked(table)
        table.silent = True
        looked(table)
        table.silent = False
        table.hosts = [host(B, state="failed", step="environment", reason="full", seconds=12)]
        looked(table)
        boots.end()
        table.hosts = [host(B, state="ended", step="", seconds=13)]
        asked = table.asked
        time.sleep(0.2)
        assert table.asked <= asked + 1
    where = f"  {B} worker    10.0.1.5    "
    assert printed.getvalue().splitlines() == [
        f"{where} starting: image (0 s)",
        f"{where} environment (2 s)",
        f"{where} up (9 s)",
        f"{where} failed: environment: full (12 s)",
    ]


def test_lines_do_not_tear(table: HostsTable) -> None:
    """Beside a display that draws what runs, again and again."""
    printed = io.StringIO()
    console = Console(file=printed, force_terminal=True, width=60)
    display = Display(console, kind="up")
    urn = "urn:pulumi:dev::dask-cluster::ready:Ready::dev-ready"
    display(StepStarted(urn, "ready:Ready", "dev-ready", "create"))
    many = [host(f"i-{n:017x}", step="environment") for n in range(40)]
    with Boots(console, table.endpoint):
        for number in range(5):
            table.hosts = [{**each, "step": f"step-{number}"} for each in many]
            looked(table)
            rows = threading.Thread(target=print_rows, args=(console,))
            rows.start()
            rows.join()
    display._stop()
    # What a terminal shows of a line is what came after it was last erased.
    written = (line.rpartition("\x1b[2K")[2] for line in printed.getvalue().split("\n"))
    lines = [ESCAPES.sub("", line).rstrip() for line in written]
    told = [line for line in lines if " worker " in line]
    assert len(told) == 200
    assert all(re.fullmatch(r"  i-\w{17} worker    10.0.1.5     step-\d \(1 s\)", t) for t in told)
    assert sum(line == "row" * 10 for line in lines) == 250


def print_rows(console: Console) -> None:
    for _ in range(50):
        console.print("row" * 10)


def test_what_is_shown(table: HostsTable) -> None:
    table.hosts = [
        host(B, step="environment", seconds=3),
        host("i-0c", state="ended"),
        host(A, group="scheduler", address="10.0.1.4", state="up", step=""),
    ]
    found = look(table.endpoint)
    assert [each.instance for each in found.there] == [A, B]
    printed = io.StringIO()
    console = Console(file=printed, width=60)
    rehearsed_hosts.show(console, found)
    rehearsed_hosts.show_way_in(console, found)
    assert [line.rstrip() for line in printed.getvalue().splitlines()] == [
        "",
        "  Host                 group      address   state",
        f"  {A}  scheduler  10.0.1.4  up",
        f"  {B}  worker     10.0.1.5  booting  environment",
        f"    docker -H unix:///run/x/docker.sock exec -it {A} bash",
    ]


def test_what_is_checked(table: HostsTable) -> None:
    table.hosts = [host(A, state="up"), host(B)]
    assert list(rehearsed_hosts.findings(look(table.endpoint))) == [
        (True, "hosts: 1 of 2 up, by Docker at unix:///run/x/docker.sock")
    ]
    table.hosts = [host(A, state="up"), host(B, state="failed", step="disk", reason="full")]
    assert list(rehearsed_hosts.findings(look(table.endpoint))) == [
        (False, f"host {B} of group worker: failed: disk: full")
    ]


def test_an_aws_without_hosts(table: HostsTable) -> None:
    table.silent = True
    with pytest.raises(ServerError):
        look(table.endpoint)


def test_what_hosts_here_cannot_be(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.big.yaml"
    file.write_text(
        "config: {platform: vm, region: us-east-2, workers: 2, instanceTypes: [m6id.large], "
        "spillToNvme: true, vpc: {zones: [us-east-2a]}, lustre: {size: 1200 GiB}}"
    )
    settings = load_file(file)
    assert isinstance(settings, VmSettings)
    assert rehearsed_hosts.unlike(settings, (3, 12)) == [
        "Python 3.12: hosts here are Debian 12, which has 3.11 only",
        "lustre: Debian has no client of it",
        "spillToNvme of worker: a container has no disks of its own",
    ]
