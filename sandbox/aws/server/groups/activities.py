"""What a group writes down about its launches and terminations, in AWS's words."""

import json
from datetime import UTC, datetime
from typing import Final

from sandbox.aws.server.groups.model import Activity, Group, Member

DIFFERENCE: Final = "difference"
USER_HEALTH: Final = "user-health"
EC2_HEALTH: Final = "ec2-health"
REFRESH: Final = "refresh"
REBALANCE: Final = "rebalance"
DELETE: Final = "delete"
HOOK: Final = "hook"
REQUEST: Final = "request"


def launching(group: Group, member_id: str, zone: str, subnet: str, before: int) -> Activity:
    """Note that an instance starts; returns the activity."""
    activity = Activity(
        description=f"Launching a new EC2 instance: {member_id}",
        cause=_started(group, before),
        details=_details(zone, subnet),
    )
    group.activities.append(activity)
    return activity


def failed(group: Group, message: str, *, zone: str = "", subnet: str = "") -> None:
    """Note that no instance could be started."""
    activity = Activity(
        description=f"Launching a new EC2 instance.  Status Reason: {message}",
        cause=_started(group, group.active),
        details=_details(zone, subnet),
    )
    activity.end("Failed", message)
    group.activities.append(activity)


def ending(group: Group, member: Member, why: str) -> Activity:
    """Note that an instance is taken out of service; returns the activity."""
    before = group.active
    reasons = {
        DIFFERENCE: "in response to a difference between desired and actual capacity, shrinking "
        f"the capacity from {before} to {before - 1}.  At {_now()} instance {member.id} was "
        "selected for termination.",
        USER_HEALTH: "in response to a user health-check.",
        EC2_HEALTH: "in response to an EC2 health check indicating it has been terminated or "
        "stopped.",
        REFRESH: "in response to an instance refresh.",
        REBALANCE: "in response to a need to rebalance Availability Zones.",
        DELETE: "in response to a user request to delete the group.",
        HOOK: "because a lifecycle action of its launch was abandoned.",
        REQUEST: "in response to a user request.",
    }
    activity = Activity(
        description=f"Terminating EC2 instance: {member.id}",
        cause=f"At {_now()} an instance was taken out of service {reasons[why]}",
        details=_details(member.zone, str(member.instance.subnet_id)),
        status="InProgress",
        progress=0,
    )
    group.activities.append(activity)
    return activity


def _started(group: Group, before: int) -> str:
    return (
        f"At {_now()} an instance was started in response to a difference between desired and "
        f"actual capacity, increasing the capacity from {before} to {group.target}."
    )


def _details(zone: str, subnet: str) -> str:
    named = {"Subnet ID": subnet, "Availability Zone": zone}
    return json.dumps({key: value for key, value in named.items() if value})


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
