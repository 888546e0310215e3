"""What holds between where instances are, how they are bought, and a group's other keys."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from components.settings import instance_types
from components.settings.problems import Problem
from components.settings.rules import rule as rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.settings.vm import VmSettings
    from components.settings.vm_group import VmWorkerGroup

rule = partial(rules.rule, platform="vm")
group_rule = partial(rules.group_rule, platform="vm")


def _is_spread(settings: VmSettings) -> str:
    """Say over what the cluster is spread; empty where it is in one place."""
    count = len(settings.vpc.places)
    what = "zones" if settings.vpc.is_new else "subnets"
    return f"the VPC has {count} {what}" if count > 1 else ""


def _keep_one(settings: VmSettings) -> str:
    key = "zones" if settings.vpc.is_new else "subnets"
    return f"Keep one of `vpc: {{{key}}}`."


@group_rule("placement_group", of_stack=("vpc",))
def placement_group_is_in_one_zone(group: VmWorkerGroup, settings: VmSettings) -> Iterator[Problem]:
    """A cluster placement group is a part of one zone."""
    spread = _is_spread(settings)
    if group.placement_group and spread:
        yield Problem("placementGroup", f"needs one zone, and {spread}", _keep_one(settings))


@group_rule("placement_group", "instance_types")
def types_can_be_placed(group: VmWorkerGroup) -> Iterator[Problem]:
    """Types that share their processors, such as t3, are not placed close together."""
    wrong = ", ".join(each.name for each in group.types if not each.cluster_placement)
    if group.placement_group and wrong:
        problem = f"not for cluster placement groups: {wrong}"
        yield Problem("placementGroup", problem, "Remove the line, or write other types.")


@group_rule("network", of_stack=("vpc",))
def efa_is_in_one_zone(group: VmWorkerGroup, settings: VmSettings) -> Iterator[Problem]:
    """EFA does not leave its subnet."""
    spread = _is_spread(settings)
    if group.network == "efa" and spread:
        yield Problem("network", f"efa needs one zone, and {spread}", _keep_one(settings))


@group_rule("network", "placement_group")
def efa_is_in_a_placement_group(group: VmWorkerGroup) -> Iterator[Problem]:
    """Without one the instances may be far from each other, and EFA gains nothing."""
    if group.network == "efa" and not group.placement_group:
        problem = "efa needs a placement group"
        yield Problem("network", problem, "Write `placementGroup: true` too.")


@group_rule("all_or_nothing", "spot")
def all_or_nothing_is_not_spot(group: VmWorkerGroup) -> Iterator[Problem]:
    """AWS takes spot instances back one by one."""
    if group.all_or_nothing and group.spot:
        problem = "spot instances come and go one by one"
        yield Problem("allOrNothing", problem, "Remove this line or `spot`.")


@group_rule("all_or_nothing", "max_workers")
def all_or_nothing_is_fixed(group: VmWorkerGroup) -> Iterator[Problem]:
    """Between two numbers there is no `all`."""
    if group.all_or_nothing and group.max_workers is not None:
        problem = "with `maxWorkers` workers come and go one by one"
        yield Problem("allOrNothing", problem, "Remove this line or `maxWorkers`.")


@group_rule("capacity_reservation", "spot")
def reservation_is_not_spot(group: VmWorkerGroup) -> Iterator[Problem]:
    """A reservation is of on-demand capacity."""
    if group.capacity_reservation and group.spot:
        problem = "spot instances are never taken from a reservation"
        yield Problem("capacityReservation", problem, "Remove this line or `spot`.")


@group_rule("capacity_reservation", "instance_types")
def reservation_is_of_one_type(group: VmWorkerGroup) -> Iterator[Problem]:
    """A launch of another type into a named reservation fails."""
    if group.capacity_reservation and len(group.instance_types) > 1:
        problem = f"a reservation is of one type, and there are {len(group.instance_types)}"
        yield Problem("capacityReservation", problem, "Keep the type that is reserved.")


@group_rule("capacity_reservation", of_stack=("vpc",))
def reservation_is_in_one_zone(group: VmWorkerGroup, settings: VmSettings) -> Iterator[Problem]:
    """A launch in another zone into a named reservation fails."""
    spread = _is_spread(settings)
    if group.capacity_reservation and spread:
        problem = f"a reservation is in one zone, and {spread}"
        yield Problem("capacityReservation", problem, _keep_one(settings))


def _elsewhere(name: str, region: str) -> str:
    """Say where a type can be had, and what if the account's zones have other letters."""
    there = ", ".join(instance_types.zones_with(name, region))
    where = f"It is in {there}." if there else f"No zone of {region} has it."
    return f"{where} {_account(region)}"


def _account(region: str) -> str:
    renew = f"python -m components.settings.instance_types --aws {region}"
    return f"If your account differs: `{renew}`."


@group_rule("instance_types", of_stack=("region", "vpc"))
def zones_have_types(group: VmWorkerGroup, settings: VmSettings) -> Iterator[Problem]:
    """Every type is in some zone, and every zone has some type; else one of them is of no use."""
    zones = settings.vpc.zones
    names = group.instance_types
    for name in names:
        if zones and all(instance_types.offered(name, each) is False for each in zones):
            problem = f"{name} is not offered in {', '.join(zones)}"
            yield Problem("instanceTypes", problem, _elsewhere(name, settings.region))
    for zone in zones:
        lacking = [each for each in names if instance_types.offered(each, zone) is False]
        # Told above where no zone has them.
        elsewhere = [each for each in names if any(instance_types.offered(each, z) for z in zones)]
        if lacking == list(names) and elsewhere:
            problem = f"{zone} has none of the types"
            remedy = f"Leave the zone out, or add a type. {_account(settings.region)}"
            yield Problem("instanceTypes", problem, remedy)


@rule("scheduler_instance_type", "region", "vpc")
def zones_have_the_schedulers_type(settings: VmSettings) -> Iterator[Problem]:
    """The scheduler starts in any of the zones that has its type."""
    name, zones = settings.scheduler_instance_type, settings.vpc.zones
    if zones and all(instance_types.offered(name, each) is False for each in zones):
        problem = f"{name} is not offered in {', '.join(zones)}"
        yield Problem("schedulerInstanceType", problem, _elsewhere(name, settings.region))
