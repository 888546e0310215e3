"""Lifecycle hooks: who waits, for how long, and what the result does."""

from __future__ import annotations

import time

from tests.sandbox.server.account import Account, Group, hook, refused, until


def with_hooks(account: Account, count: int, *rows: dict[str, object]) -> Group:
    return account.group(count, LifecycleHookSpecificationList=list(rows))


def complete(group: Group, name: str, instance: str, result: str = "CONTINUE") -> None:
    group.call(
        "complete_lifecycle_action",
        LifecycleHookName=name,
        InstanceId=instance,
        LifecycleActionResult=result,
    )


def test_a_launch_waits_and_goes_on(account: Account) -> None:
    group = with_hooks(account, 1, hook("boot", launching=True)).reach("Pending:Wait")
    assert group.instances()[0]["State"]["Name"] == "running"
    assert group.activities()[0]["StatusCode"] == "MidLifecycleAction"
    complete(group, "boot", group.ids()[0])
    group.settle(1)
    assert group.activities()[0]["StatusCode"] == "Successful"


def test_an_abandoned_launch_is_replaced(account: Account) -> None:
    group = with_hooks(account, 1, hook("boot", launching=True)).reach("Pending:Wait")
    first = group.ids()[0]
    complete(group, "boot", first, "ABANDON")
    until(lambda: group.ids() not in ([], [first]) and first not in group.ids(), group.ids)
    cancelled = [one for one in group.activities() if one["StatusCode"] == "Cancelled"]
    assert first in cancelled[0]["Description"]
    assert "abandoned: Lifecycle Action Completed with ABANDON" in cancelled[0]["StatusMessage"]
    group.reach("Pending:Wait")


def test_a_launch_that_says_nothing_takes_the_default(account: Account) -> None:
    short = hook("boot", launching=True, heartbeat=30)
    group = with_hooks(account, 1, short).reach("Pending:Wait")
    first = group.ids()[0]
    until(lambda: first not in group.ids(), group.ids)
    messages = [one.get("StatusMessage", "") for one in group.activities()]
    assert any("Heartbeat Timeout" in one for one in messages)
    patient = hook("boot", launching=True, heartbeat=30, result="CONTINUE")
    group.call("put_lifecycle_hook", **patient)
    until(lambda: "InService" in group.states(), group.states)


def test_heartbeats_hold_a_wait_up_to_its_limit(account: Account) -> None:
    short = hook("drain", launching=False, heartbeat=60, result="CONTINUE")
    group = with_hooks(account, 1, short).settle(1)
    instance = group.ids()[0]
    group.call("set_desired_capacity", DesiredCapacity=0)
    group.reach("Terminating:Wait")
    beats = 0
    # 60 s are two seconds here: without heartbeats it would be over after the fifth round.
    while beats < 8:
        group.call(
            "record_lifecycle_action_heartbeat", LifecycleHookName="drain", InstanceId=instance
        )
        beats += 1
        time.sleep(0.4)
        assert group.states() == ["Terminating:Wait"], beats
    group.settle(0)
    described = group.call("describe_lifecycle_hooks")["LifecycleHooks"][0]
    assert described["GlobalTimeout"] == 6000


def test_no_heartbeat_helps_beyond_a_hundred(account: Account) -> None:
    long = hook("drain", launching=False, heartbeat=7200)
    group = with_hooks(account, 0, long)
    assert group.call("describe_lifecycle_hooks")["LifecycleHooks"][0]["GlobalTimeout"] == 172_800


def test_an_end_waits_and_ec2_only_then(account: Account) -> None:
    drain = hook("drain", launching=False, result="CONTINUE")
    group = with_hooks(account, 2, drain).settle(2)
    group.call("set_desired_capacity", DesiredCapacity=1)
    group.reach("InService", "Terminating:Wait")
    waiting = [
        one["InstanceId"]
        for one in group.describe()["Instances"]
        if one["LifecycleState"] == "Terminating:Wait"
    ]
    states = {one["InstanceId"]: one["State"]["Name"] for one in group.instances()}
    assert states[waiting[0]] == "running"
    complete(group, "drain", waiting[0])
    group.settle(1)
    ended = account.ec2.describe_instances(InstanceIds=waiting)
    assert ended["Reservations"][0]["Instances"][0]["State"]["Name"] == "terminated"


def test_every_hook_is_waited_for_and_one_abandon_is_enough(account: Account) -> None:
    rows = (hook("one", launching=True), hook("two", launching=True))
    group = with_hooks(account, 1, *rows).reach("Pending:Wait")
    first = group.ids()[0]
    complete(group, "one", first)
    assert group.states() == ["Pending:Wait"]
    complete(group, "two", first)
    group.settle(1)
    group.call("set_desired_capacity", DesiredCapacity=2)
    group.reach("InService", "Pending:Wait")
    second = next(one for one in group.ids() if one != first)
    complete(group, "one", second, "ABANDON")
    until(lambda: second not in group.ids(), group.ids)


def test_a_deleted_hook_lets_go(account: Account) -> None:
    endless = hook("drain", launching=False, heartbeat=7200)
    group = with_hooks(account, 1, endless).settle(1)
    group.call("set_desired_capacity", DesiredCapacity=0)
    group.reach("Terminating:Wait")
    group.call("delete_lifecycle_hook", LifecycleHookName="drain")
    group.settle(0)


def test_calls_about_nobody_are_refused(account: Account) -> None:
    group = with_hooks(account, 1, hook("boot", launching=True)).reach("Pending:Wait")
    instance = group.ids()[0]

    def refuse(name: str, who: str) -> str:
        return refused(
            "ValidationError",
            group.account.scaling.complete_lifecycle_action,
            AutoScalingGroupName="workers",
            LifecycleHookName=name,
            InstanceId=who,
            LifecycleActionResult="CONTINUE",
        )

    assert "No Lifecycle Hook found with name: other" in refuse("other", instance)
    assert "No active Lifecycle Action found" in refuse("boot", "i-0")
    complete(group, "boot", instance)
    assert "No active Lifecycle Action found" in refuse("boot", instance)
    for wrong in ({"HeartbeatTimeout": 29}, {"HeartbeatTimeout": 7201}):
        row = hook("x", launching=True) | wrong
        put = account.scaling.put_lifecycle_hook
        words = refused("ValidationError", put, AutoScalingGroupName="workers", **row)
        assert "between 30 and 7200" in words


def test_put_changes_only_what_is_given(account: Account) -> None:
    group = with_hooks(account, 0, hook("boot", launching=True, heartbeat=60, result="CONTINUE"))
    group.call("put_lifecycle_hook", LifecycleHookName="boot", HeartbeatTimeout=120)
    shown = group.call("describe_lifecycle_hooks")["LifecycleHooks"][0]
    assert (shown["HeartbeatTimeout"], shown["DefaultResult"]) == (120, "CONTINUE")
