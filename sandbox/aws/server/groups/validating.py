"""What AWS refuses of a group: bounds, names and inputs that we do not know."""

from typing import Any, Final

from sandbox.aws.server.groups.model import Hook, Tag, invalid
from sandbox.aws.server.groups.victims import KNOWN

# Inputs that would change what happens and that nothing here acts on: an error, not a silence.
_UNKNOWN: Final = (
    "LaunchConfigurationName",
    "InstanceId",
    "LoadBalancerNames",
    "TargetGroupARNs",
    "TrafficSources",
    "AvailabilityZoneIds",
    "MaxInstanceLifetime",
)
_HEARTBEAT: Final = (30, 7200)
_TRANSITIONS: Final = (
    "autoscaling:EC2_INSTANCE_LAUNCHING",
    "autoscaling:EC2_INSTANCE_TERMINATING",
)
_RESULTS: Final = ("CONTINUE", "ABANDON")
MOST_HOOKS: Final = 50


def known(params: dict[str, Any]) -> None:
    """Refuse inputs that the rehearsal does not act on.

    Raises:
        ServiceException: With the input's name.
    """
    given = [name for name in _UNKNOWN if params.get(name)]
    mixed = params.get("MixedInstancesPolicy") or {}
    template = mixed.get("LaunchTemplate") or {}
    for override in template.get("Overrides") or []:
        given += sorted(set(override) - {"InstanceType"})
    if given:
        raise invalid(f"the AWS of the rehearsal does not know {', '.join(given)} of a group")
    for name in params.get("TerminationPolicies") or []:
        if name not in KNOWN:
            raise invalid(f"Invalid termination policy: {name}")


def bounds(least: int, most: int, desired: int) -> None:
    """Refuse bounds that contradict each other.

    Raises:
        ServiceException: With AWS's words.
    """
    if least > most:
        raise invalid(f"Max bound, {most}, must be greater than or equal to min bound, {least}")
    if not least <= desired <= most:
        raise invalid(
            f"Desired capacity:{desired} must be between the specified min size:{least} and max "
            f"size:{most}"
        )


def one_template(params: dict[str, Any]) -> None:
    """Refuse both a launch template and a mixed policy, or neither.

    Raises:
        ServiceException: With AWS's words.
    """
    given = [name for name in ("LaunchTemplate", "MixedInstancesPolicy") if params.get(name)]
    if len(given) != 1:
        raise invalid(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, "
            "InstanceId or MixedInstancesPolicy parameter."
        )


def hook(params: dict[str, Any]) -> Hook:
    """Read a lifecycle hook.

    Raises:
        ServiceException: It is out of AWS's bounds.
    """
    transition = params.get("LifecycleTransition")
    if transition not in _TRANSITIONS:
        raise invalid(f"Lifecycle Transition must be one of {list(_TRANSITIONS)}")
    result = params.get("DefaultResult") or "ABANDON"
    if result not in _RESULTS:
        raise invalid(f"Default Result must be CONTINUE or ABANDON, not {result}")
    seconds = int(params.get("HeartbeatTimeout") or 3600)
    if not _HEARTBEAT[0] <= seconds <= _HEARTBEAT[1]:
        raise invalid(
            f"Heartbeat Timeout must be between {_HEARTBEAT[0]} and {_HEARTBEAT[1]} seconds"
        )
    return Hook(
        name=str(params["LifecycleHookName"]),
        transition=transition,
        heartbeat=seconds,
        default_result=result,
        role=params.get("RoleARN"),
        target=params.get("NotificationTargetARN"),
        metadata=params.get("NotificationMetadata"),
    )


def tags(rows: list[Tag] | None, group: str) -> list[Tag]:
    """Read tags of a group; a later one of the same key wins."""
    read: dict[str, Tag] = {}
    for row in rows or []:
        if row["Key"].lower().startswith("aws:"):
            raise invalid("aws: prefixed tag key names are not allowed for external use")
        read[row["Key"]] = {
            "ResourceId": group,
            "ResourceType": "auto-scaling-group",
            "Key": row["Key"],
            "Value": row.get("Value") or "",
            "PropagateAtLaunch": bool(row.get("PropagateAtLaunch")),
        }
    return [read[key] for key in sorted(read)]
