"""No fleet is billed for nothing: nobody wants anything, or the scheduler is dead."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hosts.hosted import Hosted

# Hosts boot meanwhile, on a machine that may be slow.
pytestmark = pytest.mark.timeout(1200)

WORKERS = 2
# Two looks of the scaler, which looks each 15 s.
WATCH_SECONDS = 35
# The stack file has 30 minutes, for which nobody waits here; and a stop in less than a host needs
# to boot would stop what `up` waits for. So a test puts this into the tag that the scaler reads,
# and `up` puts the file's number back.
IDLE_SECONDS = 20
IDLE_TAG = "dask-cluster:idle-stop"
# The alarm wants 20 periods of a minute without a heartbeat.
SPEED = 30
COMPUTE = """
import json
from distributed import Client
with Client() as client:
    total = client.submit(sum, client.map(lambda n: n * n, range(1000), pure=False))
    print(json.dumps(total.result(timeout=280)))
"""
TOTAL = sum(n * n for n in range(1000))


@pytest.fixture(scope="module")
def dev(hosted: Callable[[str], Hosted]) -> Hosted:
    stack = hosted("dev")
    stack.take_committed()
    stack.up()
    return stack


def set_idle_stop(stack: Hosted, seconds: int) -> None:
    tag = {
        "ResourceType": "auto-scaling-group",
        "ResourceId": stack.group("worker")["AutoScalingGroupName"],
        "Key": IDLE_TAG,
        "Value": str(seconds),
        "PropagateAtLaunch": False,
    }
    stack.client("autoscaling").create_or_update_tags(Tags=[tag])


def tag(stack: Hosted, key: str) -> str:
    found: dict[str, str] = {each["Key"]: each["Value"] for each in stack.group("worker")["Tags"]}
    return found[key]


def launches(stack: Hosted, group: str = "worker") -> int:
    """Return how many instances the group ever launched, or tried to."""
    name = stack.group(group)["AutoScalingGroupName"]
    found = stack.client("autoscaling").describe_scaling_activities(AutoScalingGroupName=name)
    return sum(each["Description"].startswith("Launching") for each in found["Activities"])


def numbers(stack: Hosted) -> tuple[int, int, int]:
    """Return how many workers the group wants, how many it has, and how many hosts there are."""
    group = stack.group("worker")
    return group["DesiredCapacity"], len(group["Instances"]), len(stack.hosts("worker"))


def wait_for_the_stop(stack: Hosted) -> None:
    stack.until(lambda: numbers(stack) == (0, 0, 0), "no worker is left")


def stays_empty(stack: Hosted) -> None:
    launched, end = launches(stack), time.monotonic() + WATCH_SECONDS
    while time.monotonic() < end:
        assert numbers(stack) == (0, 0, 0)
        time.sleep(1)
    assert launches(stack) == launched


def all_back(stack: Hosted) -> None:
    assert numbers(stack) == (WORKERS, WORKERS, WORKERS)
    assert stack.states("worker") == {"InService": WORKERS}
    assert stack.python(COMPUTE) == TOTAL


def log(stack: Hosted) -> str:
    (row,) = stack.hosts("scheduler", state="up")
    return stack.inside(row["instance"], "cat", "/var/log/dask/dask.log")


def test_nothing_runs_when_nobody_wants_anything(dev: Hosted) -> None:
    (scheduler,) = dev.hosts("scheduler", state="up")
    assert tag(dev, IDLE_TAG) == "1800"
    assert launches(dev) == WORKERS
    set_idle_stop(dev, IDLE_SECONDS)
    wait_for_the_stop(dev)
    stays_empty(dev)
    assert "Idle stop: no work and nobody who held a result for 20 s. Stopping all 2" in log(dev)
    # The scheduler stays, or nobody could hear of work.
    assert [row["instance"] for row in dev.hosts("scheduler")] == [scheduler["instance"]]


def test_work_brings_them_back(dev: Hosted) -> None:
    assert dev.python(COMPUTE) == TOTAL
    assert launches(dev) == 2 * WORKERS
    wait_for_the_stop(dev)
    stays_empty(dev)


def test_up_brings_them_back(dev: Hosted) -> None:
    run = dev.up()
    assert set(run.changed) == {"update"}
    assert tag(dev, IDLE_TAG) == "1800"
    dev.until(lambda: numbers(dev) == (WORKERS,) * 3, "all workers")
    all_back(dev)
    assert launches(dev) == 3 * WORKERS
    assert dev.up().changed == {}


def test_the_alarm_stops_what_a_dead_scheduler_cannot(dev: Hosted) -> None:
    (scheduler,) = dev.hosts("scheduler", state="up")
    launched = launches(dev)
    dev.until(lambda: states_of_alarms(dev) == ["OK"], "the alarm's first look")
    # Of this scheduler there shall not be another one.
    suspend = {
        "AutoScalingGroupName": dev.group("scheduler")["AutoScalingGroupName"],
        "ScalingProcesses": ["Launch"],
    }
    dev.client("autoscaling").suspend_processes(**suspend)
    dev.docker.kill(scheduler["instance"])
    dev.until(lambda: not dev.group("scheduler")["Instances"], "no scheduler")
    time.sleep(WATCH_SECONDS)
    # Nobody stops them for a short absence.
    assert numbers(dev) == (WORKERS, WORKERS, WORKERS)
    dev.sandbox("POST", "clock", {"speed": SPEED})
    dev.until(lambda: states_of_alarms(dev) == ["ALARM"], "the alarm")
    dev.sandbox("POST", "clock", {"speed": 1})
    wait_for_the_stop(dev)
    stays_empty(dev)
    assert launches(dev) == launched
    dev.client("autoscaling").resume_processes(**suspend)


def states_of_alarms(stack: Hosted) -> list[str]:
    alarms = stack.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return [each["StateValue"] for each in alarms if each["MetricName"] == "Heartbeat"]


def test_up_brings_all_back(dev: Hosted) -> None:
    run = dev.up()
    assert set(run.changed) == {"update"}
    assert states_of_alarms(dev) == ["OK"]
    dev.until(lambda: numbers(dev) == (WORKERS,) * 3, "all workers")
    all_back(dev)
    assert dev.states("scheduler") == {"InService": 1}
    assert dev.up().changed == {}
