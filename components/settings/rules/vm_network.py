"""What holds for the VPC."""

from __future__ import annotations

import ipaddress
from functools import partial
from typing import TYPE_CHECKING

from components.settings.problems import Problem
from components.settings.rules import rule as rules
from components.settings.rules.rule import groups_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.settings.vm import VmSettings

rule = partial(rules.rule, platform="vm")

# Of each subnet AWS keeps four addresses at its start and one at its end.
_AWS_KEEPS = 5
# The scheduler, and what stands beside the workers: mount targets, a replacement that starts.
_BESIDE_WORKERS = 4


def _zones(count: int) -> str:
    return "1 zone" if count == 1 else f"{count} zones"


@rule("region", "vpc")
def zones_are_in_the_region(settings: VmSettings) -> Iterator[Problem]:
    """A VPC is in one region."""
    for index, zone in enumerate(settings.vpc.zones):
        if zone[:-1] != settings.region:
            problem = f"{zone} is not in {settings.region}"
            remedy = f"Write for example `{settings.region}{zone[-1]}`, or `region: {zone[:-1]}`."
            yield Problem(f"vpc.zones[{index}]", problem, remedy)


@rule("vpc")
def new_vpc_has_zones(settings: VmSettings) -> Iterator[Problem]:
    """Where a new VPC is, only its owner can say."""
    vpc = settings.vpc
    if vpc.is_new and vpc.subnets:
        remedy = "Write the `id` of their VPC too, or `zones` alone for a new VPC."
        yield Problem("vpc.subnets", "a new VPC makes its own subnets", remedy)
    elif vpc.is_new and not vpc.zones:
        remedy = "Write for example `zones: [us-east-1a]`, or the `id` of a VPC with its `subnets`."
        yield Problem("vpc.zones", "a new VPC needs its zones", remedy)


@rule("vpc")
def existing_vpc_has_subnets(settings: VmSettings) -> Iterator[Problem]:
    """In a VPC of somebody else nothing is made, subnets neither."""
    if not settings.vpc.is_new and not settings.vpc.subnets:
        remedy = "Write for example `subnets: [subnet-0123456789abcdef0]`."
        yield Problem("vpc.subnets", "a VPC that is there needs its subnets named", remedy)


@rule("vpc", "egress", "flow_logs")
def existing_vpc_is_left_alone(settings: VmSettings) -> Iterator[Problem]:
    """Its zones, ranges, gateways and logs are its owner's."""
    vpc = settings.vpc
    if vpc.is_new:
        return
    written = {
        "vpc.zones": bool(vpc.zones),
        "vpc.cidr": "cidr" in vpc.model_fields_set,
        "egress": "egress" in settings.model_fields_set,
        "flowLogs": settings.flow_logs,
    }
    for key, there in written.items():
        if there:
            problem = "is of a new VPC, and `vpc.id` names one that is there"
            yield Problem(key, problem, "Remove this line or the `id`.")


@rule("vpc", "egress")
def gateways_have_room(settings: VmSettings) -> Iterator[Problem]:
    """A NAT gateway is in a public subnet of its zone."""
    vpc = settings.vpc
    count, room = len(vpc.zones), len(vpc.public_subnets)
    if vpc.is_new and settings.egress == "natPerZone" and room < count:
        problem = f"{vpc.cidr} in {count} zones has room for {room} public subnets"
        remedy = "Write a wider range, or `egress: nat`."
        yield Problem("vpc.cidr", problem, remedy)


@rule("vpc", of_groups=("workers", "max_workers"))
def vpc_has_room(settings: VmSettings) -> Iterator[Problem]:
    """Each instance takes an address, and a full subnet launches nothing."""
    vpc = settings.vpc
    ranges = map(ipaddress.IPv4Network, vpc.private_subnets.values())
    room = sum(each.num_addresses - _AWS_KEEPS - _BESIDE_WORKERS for each in ranges)
    workers = sum(group.most_workers for group in groups_of(settings).values())
    if vpc.is_new and vpc.zones and workers > room:
        problem = f"{vpc.cidr} in {_zones(len(vpc.zones))} has addresses for {room} workers"
        remedy = f"Write a wider range for {workers}: up to `/16`."
        yield Problem("vpc.cidr", problem, remedy)
