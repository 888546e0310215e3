"""An `up` that is killed, and an AWS that refuses calls: what comes after, and what is left."""

from __future__ import annotations

import dataclasses
import logging
import random
import re
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import pytest

from operations import sweep
from tests.conftest import THOROUGH
from tests.sandbox.faults import FAULTS, Case
from tests.sandbox.rehearsed import ROOT, Rehearsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operations.sweep.kinds import Scope
    from operations.sweeping import Left
    from tests.sandbox.rehearsed import Run

LOG = logging.getLogger(__name__)
KILLS = 20
SEED = 20
KILLED = range(KILLS) if THOROUGH else range(0, KILLS, 5)
# Else the first of each error in each phase.
CHOSEN = FAULTS if THOROUGH else {(each.during, each.error): each for each in FAULTS[::-1]}.values()
WAIT_SECONDS = 120
HELD_SECONDS = 20
READS = ("Describe", "Get", "List", "Head")
UP = """
import sys
from pathlib import Path
from tests.sandbox.rehearsed import Rehearsed
sys.exit(not Rehearsed(Path(sys.argv[1]), sys.argv[2]).run("up").result.ok)
"""
# For example: aws:ec2/vpc:Vpc 'dask-dev': CreateVpc: VpcLimitExceeded: The limit of ...
NAMED = re.compile(r"(?P<type>\S+) '(?P<name>[^']+)': (?P<call>[A-Z]\w+): (?P<code>[\w.]+): \S")


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A stack to interrupt.

    Attributes:
        stack: Up or not, as each test leaves it: down.
        writes: How many calls of one `up` change something.
        kinds: How many things of each kind bear its tag then.
    """

    stack: Rehearsed
    writes: int
    kinds: Counter[str]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    stack = Rehearsed(tmp_path_factory.mktemp("interrupted"), "dev")
    stack.take_committed()
    stack.up()
    writes, kinds = _writes(stack), _kinds(stack)
    stack.destroy()
    assert stack.contents() == []
    yield Prepared(stack, writes, kinds)
    stack.end()


@pytest.fixture
def stack(prepared: Prepared) -> Iterator[Rehearsed]:
    """The stack, down, in an account as new."""
    stack = prepared.stack
    stack.sandbox("POST", "reset")
    stack.take_committed()
    assert not stack.stack.exists
    assert stack.contents() == []
    yield stack
    # The next test does not suffer from what this one leaves if it fails.
    stack.forget()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", KILLED)
def test_killed(stack: Rehearsed, prepared: Prepared, number: int) -> None:
    chance = random.Random(SEED + number)  # noqa: S311
    step = prepared.writes / KILLS
    at = max(1, int(step * number + chance.uniform(0, step)))
    assert _kill(stack, at, chance.uniform(0, 0.05)), "it had ended before"
    if number % 2:
        _destroy_and_sweep(stack)
        return
    run = stack.run("up")
    if run.result.ok:
        assert stack.up().changed == {}
    else:
        # What the killed call made has a name that AWS gives out once.
        said = _named(run)
        assert all(each["name"].startswith(("dask-dev", "registered")) for each in said), said
    _report(f"kill at write {at} of {prepared.writes}", run)
    _destroy_and_sweep(stack)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", CHOSEN, ids=str)
def test_refused(stack: Rehearsed, prepared: Prepared, case: Case) -> None:
    if case.during != "create":
        stack.up()
    if case.during == "update":
        stack.edit(**case.edit)
    fault = {"service": case.service, "operation": case.operation, "error": case.error}
    stack.sandbox("POST", "faults", [fault | case.which])
    run = stack.run("destroy" if case.during == "delete" else "up")
    (row,) = stack.sandbox("GET", "faults")
    assert row["hits"], "no such call was made"
    _report(str(case), run)
    if case.code is None:
        assert run.result.ok, run.messages
    else:
        assert not run.result.ok
        said = [each for each in _named(run) if fnmatch(each["name"], case.name)]
        wanted = {"type": case.type, "call": case.operation, "code": case.code}
        assert any(wanted.items() <= each.items() for each in said), run.messages
    stack.sandbox("DELETE", "faults")
    if case.again:
        stack.up()
        if case.during == "create":
            # Also what was cut off between its create call and the one for its tags.
            assert _kinds(stack) == prepared.kinds
    # What AWS has refused it has not made: nothing is there that Pulumi does not know.
    stack.destroy()
    assert stack.contents() == []


def _kill(stack: Rehearsed, at: int, pause: float) -> bool:
    """Kill an `up` once AWS was asked to change something so often; False if it ended before."""
    process = subprocess.Popen(
        [sys.executable, "-c", UP, str(stack.folder), stack.name],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + WAIT_SECONDS
    while _writes(stack) < at and process.poll() is None:
        assert time.monotonic() < end, f"no {at} calls within {WAIT_SECONDS} s"
        time.sleep(0.005)
    time.sleep(pause)
    was_running = process.poll() is None
    process.kill()
    process.wait()
    return was_running


def _writes(stack: Rehearsed) -> int:
    calls = stack.sandbox("GET", "calls")
    return sum(
        number
        for operations in calls.values()
        for operation, number in operations.items()
        if not operation.startswith(READS)
    )


def _kinds(stack: Rehearsed) -> Counter[str]:
    left, refused = sweep.find(_scope(stack), stack)
    assert refused == []
    return Counter(each.kind for each in left)


def _scope(stack: Rehearsed) -> Scope:
    return sweep.scope_of(stack.name, stack.settings["region"], stack)


def _destroy_and_sweep(stack: Rehearsed) -> None:
    """Take all down that Pulumi knows, then what it does not.

    A VPC that it knows may hold a subnet that it does not: then its destroy waits for minutes, as
    with AWS itself, and ends once a sweep, from another terminal, has taken the subnet.
    """
    with ThreadPoolExecutor(1) as pool:
        destroy = pool.submit(stack.run, "destroy")
        wait([destroy], HELD_SECONDS)
        LOG.info("destroy %s", "ended" if destroy.done() else "is held")
        _sweep(stack)
    run = destroy.result()
    unknown = [each.urn for each in run.result.diagnostics if "was being created" in each.message]
    # A component, the stack and a provider are nothing but their records.
    assert all("$aws:" in urn or "dynamic" in urn for urn in unknown), unknown
    assert run.result.ok, run.messages
    _sweep(stack)
    assert stack.contents() == []
    assert not stack.stack.exists


def _sweep(stack: Rehearsed) -> None:
    swept: list[Left] = []
    left = sweep.delete(
        _scope(stack), stack, deleted=swept.append, seconds=WAIT_SECONDS, quiet=WAIT_SECONDS
    )
    LOG.info("swept: %s", [f"{each.kind} {each.id}" for each in swept])
    assert left == ()


def _named(run: Run) -> list[dict[str, str]]:
    """The errors by type, name, call and code; every error has them."""
    errors = [each for each in run.result.diagnostics if each.severity == "error" and each.urn]
    assert errors
    found = [NAMED.search(each.message) for each in errors]
    assert all(found), [each.message for each in errors]
    return [each.groupdict() for each in found if each]


def _report(what: str, run: Run) -> None:
    """Shown by `pytest --log-cli-level=info`: how it went."""
    errors = (each.message for each in run.result.diagnostics if each.severity == "error")
    LOG.info("%s: %s %.160s", what, "ok" if run.result.ok else "failed", next(errors, ""))
