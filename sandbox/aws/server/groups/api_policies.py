"""Scaling policies, and what an alarm does with them."""

import math
import uuid
from typing import Any, Final

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.utilities.utils import get_partition

from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.groups.api_groups import changeable, scale
from sandbox.aws.server.groups.model import REGIONS, Group, Policy, Region, invalid
from sandbox.aws.server.groups.operations import Operation, Params
from sandbox.aws.server.groups.paging import page
from sandbox.aws.server.world import WORLD

_SIMPLE: Final = "SimpleScaling"
_KEPT: Final = (
    "PolicyType",
    "AdjustmentType",
    "MinAdjustmentMagnitude",
    "ScalingAdjustment",
    "Cooldown",
    "MetricAggregationType",
    "StepAdjustments",
    "EstimatedInstanceWarmup",
    "TargetTrackingConfiguration",
    "PredictiveScalingConfiguration",
    "Enabled",
)


def put(region: Region, params: Params) -> Params:
    """PutScalingPolicy: of simple policies, all; of others, only the record."""
    group = changeable(region, params)
    settings = {key: params[key] for key in _KEPT if params.get(key) is not None}
    settings.setdefault("PolicyType", _SIMPLE)
    settings.setdefault("Enabled", True)
    if settings["PolicyType"] == _SIMPLE:
        _check_simple(settings)
    name = str(params["PolicyName"])
    for policy in region.policies.values():
        if (policy.group, policy.name) == (group.name, name):
            policy.settings = settings
            return {"PolicyARN": policy.arn, "Alarms": []}
    arn = (
        f"arn:{get_partition(region.name)}:autoscaling:{region.name}:{DEFAULT_ACCOUNT_ID}:"
        f"scalingPolicy:{uuid.uuid4()}:autoScalingGroupName/{group.name}:policyName/{name}"
    )
    region.policies[arn] = Policy(group.name, name, settings, arn)
    return {"PolicyARN": arn, "Alarms": []}


def describe(region: Region, params: Params) -> Params:
    """DescribePolicies."""
    group = params.get("AutoScalingGroupName")
    if group is not None:
        region.group(str(group))
    names, kinds = set(params.get("PolicyNames") or []), set(params.get("PolicyTypes") or [])
    found = [
        one
        for one in region.policies.values()
        if group in {None, one.group}
        and (not names or one.name in names or one.arn in names)
        and (not kinds or one.settings["PolicyType"] in kinds)
    ]
    rows, token = page(found, params, default=50, most=100)
    return {"ScalingPolicies": [_shown(region, one) for one in rows], "NextToken": token}


def delete(region: Region, params: Params) -> None:
    """DeletePolicy."""
    del region.policies[_find(region, params).arn]


def execute(region: Region, params: Params) -> None:
    """ExecutePolicy."""
    policy = _find(region, params)
    group = changeable(region, {"AutoScalingGroupName": policy.group})
    if params.get("HonorCooldown") and WORLD.clock.now() < group.cooled:
        raise AwsError("ScalingActivityInProgress", f"{group.name} is in its cooldown.")
    _run(group, policy)


def alarm(region_name: str, arn: str) -> bool:
    """Let an alarm run a policy.

    Args:
        region_name: The alarm's region.
        arn: One of its actions.

    Returns:
        Whether the policy ran: not if it is gone, suspended, or in its cooldown.
    """
    region = REGIONS.get(region_name)
    policy = region.policies.get(arn) if region else None
    group = region.groups.get(policy.group) if region and policy else None
    if policy is None or group is None or group.status is not None:
        return False
    if "AlarmNotification" in group.suspended or WORLD.clock.now() < group.cooled:
        return False
    _run(group, policy)
    return True


def _check_simple(settings: Params) -> None:
    if settings.get("ScalingAdjustment") is None:
        raise invalid("Simple scaling policies require a ScalingAdjustment")
    if settings.get("AdjustmentType") not in {
        "ExactCapacity",
        "ChangeInCapacity",
        "PercentChangeInCapacity",
    }:
        raise invalid(f"Invalid AdjustmentType: {settings.get('AdjustmentType')}")
    if settings["AdjustmentType"] == "ExactCapacity" and int(settings["ScalingAdjustment"]) < 0:
        raise invalid("ScalingAdjustment must not be negative with ExactCapacity")


def _find(region: Region, params: Params) -> Policy:
    name, group = str(params["PolicyName"]), params.get("AutoScalingGroupName")
    for policy in region.policies.values():
        if policy.arn == name or (policy.name == name and policy.group == group):
            return policy
    raise invalid(f"PolicyName: {name} not found")


def _run(group: Group, policy: Policy) -> None:
    settings = policy.settings
    if settings["PolicyType"] != _SIMPLE:
        raise invalid(f"the AWS of the rehearsal runs no {settings['PolicyType']} policy")
    number = int(settings["ScalingAdjustment"])
    wanted = {
        "ExactCapacity": number,
        "ChangeInCapacity": group.desired + number,
        "PercentChangeInCapacity": group.desired + math.trunc(group.desired * number / 100),
    }[settings["AdjustmentType"]]
    desired = min(max(wanted, group.min), group.max)
    if desired == group.desired:
        return
    scale(group, desired)
    if settings.get("Cooldown") is not None:
        group.cooled = WORLD.clock.now() + float(settings["Cooldown"])


def _shown(region: Region, policy: Policy) -> dict[str, Any]:
    alarms = cloudwatch_backends[DEFAULT_ACCOUNT_ID][region.name].alarms.values()
    return policy.settings | {
        "AutoScalingGroupName": policy.group,
        "PolicyName": policy.name,
        "PolicyARN": policy.arn,
        "StepAdjustments": policy.settings.get("StepAdjustments") or [],
        "Alarms": [
            {"AlarmName": one.name, "AlarmARN": one.alarm_arn}
            for one in alarms
            if policy.arn in {*one.alarm_actions, *one.ok_actions}
        ],
    }


OPERATIONS: Final[dict[str, Operation]] = {
    "PutScalingPolicy": put,
    "DescribePolicies": describe,
    "DeletePolicy": delete,
    "ExecutePolicy": execute,
}
