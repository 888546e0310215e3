"""One environment for all of a cluster: another one replaces it whole, or is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.other_environment import EXTRA, PACKAGES, VERSION, check_refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kubernetes.podded import Podded

# Each test waits for images, and for pods that are replaced.
pytestmark = pytest.mark.timeout(1200)

WORKERS = 2
DEPLOYMENT = "deployment/dask-environments-worker"
COMPUTE = """
import json
from distributed import Client
with Client() as client:
    client.wait_for_workers(1, timeout=120)
    names = client.run(lambda dask_worker: dask_worker.name).values()
    print(json.dumps(sorted(name.rpartition("-")[0] for name in names)))
"""
VERSIONS = f"""
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
    stack = podded("environments")
    stack.take(workers=WORKERS)
    stack.up()
    return stack


@pytest.fixture(scope="module")
def other(stack: Podded) -> dict[str, Any]:
    """What the stack was with another environment; it has its own again, and one worker."""
    stack.edit(packages=PACKAGES)
    stack.up()
    other = stack.outputs()
    stack.edit(packages=None, workers=1)
    stack.up()
    assert stack.outputs()["environment"] != other["environment"]
    return other


def test_a_client_of_another_environment_is_refused(stack: Podded, tmp_path: Path) -> None:
    check_refused(stack.beside, COMPUTE, tmp_path)
    names = sorted(stack.settled(WORKERS))
    assert stack.python(COMPUTE) == names


def test_a_new_environment_replaces_all_of_them(stack: Podded) -> None:
    scheduler, before = stack.names("scheduler"), stack.names()
    old = stack.outputs()
    stack.edit(packages=PACKAGES)
    stack.up()
    stack.settled(WORKERS)
    new = stack.outputs()
    assert old["environment"] != new["environment"]
    assert old["image"] != new["image"]
    assert new["image"].partition("@")[2].startswith("sha256:")
    assert not scheduler & stack.names("scheduler")
    assert not before & stack.names()
    assert stack.python(VERSIONS) == [VERSION] * 3
    assert stack.up().changed == {}


def test_workers_of_another_environment(stack: Podded, other: dict[str, Any]) -> None:
    """Somebody has set their image by hand: the scheduler admits none, and the old ones stay."""
    (mine,) = stack.settled(1)
    stack.kubectl("set", "image", DEPLOYMENT, f"worker={other['image']}")

    def crashes() -> bool:
        return any(
            pod["status"].get("containerStatuses", [{}])[0].get("restartCount", 0)
            for pod in stack.pods()
            if pod["spec"]["containers"][0]["image"] == other["image"]
        )

    stack.until(crashes, "a worker with another image has ended")
    said = stack.doctor(code=1)
    assert "this worker runs another environment than its scheduler" in said
    assert f"{EXTRA} {VERSION} here, absent on the scheduler" in said
    assert stack.names(ready=True) == {mine}
    assert stack.python(COMPUTE) == [mine]
    # And an `up` takes it back.
    updated = ["cluster-ready Ready", "dask-environments-worker Deployment"]
    assert stack.up().changed == {"updated": updated}
    assert stack.settled(1) == {mine}
    # The scheduler's log tells of the refusals for an hour.
    assert stack.status()["faults"] == []


def test_an_image_of_another_environment(stack: Podded, other: dict[str, Any]) -> None:
    """A user's own image, that holds something else than this checkout makes."""
    stack.edit(imageRepository=None, image=other["image"])
    said = stack.up(code=None)
    assert said.code == 1, said.text
    assert other["environment"] in said.text
