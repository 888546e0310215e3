"""Availability Zones that have become uneven."""

from moto.core.exceptions import ServiceException

from sandbox.aws.server.groups import pools
from sandbox.aws.server.groups.model import Group, Market
from sandbox.aws.server.groups.templates import plan
from sandbox.aws.server.world import WORLD


def wanted(group: Group) -> bool:
    """Tell whether an instance more is to be started where there are too few.

    The surplus is then taken where there are too many, which makes the zones even.
    """
    if {"AZRebalance", "Launch", "Terminate"} & group.suspended.keys() or group.extra:
        return False
    serving = [one for one in group.members.values() if one.state == "InService"]
    if len(serving) != group.desired or len(serving) < 2 or len(group.subnets) < 2:  # noqa: PLR2004
        return False
    counts = dict.fromkeys(group.subnets.values(), 0)
    for member in serving:
        counts[member.zone] = counts.get(member.zone, 0) + 1
    poorest = min(counts, key=lambda zone: counts[zone])
    try:
        what = plan(group)
    except ServiceException:
        return False  # its template is gone
    markets: set[Market] = {one.market for one in serving}
    could = any(
        pools.offered(group.region, poorest, name, market)
        and WORLD.capacity.has(name, poorest, market)
        for name in what.types
        for market in markets
    )
    richest = max(counts, key=lambda zone: counts[zone])
    spare = any(one.zone == richest and not one.protected for one in serving)
    return could and spare and counts[richest] - counts[poorest] > 1


def arrived(group: Group) -> bool:
    """Tell whether the instance more is in service, so that another one can go."""
    return sum(one.state == "InService" for one in group.members.values()) >= group.target
