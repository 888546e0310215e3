"""Groups: one update for any number of workers, and what a wait ends with."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any

import pytest

from engine.values import unwrap
from sandbox.aws.provider.rows.groups import duration
from tests.sandbox.provider.cases import compute

if TYPE_CHECKING:
    from tests.sandbox.provider.cases.case import Value
    from tests.sandbox.provider.control import Control
    from tests.sandbox.provider.world import World


@pytest.fixture
def fleet(world: World) -> dict[str, Value]:
    """A group of workers and what it needs."""
    inputs = copy.deepcopy(compute.WORKERS.first)
    inputs["mixed_instances_policy"]["launch_template"]["overrides"] = [
        {"instance_type": "m5.large"}
    ]
    template = {"image_id": "${ami}", "instance_type": "m5.large", "user_data": "MQ=="}
    resources = {
        "vpc": {"kind": "ec2.Vpc", "inputs": {"cidr_block": "10.0.0.0/16"}},
        "subnet": {
            "kind": "ec2.Subnet",
            # In a zone that has the type: AWS takes any zone where none is named.
            "inputs": {
                "vpc_id": "${vpc.id}",
                "cidr_block": "10.0.0.0/20",
                "availability_zone": "us-east-1a",
            },
        },
        "template": {"kind": "ec2.LaunchTemplate", "inputs": template},
        "workers": {"kind": "autoscaling.Group", "inputs": inputs},
    }
    world.write(resources)
    world.good("up")
    return resources


def test_more_workers_are_one_update(
    world: World, fleet: dict[str, Value], control: Control
) -> None:
    workers = fleet["workers"]["inputs"]
    workers |= {"max_size": 40, "desired_capacity": 40}
    workers["tags"][1]["value"] = "40"
    world.write(fleet)
    control.forget()
    run = world.good("up")
    assert run.changed() == {"workers": {"update"}}
    assert control.calls("autoscaling") == {
        "UpdateAutoScalingGroup": 1,
        "CreateOrUpdateTags": 1,
    }
    assert control.calls("ec2") == {}
    name = world.states()["workers"].id
    client = world.client("autoscaling")
    found = client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    group = found["AutoScalingGroups"][0]
    assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == (0, 40, 40)
    assert client.describe_instance_refreshes(AutoScalingGroupName=name)["InstanceRefreshes"] == []

    # A new version of the template starts a refresh, and nobody waits for it.
    fleet["template"]["inputs"]["user_data"] = "Mg=="
    world.write(fleet)
    plan = world.good("preview")
    assert plan.changed() == {"template": {"update"}, "workers": {"update"}}
    control.forget()
    assert world.good("up").changed() == plan.changed()
    assert control.calls("autoscaling") == {
        "UpdateAutoScalingGroup": 1,
        "StartInstanceRefresh": 1,
    }
    started = client.describe_instance_refreshes(AutoScalingGroupName=name)["InstanceRefreshes"]
    assert started[0]["Preferences"]["MinHealthyPercentage"] == 50
    assert started[0]["Preferences"]["InstanceWarmup"] == 30

    # Other words in the template's own tags make no version and so no change of the group.
    fleet["template"]["inputs"]["tags"] = {"a": "b"}
    world.write(fleet)
    assert world.good("preview").changed() == {"template": {"update"}}


def test_a_group_without_instances_fails_and_is_recorded(
    world: World, fleet: dict[str, Value], control: Control
) -> None:
    control.dry("m5.large")
    workers = fleet.pop("workers")["inputs"]
    workers["ignore_failed_scaling_activities"] = False
    workers["wait_for_capacity_timeout"] = "5s"
    fleet["other"] = {"kind": "autoscaling.Group", "inputs": workers}
    world.write(fleet)
    run = world.run("up")
    assert not run.ok
    assert "aws:autoscaling/group:Group 'other'" in run.messages
    assert "InsufficientInstanceCapacity" in run.messages or "capacity" in run.messages
    state = world.states()["other"]
    assert state.init_errors
    assert state.outputs["arn"].startswith("arn:aws:autoscaling")
    # What is not ready is looked at again, and a destroy finds it.
    workers["wait_for_capacity_timeout"] = "0"
    world.write(fleet)
    assert world.good("up").steps["other"] == {"update"}
    assert world.states()["other"].init_errors == []
    assert control.calls("autoscaling")["CreateAutoScalingGroup"] == 1


def test_a_wait_ends_with_the_last_activities(
    world: World, fleet: dict[str, Value], control: Control
) -> None:
    workers = fleet["workers"]["inputs"]
    workers |= {"max_size": 5, "desired_capacity": 5, "wait_for_capacity_timeout": "1s"}
    workers["suspended_processes"] = ["Launch"]
    world.write(fleet)
    scaling, name = world.client("autoscaling"), world.states()["workers"].id
    end = time.monotonic() + 120
    while _in_service(scaling, name) < 4:
        assert time.monotonic() < end, "the first four do not come"
        time.sleep(0.05)
    scaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["Launch"])
    run = world.run("up")
    assert not run.ok
    assert "waited 1 s in vain until group" in run.messages
    assert "has exactly 5 healthy instance(s), it has 4" in run.messages
    # What was done is recorded and not done again.
    assert unwrap(world.states()["workers"].outputs)["desiredCapacity"] == 5
    workers["wait_for_capacity_timeout"] = "0"
    world.write(fleet)
    control.forget()
    world.good("up")
    assert control.calls("autoscaling").keys() <= {"SuspendProcesses", "ResumeProcesses"}


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("10m", 600), ("1h30m", 5400), ("1.5s", 1.5), ("250ms", 0.25)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


def _in_service(scaling: Any, name: str) -> int:  # noqa: ANN401
    found = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    (group,) = found["AutoScalingGroups"]
    return sum(each["LifecycleState"] == "InService" for each in group["Instances"])
