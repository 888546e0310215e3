"""Refreshes, policies, alarms, tags and pages of groups, and two thousand instances."""

from __future__ import annotations

import time

from tests.sandbox.server.account import ACCOUNT, Account, Group, refused, until


def refresh(group: Group, **preferences: object) -> str:
    started = group.call("start_instance_refresh", Preferences=preferences)
    return str(started["InstanceRefreshId"])


def status(group: Group) -> str:
    return str(group.call("describe_instance_refreshes")["InstanceRefreshes"][0]["Status"])


def test_a_refresh_replaces_all_and_keeps_most_in_service(account: Account) -> None:
    template = account.template()
    group = account.group(4, LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"})
    before = set(group.settle(4).ids())
    account.template_version(template, InstanceType="m7i.xlarge")
    refresh(group, MinHealthyPercentage=50, InstanceWarmup=0)
    least = 4

    def over() -> bool:
        nonlocal least
        least = min(least, group.states().count("InService"))
        return status(group) == "Successful"

    until(over, group.states)
    assert least >= 2
    assert not before & set(group.settle(4).ids())
    assert {one["InstanceType"] for one in group.instances()} == {"m7i.xlarge"}
    shown = group.call("describe_instance_refreshes")["InstanceRefreshes"][0]
    assert (shown["PercentageComplete"], shown["InstancesToUpdate"]) == (100, 0)


def test_a_refresh_skips_what_matches(account: Account) -> None:
    group = account.group(2).settle(2)
    before = group.ids()
    refresh(group, SkipMatching=True, InstanceWarmup=0)
    until(lambda: status(group) == "Successful", lambda: status(group))
    assert group.ids() == before


def test_a_refresh_is_one_at_a_time_and_can_be_cancelled(account: Account) -> None:
    group = account.group(3).settle(3)
    refresh(group, InstanceWarmup=7200)
    refused("InstanceRefreshInProgress", group.call, operation="start_instance_refresh")
    group.call("cancel_instance_refresh")
    until(lambda: status(group) == "Cancelled", lambda: status(group))
    refused("ActiveInstanceRefreshNotFound", group.call, operation="cancel_instance_refresh")
    group.settle(3)


def stop_policy(account: Account) -> str:
    made = account.scaling.put_scaling_policy(
        AutoScalingGroupName="workers",
        PolicyName="stop",
        AdjustmentType="ExactCapacity",
        ScalingAdjustment=0,
        Cooldown=1,
    )
    return str(made["PolicyARN"])


def heartbeat_alarm(account: Account, action: str, missing: str = "breaching") -> None:
    account.client("cloudwatch").put_metric_alarm(
        AlarmName="heartbeat",
        Namespace="DaskCluster",
        MetricName="Heartbeat",
        Dimensions=[{"Name": "Cluster", "Value": "dev"}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=2,
        Threshold=1,
        ComparisonOperator="LessThanThreshold",
        TreatMissingData=missing,
        AlarmActions=[action],
    )


def alarm_state(account: Account) -> str:
    alarms = account.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return str(alarms[0]["StateValue"])


def beat(account: Account) -> None:
    account.client("cloudwatch").put_metric_data(
        Namespace="DaskCluster",
        MetricData=[
            {
                "MetricName": "Heartbeat",
                "Value": 1.0,
                "Dimensions": [{"Name": "Cluster", "Value": "dev"}],
            }
        ],
    )


def test_a_policy_is_run_by_a_call(account: Account) -> None:
    group = account.group(2).settle(2)
    arn = stop_policy(account)
    assert arn.startswith(f"arn:aws:autoscaling:us-east-1:{ACCOUNT}:scalingPolicy:")
    group.call("execute_policy", PolicyName="stop")
    group.settle(0)
    assert group.describe()["DesiredCapacity"] == 0
    put = account.scaling.put_scaling_policy
    refused("ValidationError", put, AutoScalingGroupName="workers", PolicyName="x")


def test_an_alarm_that_is_set_runs_its_policy(account: Account) -> None:
    group = account.group(2).settle(2)
    heartbeat_alarm(account, stop_policy(account), missing="ignore")
    shown = account.scaling.describe_policies(AutoScalingGroupName="workers")["ScalingPolicies"]
    assert [one["AlarmName"] for one in shown[0]["Alarms"]] == ["heartbeat"]
    account.client("cloudwatch").set_alarm_state(
        AlarmName="heartbeat", StateValue="ALARM", StateReason="test"
    )
    group.settle(0)


def test_an_alarm_goes_off_when_heartbeats_stop(account: Account) -> None:
    group = account.group(2).settle(2)
    beat(account)
    heartbeat_alarm(account, stop_policy(account))
    until(lambda: alarm_state(account) == "OK", lambda: alarm_state(account))
    # A period of 60 s is two seconds here.
    deadline = time.monotonic() + 4.5
    while time.monotonic() < deadline:
        beat(account)
        assert alarm_state(account) == "OK"
        time.sleep(0.3)
    group.settle(2)
    until(lambda: alarm_state(account) == "ALARM", lambda: alarm_state(account))
    group.settle(0)


def test_an_alarm_may_name_what_does_not_exist(account: Account) -> None:
    gone = "scalingPolicy:x:autoScalingGroupName/a:policyName/b"
    heartbeat_alarm(account, f"arn:aws:autoscaling:us-east-1:{ACCOUNT}:{gone}")
    assert alarm_state(account) == "INSUFFICIENT_DATA"
    until(lambda: alarm_state(account) == "ALARM", lambda: alarm_state(account))


def test_tags(account: Account) -> None:
    group = account.group(0, Tags=[{"Key": "a", "Value": "1", "PropagateAtLaunch": True}])
    row = {
        "ResourceId": "workers",
        "ResourceType": "auto-scaling-group",
        "PropagateAtLaunch": False,
    }
    account.scaling.create_or_update_tags(Tags=[row | {"Key": "a", "Value": "2"}])
    account.scaling.create_or_update_tags(Tags=[row | {"Key": "b", "Value": "3"}])
    shown = {
        tag["Key"]: (tag["Value"], tag["PropagateAtLaunch"]) for tag in group.describe()["Tags"]
    }
    assert shown == {"a": ("2", False), "b": ("3", False)}
    account.scaling.delete_tags(Tags=[row | {"Key": "a"}])
    wanted = [{"Name": "auto-scaling-group", "Values": ["workers"]}]
    found = account.scaling.describe_tags(Filters=wanted)["Tags"]
    assert [tag["Key"] for tag in found] == ["b"]
    by_tag = [{"Name": "tag:b", "Values": ["3"]}]
    named = account.scaling.describe_auto_scaling_groups(Filters=by_tag)["AutoScalingGroups"]
    assert [one["AutoScalingGroupName"] for one in named] == ["workers"]


def test_groups_come_in_pages(account: Account) -> None:
    subnet = account.subnet(account.vpc())
    template = {"LaunchTemplateId": account.template(), "Version": "1"}
    for number in range(5):
        account.group(0, name=f"g{number}", VPCZoneIdentifier=subnet, LaunchTemplate=template)
    pages = account.scaling.get_paginator("describe_auto_scaling_groups").paginate(
        PaginationConfig={"PageSize": 2}
    )
    names = [[one["AutoScalingGroupName"] for one in page["AutoScalingGroups"]] for page in pages]
    assert names == [["g0", "g1"], ["g2", "g3"], ["g4"]]


def test_two_thousand_instances(account: Account) -> None:
    group = account.group(0, zones="ab")
    group.call("update_auto_scaling_group", MaxSize=2000, DesiredCapacity=2000)
    started = time.monotonic()
    until(lambda: len(group.ids()) == 2000, lambda: len(group.ids()), seconds=60, pause=0.5)
    until(lambda: set(group.states()) == {"InService"}, seconds=60, pause=0.5)
    seconds = time.monotonic() - started
    ids = group.ids()
    before = time.monotonic()
    account.ec2.describe_instances(InstanceIds=ids[:1])
    one = time.monotonic() - before
    assert len(set(ids)) == 2000
    # 2 s and 0.01 s on an idle core; the bounds only tell minutes and scans from that.
    assert seconds < 40
    assert one < 1
    group.call("set_desired_capacity", DesiredCapacity=0)
    until(lambda: not group.ids(), lambda: len(group.ids()), seconds=60, pause=0.5)
    assert not {"ec2:instance", "ec2:volume", "ec2:network-interface"} & account.kinds()
