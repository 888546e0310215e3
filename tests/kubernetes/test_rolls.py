"""What rolls workers, what replaces all, and who is refused: by settings and environments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from operations.remote import RECIPE
from tests.running import ROOT, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kubernetes.podded import Podded
    from tests.running import Load

pytestmark = pytest.mark.timeout(1200)

WORKERS = 3
# Small, without dependencies, and in no environment of ours.
EXTRA, VERSION = "iniconfig", "2.0.0"
COMPUTE = """
import json
from distributed import Client
with Client() as client:
    client.wait_for_workers(1, timeout=120)
    print(json.dumps(client.submit(sum, [1, 2]).result()))
"""
PACKAGES = f"""
import json
from importlib import metadata
from distributed import Client
def version():
    return metadata.version("{EXTRA}")
with Client() as client:
    client.wait_for_workers({WORKERS}, timeout=240)
    on_workers = set(client.run(version).values())
    print(json.dumps([version(), client.run_on_scheduler(version), *on_workers]))
"""


@pytest.fixture(scope="module")
def stack(podded: Callable[[str], Podded]) -> Podded:
    stack = podded("rolls")
    stack.take(workers=WORKERS)
    stack.up()
    return stack


@pytest.fixture
def load(stack: Podded) -> Iterator[Callable[..., Load]]:
    with loads(stack.beside) as begin:
        yield begin


def test_pods_are_replaced_and_nothing_is_lost(stack: Podded, load: Callable[..., Load]) -> None:
    scheduler, before = stack.names("scheduler"), stack.settled(WORKERS)
    load_ = load(WORKERS)
    stack.edit(memory="720 MiB", resources={"slot": 2})
    # The last one waits for a worker of the new kind.
    updated = ["cluster-ready Ready", "dask-rolls-worker Deployment"]
    assert stack.up().changed == {"updated": updated}

    def rolled() -> bool:
        return not before & stack.names()

    stack.until(rolled, "other pods")
    stack.settled(WORKERS)
    load_.check({"SIGTERM": WORKERS})
    assert stack.names("scheduler") == scheduler
    assert stack.up().changed == {}


def test_what_is_no_change_of_the_workers_rolls_nothing(stack: Podded) -> None:
    before = stack.settled(WORKERS) | stack.names("scheduler")
    stack.edit(idleStop="1 h", maxWorkers=WORKERS + 1)
    assert set(stack.up().changed) == {"updated"}
    stack.edit(idleStop=None, maxWorkers=None)
    assert set(stack.up().changed) == {"updated"}
    assert stack.settled(WORKERS) | stack.names("scheduler") == before


def other_environment(folder: Path) -> Path:
    """Build an environment with one more package, as another checkout would."""
    recipe = str(ROOT / RECIPE)
    python = ["--python", str(Path(sys.executable).resolve())]
    extra = folder / "extra.txt"
    command = [recipe, "--resolve", *python, f"{EXTRA}=={VERSION}"]
    resolved = subprocess.run(command, capture_output=True, text=True, check=True)
    extra.write_text(resolved.stdout)
    built = folder / "environment"
    subprocess.run([recipe, str(built), *python, "--extra", str(extra)], check=True)
    return built


def test_a_client_of_another_environment_is_refused(stack: Podded, tmp_path: Path) -> None:
    other = other_environment(tmp_path)
    # With the certificate, and with the packages of its own.
    own = ["env", "-u", "DASK_CLUSTER_ENVIRONMENT", str(other / "bin" / "python")]
    with stack.beside(*own, "-c", COMPUTE) as client:
        said = list(client.lines())
    assert said[-1].startswith("Or build that environment here"), "\n".join(said)
    rows = [line.split() for line in said]
    # Of the packages this one, and no other.
    table = rows[rows.index(["client", "scheduler", "workers"]) + 1 :]
    assert table[0] == [EXTRA, VERSION, "-", "-"]
    word, mine, *theirs = table[1]
    assert word == "environment"
    assert len({*theirs}) == 1
    assert mine not in theirs
    assert stack.python(COMPUTE) == 3


def test_a_new_environment_replaces_all_of_them(stack: Podded) -> None:
    """And before nothing did: all updates above left the scheduler where it was."""
    scheduler, before = stack.names("scheduler"), stack.names()
    old = stack.outputs()
    stack.edit(packages=[f"{EXTRA}=={VERSION}"])
    stack.up()
    stack.settled(WORKERS)
    new = stack.outputs()
    assert old["environment"] != new["environment"]
    assert old["image"] != new["image"]
    assert new["image"].partition("@")[2].startswith("sha256:")
    assert not scheduler & stack.names("scheduler")
    assert not before & stack.names()
    assert stack.python(PACKAGES) == [VERSION] * 3
    assert stack.up().changed == {}
