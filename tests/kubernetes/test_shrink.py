"""Whatever ends a worker: nothing is lost, and no finished task runs again.

One cluster for all of them, one after the other; each begins when the group is whole again.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.kubernetes.podded import kill, ready_since

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kubernetes.podded import Podded
    from tests.running import Load

pytestmark = pytest.mark.timeout(900)

# Has work for three workers, then only data, on the one that it is told.
KEEP = """
import json, time
from distributed import Client
client = Client()
def workers():
    return client.scheduler_info(n_workers=-1)["workers"]
many = client.map(lambda n: time.sleep(2), range(100), pure=False)
while len(workers()) < 3:
    time.sleep(0.5)
print("grown", flush=True)
name = input()
(address,) = [address for address, worker in workers().items() if worker["name"] == name]
(data,) = client.scatter([b"x" * 10_000_000], workers=[address], hash=False)
del many
end = time.monotonic() + 240
while len(workers()) > 1 and time.monotonic() < end:
    time.sleep(0.5)
assert len(data.result()) == 10_000_000
print(json.dumps([worker["name"] for worker in workers().values()]))
"""


@pytest.fixture(scope="module")
def stack(podded: Callable[[str], Podded]) -> Podded:
    stack = podded("shrink")
    stack.take(workers=2)
    stack.up()
    return stack


def test_more_and_fewer_workers_in_the_stack_file(stack: Podded, load: Callable[..., Load]) -> None:
    load_ = load(2, keys=10_000, tasks=50)
    before = stack.names()
    scheduler = stack.names("scheduler")
    stack.edit(workers=6)
    assert stack.up().changed == {"updated": ["dask-shrink-worker Deployment"]}
    assert stack.settled(6) > before
    stack.edit(workers=2)
    assert stack.up().changed == {"updated": ["dask-shrink-worker Deployment"]}
    stack.settled(2)
    load_.check({"SIGTERM": 4})
    assert stack.names("scheduler") == scheduler


def test_kubectl_scale(stack: Podded, load: Callable[..., Load]) -> None:
    """It holds until the next `up`, which takes the number back."""
    load_ = load(2)
    stack.kubectl("scale", "deployment/dask-shrink-worker", "--replicas", "1")
    stack.settled(1)
    load_.check({"SIGTERM": 1})
    assert stack.up().changed == {"updated": ["dask-shrink-worker Deployment"]}
    stack.settled(2)


def test_a_pod_that_is_deleted(stack: Podded, load: Callable[..., Load]) -> None:
    one, other = sorted(stack.names())
    load_ = load(2)
    stack.kubectl("delete", "pod", one)
    new = stack.settled(2)
    assert other in new
    assert one not in new
    load_.check({"SIGTERM": 1})


def test_processes_that_are_killed(stack: Podded, load: Callable[..., Load]) -> None:
    """Without a word to anybody: tasks run again elsewhere, and the container begins anew.

    What was scattered there would be lost with it.
    """
    names = stack.names()
    load_ = load(2, keys=0)
    one, _ = sorted(stack.pods(), key=lambda pod: str(pod["metadata"]["name"]))
    kill(one)

    def restarts() -> list[int]:
        return sorted(pod["status"]["containerStatuses"][0]["restartCount"] for pod in stack.pods())

    stack.until(lambda: restarts() == [0, 1], "its container begins anew")
    assert stack.settled(2) == names
    found = load_.found()
    assert found["workers"] == sorted(f"{name}-0" for name in names)
    assert found["counters"]["died_workers"] == {"": 1}
    assert "drained_workers" not in found["counters"]
    assert sum(found["runs"].values()) == found["tasks"]


def test_the_scaler(stack: Podded, load: Callable[..., Load]) -> None:
    """One task at a time needs one worker; the scaler chooses which one goes."""
    load_ = load(2, tasks=1)
    stack.edit(workers=1, maxWorkers=3)
    stack.up()
    left = stack.settled(1)
    load_.check({"scale-in": 1})
    assert stack.names() == left
    # The number is the scaler's: an `up` leaves it alone.
    assert stack.up().changed == {}


def test_the_scaler_chooses_and_not_kubernetes(stack: Podded) -> None:
    """Who holds data stays, also the one that Kubernetes by itself would end first."""
    with stack.beside("python", "-c", KEEP) as client:
        client.wait_for("grown")
        pods = {pod["metadata"]["name"]: pod for pod in stack.pods()}
        assert len(pods) == 3
        nodes = Counter(pod["spec"]["nodeName"] for pod in pods.values())

        def rank(name: str) -> tuple[int, str]:
            """Of a ReplicaSet: who is not alone on its node goes first, and then the newest."""
            return nodes[pods[name]["spec"]["nodeName"]], ready_since(pods[name])

        first = max(pods, key=rank)
        client.tell(f"{first}-0")
        assert client.result() == [f"{first}-0"]
    assert stack.settled(1) == {first}
