"""Sizes of a group: what is refused, and what AWS moves by itself."""

from __future__ import annotations

import pytest

from tests.sandbox.server.account import Account, refused


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"MinSize": 3, "MaxSize": 2, "DesiredCapacity": 2}, "Max bound, 2, must be greater"),
        ({"MinSize": 0, "MaxSize": 2, "DesiredCapacity": 3}, "Desired capacity:3 must be between"),
        ({"MinSize": 1, "MaxSize": 2, "DesiredCapacity": 0}, "Desired capacity:0 must be between"),
    ],
)
def test_contradicting_sizes_are_refused(
    account: Account, sizes: dict[str, int], words: str
) -> None:
    assert words in refused("ValidationError", account.group, **sizes)
    assert "autoscaling:group" not in account.kinds()


def test_desired_stays_within_the_bounds(account: Account) -> None:
    group = account.group(2, MaxSize=4, MinSize=1).settle(2)
    above = refused(
        "ValidationError", group.call, operation="set_desired_capacity", DesiredCapacity=5
    )
    assert "above max value 4" in above
    below = refused(
        "ValidationError", group.call, operation="set_desired_capacity", DesiredCapacity=0
    )
    assert "below min value 1" in below
    group.settle(2)


def test_new_bounds_move_what_is_desired(account: Account) -> None:
    group = account.group(4).settle(4)
    group.call("update_auto_scaling_group", MaxSize=2)
    assert group.describe()["DesiredCapacity"] == 2
    group.settle(2)
    group.call("update_auto_scaling_group", MinSize=3, MaxSize=5)
    group.settle(3)
    update = group.account.scaling.update_auto_scaling_group
    refused("ValidationError", update, AutoScalingGroupName="workers", MaxSize=1)
    group.settle(3)


def test_a_cooldown_is_honoured_only_on_request(account: Account) -> None:
    group = account.group(0)
    group.call("set_desired_capacity", DesiredCapacity=1, HonorCooldown=True)
    honour = {"DesiredCapacity": 2, "HonorCooldown": True}
    refused("ScalingActivityInProgress", group.call, operation="set_desired_capacity", **honour)
    group.call("set_desired_capacity", DesiredCapacity=2)
    group.settle(2)


def test_a_group_that_exists_or_does_not(account: Account) -> None:
    group = account.group(0)
    subnets = group.describe()["VPCZoneIdentifier"]
    template = group.describe()["LaunchTemplate"]
    refused("AlreadyExists", account.group, VPCZoneIdentifier=subnets, LaunchTemplate=template)
    update = account.scaling.update_auto_scaling_group
    assert "not found" in refused(
        "ValidationError", update, AutoScalingGroupName="other", MaxSize=1
    )


def test_what_the_rehearsal_does_not_know_is_refused(account: Account) -> None:
    words = refused("ValidationError", account.group, TargetGroupARNs=["arn:aws:x"])
    assert "does not know TargetGroupARNs" in words
    unknown = account.scaling.describe_load_balancers
    assert "does not know" in refused("InvalidAction", unknown, AutoScalingGroupName="x")
