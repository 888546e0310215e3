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
SILENT = "30 s"
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

# 1.11 GB, all of which Dask is to move to a disk that has 1.07 GB.
SPILL = """
import json, os
from distributed import Client
def piece(n):
    return os.urandom(10_000_000)
def spill(dask_worker):
    while dask_worker.data.fast and dask_worker.data.evict() >= 0:
        pass
with Client() as client:
    client.wait_for_workers(1, timeout=60)
    pieces = client.map(piece, range(111))
    sizes = client.gather(client.map(len, pieces))
    client.run(spill)
    (spilled,) = client.run(lambda dask_worker: dask_worker.data.spilled_total.disk).values()
    print(json.dumps([sum(sizes), spilled]))
"""

# What a task writes is not Dask's to bound.
WRITE = """
import json, os
from distributed import Client
def write(dask_worker):
    with open(dask_worker.local_directory + "/mine", "wb") as file:
        # At once, as the kubelet may look at any moment.
        os.posix_fallocate(file.fileno(), 0, 1_100_000_000)
        return os.fstat(file.fileno()).st_size
with Client() as client:
    client.wait_for_workers(1, timeout=60)
    print(json.dumps([*client.run(write).values()]))
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
    sizes = {name: SMALL[name] for name in ("cpu", "memory", "disk")}
    stack.edit(workers=0, startTimeout=PATIENT, image=None, imageRepository=REPOSITORY, **sizes)
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
    # It gives up by itself, 20 s after the node has tried in vain.
    said = fails(broken, imageRepository=None, image=NOWHERE, startTimeout="2 minutes")
    assert "registry.example.org/tests/nothing" in said
    assert "not found" in said or "ImagePull" in said
    lines = broken.doctor(code=1)
    assert "registry.example.org/tests/nothing" in lines or "ImagePull" in lines


def test_what_does_not_fit_on_the_disk_stays_in_memory(broken: Podded) -> None:
    broken.edit(workers=1, cpu=1, memory="2 GiB", disk="1 GiB")
    broken.up()
    pods = broken.settled(1)
    size, spilled = broken.python(SPILL)
    assert size == 1_110_000_000
    # Of 0.9 GiB; in whole pieces.
    assert 950_000_000 < spilled < 966_400_000
    assert broken.settled(1) == pods


def test_a_worker_whose_disk_is_full(broken: Podded) -> None:
    """It is evicted, and another one has its place: all is well, and `doctor` tells."""
    broken.edit(workers=1, disk="1 GiB")
    broken.up()
    (name,) = broken.settled(1)
    assert broken.python(WRITE) == [1_100_000_000]
    broken.until(lambda: name not in broken.names(), "it is evicted")
    assert broken.settled(1) != {name}
    assert broken.status()["faults"] == []
    said = broken.doctor(code=1)
    (line,) = [line for line in said.splitlines() if "Evicted" in line]
    assert line.startswith(f"  no  pod {name}: Evicted, with what it held: ")
    assert line.endswith("raise `disk`, or see the node's own conditions.")


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
