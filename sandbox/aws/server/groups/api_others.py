"""Tags, metrics and instance refreshes of groups."""

from typing import Final

from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.groups import machine, refreshes, templates, validating
from sandbox.aws.server.groups.api_groups import changeable
from sandbox.aws.server.groups.model import Region, Tag, invalid
from sandbox.aws.server.groups.operations import Operation, Params
from sandbox.aws.server.groups.paging import page

_METRICS: Final = (
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
)
_PREFERENCES: Final = frozenset(
    {"MinHealthyPercentage", "InstanceWarmup", "SkipMatching", "ScaleInProtectedInstances"}
)


def tag(region: Region, params: Params) -> None:
    """CreateOrUpdateTags; instances that run keep the tags that they have."""
    for row in params.get("Tags") or []:
        group = changeable(region, {"AutoScalingGroupName": row["ResourceId"]})
        group.tags = validating.tags([*group.tags, row], group.name)


def untag(region: Region, params: Params) -> None:
    """DeleteTags."""
    for row in params.get("Tags") or []:
        group = changeable(region, {"AutoScalingGroupName": row["ResourceId"]})
        group.tags = [one for one in group.tags if one["Key"] != row["Key"]]


def describe_tags(region: Region, params: Params) -> Params:
    """DescribeTags, by any of its four filters."""
    found = [one for group in region.groups.values() for one in group.tags]
    for wanted in params.get("Filters") or []:
        values = {str(one).lower() for one in wanted.get("Values") or []}
        found = [one for one in found if _value(one, wanted["Name"]).lower() in values]
    rows, token = page(found, params, default=50, most=100)
    return {"Tags": rows, "NextToken": token}


def enable_metrics(region: Region, params: Params) -> None:
    """EnableMetricsCollection: noted, not collected."""
    group = changeable(region, params)
    group.metrics = sorted({*group.metrics, *(params.get("Metrics") or _METRICS)})


def disable_metrics(region: Region, params: Params) -> None:
    """DisableMetricsCollection."""
    group = changeable(region, params)
    gone = set(params.get("Metrics") or group.metrics)
    group.metrics = [one for one in group.metrics if one not in gone]


def start_refresh(region: Region, params: Params) -> Params:
    """StartInstanceRefresh: rolling, and the new template counts from the start."""
    group = changeable(region, params)
    if refreshes.active(group) is not None:
        raise AwsError(
            "InstanceRefreshInProgress",
            "An Instance Refresh is already in progress and blocks the execution of this Instance "
            "Refresh.",
        )
    preferences = {
        key: one for key, one in (params.get("Preferences") or {}).items() if one is not None
    }
    unknown = sorted(key for key in preferences.keys() - _PREFERENCES if preferences[key])
    if unknown or params.get("Strategy") not in {None, "Rolling"}:
        raise invalid(
            "the AWS of the rehearsal knows rolling refreshes without "
            f"{', '.join(unknown) or params['Strategy']}"
        )
    desired = {key: one for key, one in (params.get("DesiredConfiguration") or {}).items() if one}
    if desired:
        settings = group.settings | {"LaunchTemplate": None, "MixedInstancesPolicy": None} | desired
        templates.check(region.name, settings, list(group.subnets))
    refresh = refreshes.begin(group, preferences, desired or None)
    machine.hurry(group)
    return {"InstanceRefreshId": refresh.id}


def describe_refreshes(region: Region, params: Params) -> Params:
    """DescribeInstanceRefreshes, the newest first."""
    group = region.group(str(params["AutoScalingGroupName"]))
    wanted = set(params.get("InstanceRefreshIds") or [])
    found = [one for one in reversed(group.refreshes) if not wanted or one.id in wanted]
    rows, token = page(found, params, default=50, most=100)
    shown = [refreshes.shown(group, one) for one in rows]
    return {"InstanceRefreshes": shown, "NextToken": token}


def cancel_refresh(region: Region, params: Params) -> Params:
    """CancelInstanceRefresh."""
    group = changeable(region, params)
    refresh = refreshes.active(group)
    if refresh is None:
        raise AwsError(
            "ActiveInstanceRefreshNotFound",
            f"No in progress or pending Instance Refresh found for Auto Scaling group {group.name}",
        )
    refresh.status = "Cancelling"
    machine.wake(group)
    return {"InstanceRefreshId": refresh.id}


def _value(row: Tag, name: str) -> str:
    keys = {
        "auto-scaling-group": "ResourceId",
        "key": "Key",
        "value": "Value",
        "propagate-at-launch": "PropagateAtLaunch",
    }
    if name not in keys:
        raise invalid(f"Filter type {name} is not correct.")
    return str(row[keys[name]])


OPERATIONS: Final[dict[str, Operation]] = {
    "CreateOrUpdateTags": tag,
    "DeleteTags": untag,
    "DescribeTags": describe_tags,
    "EnableMetricsCollection": enable_metrics,
    "DisableMetricsCollection": disable_metrics,
    "StartInstanceRefresh": start_refresh,
    "DescribeInstanceRefreshes": describe_refreshes,
    "CancelInstanceRefresh": cancel_refresh,
}
