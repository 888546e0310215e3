"""Create, describe, change and delete groups."""

from typing import Any, Final

from moto.ec2.exceptions import InvalidSubnetIdError

from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.groups import machine, refreshes, templates, validating
from sandbox.aws.server.groups.model import Group, Member, Region, invalid
from sandbox.aws.server.groups.operations import Operation, Params
from sandbox.aws.server.groups.paging import page
from sandbox.aws.server.world import WORLD

# What Describe shows as it was given; with the value that AWS takes where none is.
_SETTINGS: Final[dict[str, Any]] = {
    "LaunchTemplate": None,
    "MixedInstancesPolicy": None,
    "DefaultCooldown": 300,
    "HealthCheckType": "EC2",
    "HealthCheckGracePeriod": 0,
    "PlacementGroup": None,
    "TerminationPolicies": ("Default",),
    "NewInstancesProtectedFromScaleIn": False,
    "ServiceLinkedRoleARN": None,
    "CapacityRebalance": None,
    "Context": None,
    "DesiredCapacityType": None,
    "DefaultInstanceWarmup": None,
    "InstanceMaintenancePolicy": None,
    "DeletionProtection": None,
    "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-best-effort"},
    "AvailabilityZoneImpairmentPolicy": {
        "ZonalShiftEnabled": False,
        "ImpairedZoneHealthCheckBehavior": "IgnoreUnhealthy",
    },
    "CapacityReservationSpecification": {"CapacityReservationPreference": "default"},
    "InstanceLifecyclePolicy": None,
}
_DISTRIBUTION: Final = {
    "OnDemandAllocationStrategy": "prioritized",
    "OnDemandBaseCapacity": 0,
    "OnDemandPercentageAboveBaseCapacity": 100,
    "SpotAllocationStrategy": "lowest-price",
    "SpotInstancePools": 2,
}


def create(region: Region, params: Params) -> None:
    """CreateAutoScalingGroup."""
    name = str(params["AutoScalingGroupName"])
    if name in region.groups:
        raise AwsError(
            "AlreadyExists",
            "AutoScalingGroup by this name already exists - A group with the name "
            f"{name} already exists",
        )
    validating.known(params)
    validating.one_template(params)
    least, most = int(params["MinSize"]), int(params["MaxSize"])
    desired = int(params.get("DesiredCapacity", least))
    validating.bounds(least, most, desired)
    subnets = _subnets(region.name, params)
    settings = {
        key: default if params.get(key) is None else params[key]
        for key, default in _SETTINGS.items()
    }
    settings["HealthCheckGracePeriod"] = int(params.get("HealthCheckGracePeriod") or 0)
    _complete(region.name, settings)
    templates.check(region.name, settings, list(subnets))
    group = Group(region.name, name, settings, least, most, desired, subnets)
    group.tags = validating.tags(params.get("Tags"), name)
    for row in params.get("LifecycleHookSpecificationList") or []:
        hook = validating.hook(row)
        group.hooks[hook.name] = hook
    region.groups[name] = group
    machine.wake(group)


def update(region: Region, params: Params) -> None:
    """UpdateAutoScalingGroup: what is not given stays; desired is moved into new bounds."""
    group = changeable(region, params)
    validating.known(params)
    least = int(params.get("MinSize", group.min))
    most = int(params.get("MaxSize", group.max))
    desired = int(params.get("DesiredCapacity", min(max(group.desired, least), max(most, least))))
    validating.bounds(least, most, desired)
    changed = {key: params[key] for key in _SETTINGS if params.get(key) is not None}
    settings = group.settings | changed
    if "LaunchTemplate" in changed:
        settings["MixedInstancesPolicy"] = None
    if "MixedInstancesPolicy" in changed:
        settings["LaunchTemplate"] = None
    _complete(region.name, settings)
    named = params.get("VPCZoneIdentifier") or params.get("AvailabilityZones")
    subnets = _subnets(region.name, params) if named else group.subnets
    templates.check(region.name, settings, list(subnets))
    group.settings, group.subnets = settings, subnets
    group.min, group.max, group.desired = least, most, desired
    machine.hurry(group)


def delete(region: Region, params: Params) -> None:
    """DeleteAutoScalingGroup: refused with instances, unless forced."""
    group = region.group(str(params["AutoScalingGroupName"]))
    force = bool(params.get("ForceDelete"))
    if not force and group.active:
        raise AwsError(
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot "
            "instance request(s) still in the group.",
        )
    if not force and group.members:
        raise AwsError(
            "ScalingActivityInProgress",
            "You cannot delete an AutoScalingGroup while there are scaling activities in progress "
            "for that group.",
        )
    refreshes.cancel_for_delete(group)
    group.status = "Delete in progress"
    group.desired = group.min = group.max = 0
    machine.delete(group)


def describe(region: Region, params: Params) -> Params:
    """DescribeAutoScalingGroups."""
    wanted = set(params.get("AutoScalingGroupNames") or [])
    groups = [
        one
        for one in region.groups.values()
        if (not wanted or one.name in wanted) and _passes(one, params.get("Filters") or [])
    ]
    rows, token = page(groups, params, default=50, most=100)
    return {"AutoScalingGroups": [shown(one) for one in rows], "NextToken": token}


def shown(group: Group) -> Params:
    """Return a group as Describe shows it."""
    values = {key: value for key, value in group.settings.items() if value is not None}
    values["TerminationPolicies"] = list(values["TerminationPolicies"])
    return values | {
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "MinSize": group.min,
        "MaxSize": group.max,
        "DesiredCapacity": group.desired,
        "AvailabilityZones": list(dict.fromkeys(group.subnets.values())),
        "VPCZoneIdentifier": ",".join(group.subnets),
        "Instances": [shown_member(one) for one in group.members.values()],
        "CreatedTime": group.created,
        "SuspendedProcesses": [
            {"ProcessName": name, "SuspensionReason": why}
            for name, why in sorted(group.suspended.items())
        ],
        "EnabledMetrics": [{"Metric": one, "Granularity": "1Minute"} for one in group.metrics],
        "LoadBalancerNames": [],
        "TargetGroupARNs": [],
        "TrafficSources": [],
        "Status": group.status,
        "Tags": group.tags,
    }


def shown_member(member: Member) -> Params:
    """Return an instance of a group as Describe shows it."""
    return {
        "InstanceId": member.id,
        "InstanceType": member.instance.instance_type,
        "AvailabilityZone": member.zone,
        "LifecycleState": member.state,
        "HealthStatus": "Healthy" if member.healthy else "Unhealthy",
        "LaunchTemplate": {
            "LaunchTemplateId": member.template.id,
            "LaunchTemplateName": member.template.name,
            "Version": str(member.template.version),
        },
        "ProtectedFromScaleIn": member.protected,
    }


def set_desired(region: Region, params: Params) -> None:
    """SetDesiredCapacity."""
    group = changeable(region, params)
    desired = int(params["DesiredCapacity"])
    if desired > group.max:
        raise invalid(
            f"New SetDesiredCapacity value {desired} is above max value {group.max} for the "
            "AutoScalingGroup."
        )
    if desired < group.min:
        raise invalid(
            f"New SetDesiredCapacity value {desired} is below min value {group.min} for the "
            "AutoScalingGroup."
        )
    if params.get("HonorCooldown") and WORLD.clock.now() < group.cooled:
        raise AwsError(
            "ScalingActivityInProgress",
            "You have requested that a new scaling activity wait for the cooldown of the last one.",
        )
    scale(group, desired)


def scale(group: Group, desired: int) -> None:
    """Set the number of instances, which begins a cooldown."""
    group.desired = desired
    group.cooled = WORLD.clock.now() + float(group.settings["DefaultCooldown"])
    machine.hurry(group)


def changeable(region: Region, params: Params) -> Group:
    """Return the group of a call that changes it.

    Raises:
        AwsError: There is none, or it is being deleted.
    """
    group = region.group(str(params["AutoScalingGroupName"]))
    if group.status is not None:
        raise AwsError(
            "ScalingActivityInProgress",
            f"AutoScalingGroup {group.name} is pending delete and cannot be changed.",
        )
    return group


def _subnets(region: str, params: Params) -> dict[str, str]:
    """Return the subnets that a call names, each with its zone."""
    backend = templates.ec2(region)
    named = [one.strip() for one in (params.get("VPCZoneIdentifier") or "").split(",")]
    subnets = [one for one in named if one]
    for zone in [] if subnets else params.get("AvailabilityZones") or []:
        default = backend.get_default_subnets().get(zone)
        if default is None:
            raise invalid(f"There is no default subnet in {zone}")
        subnets.append(str(default.id))
    if not subnets:
        raise invalid("At least one Availability Zone or VPC Subnet is required.")
    try:
        return {key: str(backend.get_subnet(key).availability_zone) for key in subnets}
    except InvalidSubnetIdError as error:
        raise invalid(f"A subnet does not exist: {error.message}") from error


def _complete(region: str, settings: Params) -> None:
    """Fill in what AWS fills in: both names of the template, the distribution's defaults."""
    template = templates.specification(settings)
    found, _ = templates.resolve(region, template)
    full = {
        "LaunchTemplateId": found.id,
        "LaunchTemplateName": found.name,
        "Version": template.get("Version") or "$Default",
    }
    mixed = settings.get("MixedInstancesPolicy")
    if not mixed:
        settings["LaunchTemplate"] = full
        return
    distribution = _DISTRIBUTION | (mixed.get("InstancesDistribution") or {})
    if distribution["SpotAllocationStrategy"] != "lowest-price":
        distribution.pop("SpotInstancePools")
    overrides = mixed["LaunchTemplate"].get("Overrides") or []
    settings["MixedInstancesPolicy"] = {
        "LaunchTemplate": {"LaunchTemplateSpecification": full, "Overrides": overrides},
        "InstancesDistribution": distribution,
    }


def _passes(group: Group, filters: list[Params]) -> bool:
    pairs = {tag["Key"]: tag["Value"] for tag in group.tags}
    for one in filters:
        name, values = one["Name"], set(one.get("Values") or [])
        if name.startswith("tag:"):
            fits = pairs.get(name.removeprefix("tag:")) in values
        elif name in {"tag-key", "tag-value"}:
            fits = bool(values & set(pairs if name == "tag-key" else pairs.values()))
        else:
            raise invalid(f"Filter type {name} is not correct.")
        if not fits:
            return False
    return True


OPERATIONS: Final[dict[str, Operation]] = {
    "CreateAutoScalingGroup": create,
    "UpdateAutoScalingGroup": update,
    "DeleteAutoScalingGroup": delete,
    "DescribeAutoScalingGroups": describe,
    "SetDesiredCapacity": set_desired,
}
