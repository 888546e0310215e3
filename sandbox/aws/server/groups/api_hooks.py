"""Lifecycle hooks: put, describe, delete, heartbeat, complete."""

from typing import Any, Final

from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.groups import hooks, validating
from sandbox.aws.server.groups.api_groups import changeable
from sandbox.aws.server.groups.model import Group, Hook, Member, Region, Wait, invalid
from sandbox.aws.server.groups.operations import Operation, Params


def put(region: Region, params: Params) -> None:
    """PutLifecycleHook: of an existing one, what is not given stays."""
    group = changeable(region, params)
    old = group.hooks.get(str(params["LifecycleHookName"]))
    if old is None and len(group.hooks) >= validating.MOST_HOOKS:
        raise AwsError("LimitExceeded", "A group has at most 50 lifecycle hooks.")
    before = {} if old is None else _shown(group, old)
    hook = validating.hook(before | {key: value for key, value in params.items() if value})
    group.hooks[hook.name] = hook


def describe(region: Region, params: Params) -> Params:
    """DescribeLifecycleHooks."""
    group = region.group(str(params["AutoScalingGroupName"]))
    wanted = set(params.get("LifecycleHookNames") or [])
    found = [one for one in group.hooks.values() if not wanted or one.name in wanted]
    return {"LifecycleHooks": [_shown(group, one) for one in found]}


def delete(region: Region, params: Params) -> None:
    """DeleteLifecycleHook: whoever waits for it goes on."""
    group = changeable(region, params)
    hook = group.hooks.pop(str(params["LifecycleHookName"]), None)
    if hook is None:
        raise invalid("No Lifecycle Hook found")
    hooks.drop(group, hook)


def heartbeat(region: Region, params: Params) -> None:
    """RecordLifecycleActionHeartbeat."""
    _, wait = _find(region, params)
    hooks.heartbeat(wait)


def complete(region: Region, params: Params) -> None:
    """CompleteLifecycleAction."""
    result = params["LifecycleActionResult"]
    if result not in {hooks.CONTINUE, hooks.ABANDON}:
        raise invalid("The result of a lifecycle action is CONTINUE or ABANDON")
    member, wait = _find(region, params)
    hooks.complete(member, wait, result, f"Lifecycle Action Completed with {result} Result")


def _find(region: Region, params: Params) -> tuple[Member, Wait]:
    group = region.group(str(params["AutoScalingGroupName"]))
    token, instance = params.get("LifecycleActionToken"), params.get("InstanceId")
    if token is None and instance is None:
        raise invalid("Either InstanceId or LifecycleActionToken must be specified")
    name = str(params["LifecycleHookName"])
    return hooks.find(group, name, token=token, instance_id=instance)


def _shown(group: Group, hook: Hook) -> dict[str, Any]:
    return {
        "LifecycleHookName": hook.name,
        "AutoScalingGroupName": group.name,
        "LifecycleTransition": hook.transition,
        "HeartbeatTimeout": hook.heartbeat,
        "GlobalTimeout": hook.limit,
        "DefaultResult": hook.default_result,
        "RoleARN": hook.role,
        "NotificationTargetARN": hook.target,
        "NotificationMetadata": hook.metadata,
    }


OPERATIONS: Final[dict[str, Operation]] = {
    "PutLifecycleHook": put,
    "DescribeLifecycleHooks": describe,
    "DeleteLifecycleHook": delete,
    "RecordLifecycleActionHeartbeat": heartbeat,
    "CompleteLifecycleAction": complete,
}
