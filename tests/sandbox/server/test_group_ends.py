"""Instances that end: by name, by choice of the group, from outside; and the group itself."""

from __future__ import annotations

import json

import pytest

from tests.sandbox.server.account import Account, Group, hook, refused, until


def terminate(account: Account, *, decrement: bool, **who: object) -> dict[str, object]:
    found: dict[str, object] = account.scaling.terminate_instance_in_auto_scaling_group(
        ShouldDecrementDesiredCapacity=decrement, **who
    )
    return found


def test_one_by_name_without_a_successor(account: Account) -> None:
    group = account.group(3).settle(3)
    victim = group.ids()[1]
    answer = terminate(account, decrement=True, InstanceId=victim)
    assert victim in json.dumps(answer, default=str)
    assert "user request" in json.dumps(answer, default=str)
    group.settle(2)
    assert victim not in group.ids()
    assert group.describe()["DesiredCapacity"] == 2


def test_one_by_name_with_a_successor(account: Account) -> None:
    group = account.group(2).settle(2)
    victim = group.ids()[0]
    terminate(account, decrement=False, InstanceId=victim)
    until(lambda: victim not in group.ids(), group.ids)
    group.settle(2)


def test_many_in_one_call(account: Account) -> None:
    drain = hook("drain", launching=False, result="CONTINUE")
    group = account.group(5, LifecycleHookSpecificationList=[drain]).settle(5)
    victims = group.ids()[:3]
    answer = terminate(account, decrement=True, InstanceIds=victims, AutoScalingGroupName="workers")
    assert len(answer["Activities"]) == 3  # type: ignore[arg-type]
    group.reach(*["InService"] * 2, *["Terminating:Wait"] * 3)
    assert group.describe()["DesiredCapacity"] == 2
    # Again is harmless: they are ending already.
    terminate(account, decrement=True, InstanceIds=victims, AutoScalingGroupName="workers")
    assert group.describe()["DesiredCapacity"] == 2


def test_below_the_minimum_is_refused(account: Account) -> None:
    group = account.group(2, MinSize=2).settle(2)
    call = account.scaling.terminate_instance_in_auto_scaling_group
    who = {"InstanceId": group.ids()[0], "ShouldDecrementDesiredCapacity": True}
    assert "desiredSize equals minSize (2)" in refused("ValidationError", call, **who)
    nobody = {"InstanceId": "i-0", "ShouldDecrementDesiredCapacity": True}
    assert "No managed instance found" in refused("ValidationError", call, **nobody)
    group.settle(2)


def test_an_instance_ended_outside_is_replaced(account: Account) -> None:
    group = account.group(2).settle(2)
    victim = group.ids()[0]
    account.ec2.terminate_instances(InstanceIds=[victim])
    until(lambda: victim not in group.ids(), group.ids)
    group.settle(2)
    causes = [one["Cause"] for one in group.activities() if victim in one["Description"]]
    assert any("EC2 health check" in cause for cause in causes)


def test_an_unhealthy_instance_is_replaced_after_its_grace_period(account: Account) -> None:
    group = account.group(1, HealthCheckGracePeriod=7200).settle(1)
    victim = group.ids()[0]
    account.scaling.set_instance_health(InstanceId=victim, HealthStatus="Unhealthy")
    assert group.describe()["Instances"][0]["HealthStatus"] == "Healthy"
    account.scaling.set_instance_health(
        InstanceId=victim, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False
    )
    until(lambda: victim not in group.ids(), group.ids)
    group.settle(1)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("OldestInstance", "first"), ("NewestInstance", "last"), ("OldestLaunchTemplate", "last")],
)
def test_termination_policies(account: Account, policy: str, expected: str) -> None:
    template = account.template()
    account.template_version(template)
    new = {"LaunchTemplateId": template, "Version": "2"}
    old = new | {"Version": "1"}
    group = account.group(1, LaunchTemplate=new, TerminationPolicies=[policy]).settle(1)
    first = group.ids()[0]
    group.call("update_auto_scaling_group", LaunchTemplate=old, DesiredCapacity=2)
    last = next(one for one in group.settle(2).ids() if one != first)
    group.call("set_desired_capacity", DesiredCapacity=1)
    kept = group.settle(1).ids()[0]
    assert kept == {"first": last, "last": first}[expected]


def test_zones_come_before_policies_and_protection_before_both(account: Account) -> None:
    group = account.group(3, zones="ab", TerminationPolicies=["NewestInstance"]).settle(3)
    zones: dict[str, list[str]] = {}
    for one in group.describe()["Instances"]:
        zones.setdefault(one["AvailabilityZone"], []).append(one["InstanceId"])
    fuller = max(zones.values(), key=len)
    alone = min(zones.values(), key=len)
    group.call("set_instance_protection", InstanceIds=fuller, ProtectedFromScaleIn=True)
    group.call("set_desired_capacity", DesiredCapacity=2)
    group.settle(2)
    assert set(group.ids()) == set(fuller)
    group.call("set_instance_protection", InstanceIds=fuller, ProtectedFromScaleIn=False)
    group.call("set_desired_capacity", DesiredCapacity=3)
    group.settle(3)
    group.call("set_desired_capacity", DesiredCapacity=2)
    group.settle(2)
    assert {one["AvailabilityZone"] for one in group.describe()["Instances"]} == set(zones)
    assert alone


def test_a_group_with_instances_is_not_deleted(account: Account) -> None:
    group = account.group(1).settle(1)
    delete = account.scaling.delete_auto_scaling_group
    refused("ResourceInUse", delete, AutoScalingGroupName="workers")
    drain = hook("drain", launching=False)
    group.call("put_lifecycle_hook", **drain)
    group.call("set_desired_capacity", DesiredCapacity=0)
    group.reach("Terminating:Wait")
    refused("ScalingActivityInProgress", delete, AutoScalingGroupName="workers")
    group.call("delete_lifecycle_hook", LifecycleHookName="drain")
    group.settle(0)
    group.call("delete_auto_scaling_group")
    assert "autoscaling:group" not in account.kinds()


def test_a_forced_delete_waits_for_nobody(account: Account) -> None:
    drain = hook("drain", launching=False, heartbeat=7200)
    group = account.group(2, LifecycleHookSpecificationList=[drain]).settle(2)
    group.call("set_desired_capacity", DesiredCapacity=1)
    group.reach("InService", "Terminating:Wait")
    account.scaling.put_scaling_policy(
        AutoScalingGroupName="workers",
        PolicyName="stop",
        AdjustmentType="ExactCapacity",
        ScalingAdjustment=0,
    )
    group.call("delete_auto_scaling_group", ForceDelete=True)
    assert group.describe()["Status"] == "Delete in progress"
    update = account.scaling.update_auto_scaling_group
    refused("ScalingActivityInProgress", update, AutoScalingGroupName="workers", MaxSize=5)
    until(lambda: group.describe()["Instances"] == [] and "Status" not in group.describe())
    assert not {"autoscaling:group", "autoscaling:policy", "ec2:instance"} & account.kinds()
    told = account.scaling.describe_scaling_activities(IncludeDeletedGroups=True)["Activities"]
    assert len(told) == 4


def suspended(group: Group, process: str) -> Group:
    group.call("suspend_processes", ScalingProcesses=[process])
    return group


def test_suspended_processes_rest_until_resumed(account: Account) -> None:
    group = suspended(account.group(0), "Launch")
    group.call("set_desired_capacity", DesiredCapacity=2)
    assert group.ids() == []
    assert [one["ProcessName"] for one in group.describe()["SuspendedProcesses"]] == ["Launch"]
    group.call("resume_processes", ScalingProcesses=["Launch"])
    group.settle(2)
    suspended(group, "Terminate").call("set_desired_capacity", DesiredCapacity=1)
    assert group.states() == ["InService"] * 2
    group.call("resume_processes")
    group.settle(1)


@pytest.mark.parametrize("process", ["HealthCheck", "ReplaceUnhealthy"])
def test_health_is_left_alone_while_suspended(account: Account, process: str) -> None:
    group = suspended(account.group(1).settle(1), process)
    victim = group.ids()[0]
    account.ec2.terminate_instances(InstanceIds=[victim])
    until(lambda: group.instances()[0]["State"]["Name"] == "terminated")
    assert group.ids() == [victim]
    group.call("resume_processes", ScalingProcesses=[process])
    until(lambda: victim not in group.ids(), group.ids)
    group.settle(1)


def test_zones_stay_uneven_while_that_is_suspended(account: Account) -> None:
    account.dry(zone="us-east-1a")
    group = suspended(account.group(3, zones="ab").settle(3), "AZRebalance")
    account.ask("DELETE", "dry")
    group.call("update_auto_scaling_group", DefaultCooldown=1)
    group.settle(3)
    assert {one["AvailabilityZone"] for one in group.describe()["Instances"]} == {"us-east-1b"}
