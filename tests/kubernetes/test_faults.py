"""What keeps a worker from working is named by `up` or by `doctor`: which group, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.kubernetes.podded import REPOSITORY, SMALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kubernetes.podded import Podded

pytestmark = pytest.mark.timeout(900)

# So long `up` waits for what never comes.
SILENT = "60 s"
PATIENT = "15 minutes"
# A digest that no registry has.
NOWHERE = f"registry.example.org/tests/nothing@sha256:{'0' * 64}"
# More than its container has, in one piece.
# In the process that keeps the others: the kernel may as well take that one.
EAT = """
import json
from distributed import Client
async def eat():
    return len(bytearray(b"x") * 1_500_000_000)
with Client() as client:
    client.wait_for_workers(1, timeout=60)
    client.run(eat, nanny=True, wait=False)
    input()
    print(json.dumps("done"))
"""


@pytest.fixture(scope="module")
def stack(podded: Callable[[str], Podded]) -> Podded:
    stack = podded("faults")
    stack.take(workers=0, startTimeout=PATIENT)
    stack.up()
    return stack


@pytest.fixture
def broken(stack: Podded) -> Iterator[Podded]:
    """The stack, which is mended after each test: `up` takes everything back."""
    yield stack
    stack.edit(
        workers=0, startTimeout=PATIENT, image=None, imageRepository=REPOSITORY, cpu=SMALL["cpu"]
    )
    stack.up()
    stack.settled(0)


def fails(stack: Podded, **settings: Any) -> str:  # noqa: ANN401
    """Have an `up` that fails for one worker; return what it says."""
    stack.edit(**{"workers": 1, "startTimeout": SILENT, **settings})
    said = stack.up(code=None)
    assert said.code == 1, said.text
    return said.text


def test_a_pod_that_fits_nowhere(broken: Podded) -> None:
    said = fails(broken, cpu=500)
    assert "Insufficient cpu" in said
    assert "worker" in said
    assert "Insufficient cpu" in broken.doctor(code=1)


def test_an_image_that_cannot_be_pulled(broken: Podded) -> None:
    said = fails(broken, imageRepository=None, image=NOWHERE)
    assert "registry.example.org/tests/nothing" in said
    assert "not found" in said or "ImagePull" in said
    lines = broken.doctor(code=1)
    assert "registry.example.org/tests/nothing" in lines or "ImagePull" in lines


def test_a_worker_that_eats_too_much(broken: Podded) -> None:
    broken.edit(workers=1)
    broken.up()
    (name,) = broken.settled(1)
    with broken.beside("python", "-c", EAT) as client:

        def restarts() -> int:
            (pod,) = broken.pods()
            return int(pod["status"]["containerStatuses"][0]["restartCount"])

        broken.until(restarts, "its container begins anew")
        said = broken.doctor(code=None)
        client.tell()
        assert client.result() == "done"
    lines = [line for line in said.splitlines() if name in line]
    assert any("memory" in line or "OOMKilled" in line for line in lines), said
