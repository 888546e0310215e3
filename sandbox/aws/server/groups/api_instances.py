"""Instances of groups: terminate, health, protection, and what happened to them."""

from typing import Any, Final

from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.groups import activities, machine
from sandbox.aws.server.groups.api_groups import changeable, shown_member
from sandbox.aws.server.groups.model import Activity, Group, Region, invalid
from sandbox.aws.server.groups.operations import Operation, Params
from sandbox.aws.server.groups.paging import page
from sandbox.aws.server.world import WORLD

MOST_TERMINATED: Final = 100
MOST_PROTECTED: Final = 50
_PROCESSES: Final = (
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
)
_SUSPENDED: Final = "User suspended at "


def terminate(region: Region, params: Params) -> Params:
    """TerminateInstanceInAutoScalingGroup, for one instance or up to a hundred of one group."""
    many = params.get("InstanceIds")
    ids = list(dict.fromkeys(many or [params.get("InstanceId")]))
    if None in ids or (many and params.get("InstanceId")):
        raise invalid("Give either InstanceId or InstanceIds.")
    if len(ids) > MOST_TERMINATED:
        raise invalid(f"At most {MOST_TERMINATED} instances can be terminated in one call.")
    found = [region.member(key) for key in ids]
    group = found[0][0]
    wanted = params.get("AutoScalingGroupName") or group.name
    if many and not params.get("AutoScalingGroupName"):
        raise invalid("AutoScalingGroupName is required with InstanceIds.")
    if any(one.name != wanted for one, _ in found):
        raise invalid(f"Not every instance is part of Auto Scaling group {wanted}.")
    members = [member for _, member in found if not member.ending]
    if params["ShouldDecrementDesiredCapacity"]:
        if group.desired - len(members) < group.min:
            raise invalid(
                f"Currently, desiredSize equals minSize ({group.min}). Terminating instance "
                "without replacement will violate group's min size constraint. Either set "
                "shouldDecrementDesiredCapacity flag to false or lower group's min size."
            )
        group.desired -= len(members)
    for member in members:
        machine.end(group, member, activities.REQUEST)
    shown = [_shown(group, member.activity) for _, member in found]
    return {"Activities": shown} if many else {"Activity": shown[0]}


def set_health(region: Region, params: Params) -> None:
    """SetInstanceHealth; by default a group's grace period is respected."""
    group, member = region.member(str(params["InstanceId"]))
    status = params["HealthStatus"]
    if status not in {"Healthy", "Unhealthy"}:
        raise invalid("Valid instance health states are: [Healthy, Unhealthy]")
    respect = params.get("ShouldRespectGracePeriod")
    grace = float(group.settings["HealthCheckGracePeriod"]) if respect is not False else 0.0
    young = member.served is None or WORLD.clock.now() < member.served + grace
    if status == "Unhealthy" and grace and young:
        return
    member.healthy = status == "Healthy"
    (group.unhealthy.discard if member.healthy else group.unhealthy.add)(member.id)
    machine.wake(group)


def set_protection(region: Region, params: Params) -> None:
    """SetInstanceProtection, for at most fifty instances."""
    group = changeable(region, params)
    ids = params["InstanceIds"]
    if len(ids) > MOST_PROTECTED:
        raise invalid(f"At most {MOST_PROTECTED} instances can be protected in one call.")
    missing = [key for key in ids if key not in group.members]
    if missing:
        raise invalid(f"The instance {missing[0]} is not part of Auto Scaling group {group.name}.")
    for key in ids:
        group.members[key].protected = bool(params["ProtectedFromScaleIn"])
    machine.wake(group)


def describe_instances(region: Region, params: Params) -> Params:
    """DescribeAutoScalingInstances; ids of no group are left out, as AWS does."""
    wanted = params.get("InstanceIds") or list(region.members)
    found = [region.members[key] for key in wanted if key in region.members]
    rows, token = page(found, params, default=50, most=50)
    shown = [shown_member(one) | {"AutoScalingGroupName": group.name} for group, one in rows]
    for row in shown:
        row["HealthStatus"] = row["HealthStatus"].upper()
    return {"AutoScalingInstances": shown, "NextToken": token}


def describe_activities(region: Region, params: Params) -> Params:
    """DescribeScalingActivities, the newest first."""
    name = params.get("AutoScalingGroupName")
    groups = [region.groups[name]] if name in region.groups else list(region.groups.values())
    if name and name not in region.groups:
        groups = []
    if params.get("IncludeDeletedGroups"):
        groups = [*groups, *(one for one in region.gone if name in {None, one.name})]
    wanted = set(params.get("ActivityIds") or [])
    found = [
        (group, one)
        for group in groups
        for one in reversed(group.activities)
        if not wanted or one.id in wanted
    ]
    if name and not groups and not params.get("IncludeDeletedGroups"):
        raise invalid(f"AutoScalingGroup name not found - AutoScalingGroup {name} not found")
    rows, token = page(found, params, default=100, most=100)
    return {"Activities": [_shown(group, one) for group, one in rows], "NextToken": token}


def suspend(region: Region, params: Params) -> None:
    """SuspendProcesses: all of them if none is named."""
    group = changeable(region, params)
    for name in _processes(params):
        group.suspended[name] = _SUSPENDED + group.created.strftime("%Y-%m-%dT%H:%M:%SZ")


def resume(region: Region, params: Params) -> None:
    """ResumeProcesses: all of them if none is named."""
    group = changeable(region, params)
    for name in _processes(params):
        group.suspended.pop(name, None)
    _look_at_health(group)
    machine.hurry(group)


def _look_at_health(group: Group) -> None:
    """Notice what happened while health was not looked at."""
    if "HealthCheck" not in group.suspended:
        group.unhealthy |= {
            one.id for one in group.members.values() if not one.healthy and not one.ending
        }


def _processes(params: Params) -> list[str]:
    names: list[str] = list(params.get("ScalingProcesses") or _PROCESSES)
    for name in names:
        if name not in _PROCESSES:
            raise AwsError("ValidationError", f"Invalid process: {name}")
    return names


def _shown(group: Group, activity: Activity) -> dict[str, Any]:
    return {
        "ActivityId": activity.id,
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "Description": activity.description,
        "Cause": activity.cause,
        "StartTime": activity.started,
        "EndTime": activity.ended,
        "StatusCode": activity.status,
        "StatusMessage": activity.message,
        "Progress": activity.progress,
        "Details": activity.details,
    }


OPERATIONS: Final[dict[str, Operation]] = {
    "TerminateInstanceInAutoScalingGroup": terminate,
    "SetInstanceHealth": set_health,
    "SetInstanceProtection": set_protection,
    "DescribeAutoScalingInstances": describe_instances,
    "DescribeScalingActivities": describe_activities,
    "SuspendProcesses": suspend,
    "ResumeProcesses": resume,
}
