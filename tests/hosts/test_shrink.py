"""Whatever ends a worker: nothing is lost, and no finished task runs again.

One cluster for all of them, one after the other; each begins when the group is whole again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hosts.hosted import Hosted
    from tests.running import Load

# A spot instance has two minutes from its notice, and the next one has to boot.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def stack(hosted: Callable[[str], Hosted]) -> Hosted:
    stack = hosted("dev")
    stack.take_committed()
    stack.edit(workers=6)
    stack.up()
    return stack


def workers(stack: Hosted) -> set[str]:
    """Return the instances that the group has, without those that it ends."""
    there = stack.group("worker")["Instances"]
    return {each["InstanceId"] for each in there if each["LifecycleState"] == "InService"}


def unit(stack: Hosted, instance: str) -> str:
    """Return the state of a worker's unit, as systemd calls it."""
    done = stack.docker.exec(instance, "systemctl", "is-active", "dask-worker.service")
    return done.stdout.strip()


def gone(stack: Hosted, *instances: str) -> None:
    """Wait until these hosts have ended."""
    stack.until(
        lambda: {row["instance"] for row in stack.hosts()}.isdisjoint(instances),
        f"{', '.join(instances)} are gone",
    )


def new(stack: Hosted, *old: str) -> str:
    """Wait until the group has another instance whose worker has registered, and return it."""

    def registered() -> set[str]:
        rows = [row for row in stack.hosts("worker", state="up") if "Registered to" in log(row)]
        return (workers(stack) & {row["instance"] for row in rows}) - set(old)

    (found,) = stack.until(registered, "there is a new worker")
    return str(found)


def log(row: dict[str, Any]) -> str:
    """Return what Dask has logged on a host."""
    file = Path(row["logs"], "dask", "dask.log")
    return file.read_text() if file.exists() else ""


def test_fewer_workers_in_the_stack_file(stack: Hosted, load: Callable[..., Load]) -> None:
    before = workers(stack)
    load_ = load(6, keys=10_000, tasks=100)
    stack.edit(workers=2)
    assert stack.up().changed == {"update": ["dask-dev-worker Group"]}
    stack.until(lambda: len(stack.hosts("worker")) == 2, "two hosts are left")
    load_.check({"auto scaling": 4})
    assert workers(stack) < before


def test_a_unit_that_is_stopped(stack: Hosted, load: Callable[..., Load]) -> None:
    one, _ = sorted(workers(stack))
    load_ = load(2)
    stack.inside(one, "systemctl", "stop", "dask-worker")
    assert unit(stack, one) == "inactive"
    load_.check({"SIGTERM": 1})
    stack.inside(one, "systemctl", "start", "dask-worker")


def test_the_terminate_hook(stack: Hosted, load: Callable[..., Load]) -> None:
    one, other = sorted(workers(stack))
    load_ = load(2)
    stack.client("autoscaling").terminate_instance_in_auto_scaling_group(
        InstanceId=one, ShouldDecrementDesiredCapacity=False
    )
    gone(stack, one)
    load_.check({"auto scaling": 1})
    new(stack, one, other)


def test_a_host_that_is_killed(stack: Hosted, load: Callable[..., Load]) -> None:
    """Tasks run again elsewhere, and the group replaces it.

    What was sent there would be lost with it. The instance stays for the five minutes of its hook.
    """
    one, other = sorted(workers(stack))
    load_ = load(2, keys=0)
    stack.docker.kill(one)
    another = new(stack, one, other)
    found = load_.found()
    assert found["workers"] == sorted(f"{each}-0" for each in (other, another))
    assert found["counters"]["died_workers"] == {"": 1}
    assert "drained_workers" not in found["counters"]
    assert sum(found["runs"].values()) == found["tasks"]


def test_a_spot_notice(stack: Hosted, load: Callable[..., Load]) -> None:
    one, other = sorted(workers(stack))
    load_ = load(2)
    stack.order({"notice": {"instance": one, "kind": "spot"}})
    stack.until(lambda: unit(stack, one) == "inactive", "it has drained")
    # EC2 takes it back two minutes after the notice, and not before.
    assert one in workers(stack)
    load_.check({"spot": 1})
    gone(stack, one)
    new(stack, one, other)


def test_the_scaler(stack: Hosted, load: Callable[..., Load]) -> None:
    """One task at a time needs one worker. The scaler looks thrice, 15 s apart, before it acts."""
    load_ = load(2, tasks=1)
    stack.edit(workers=1, maxWorkers=3)
    stack.up()
    stack.until(lambda: len(stack.hosts("worker")) == 1, "the other one was not needed")
    load_.check({"scale-in": 1})


def test_a_lifetime(stack: Hosted, load: Callable[..., Load]) -> None:
    """Instances that start from now on have one; their workers begin anew again and again."""
    stack.edit(workers=1, maxWorkers=None, lifetime="60 s")
    stack.up()
    # Not in one edit: the provider sets the size first, and a launch has the tags of its moment.
    stack.edit(workers=3)
    stack.up()
    load_ = load(3)
    rows = stack.hosts("worker")

    def drained() -> int:
        return sum("Drained: " in line for row in rows for line in log(row).splitlines())

    first = drained()
    stack.until(lambda: drained() >= first + 2, "two lifetimes are over")
    found = load_.found()
    assert found["again"] == []
    assert found["runs"] == {"1": found["tasks"]}
    assert found["counters"].keys() == {"drained_workers", "drained_keys", "drained_bytes"}
    (reason,) = found["counters"]["drained_workers"]
    assert reason == "lifetime"
