"""Where the next instance of a group comes from: market, type, zone and subnet."""

import math
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

from sandbox.aws.server.groups.model import Group, Market
from sandbox.aws.server.groups.templates import Plan
from sandbox.aws.server.world import WORLD

_FAILED: Final = " Launching EC2 instance failed."
_NO_SPOT: Final = "There is no Spot capacity available that matches your request."


class NoCapacityError(Exception):
    """No pool of a group has an instance; the text is AWS's."""


@dataclass(frozen=True)
class Pool:
    """Where an instance comes from."""

    market: Market
    type: str
    zone: str
    subnet: str


class Chooser:
    """Chooses pools for one batch of launches of a group, so that zones and pools stay even."""

    def __init__(self, group: Group, plan: Plan) -> None:
        self._group = group
        self._plan = plan
        self._mixed = group.settings.get("MixedInstancesPolicy") or {}
        self._zones = group.subnets
        counted = [one for one in group.members.values() if not one.ending]
        self._in_zone = Counter(one.zone for one in counted)
        self._in_subnet = Counter(str(one.instance.subnet_id) for one in counted)
        self._in_pool = Counter((one.instance.instance_type, one.zone) for one in counted)
        self._on_demand = sum(one.market == "on-demand" for one in counted)

    def market(self) -> Market:
        """Tell where the next instance is to be bought."""
        if not self._mixed:
            options = self._plan.data.get("InstanceMarketOptions") or {}
            return "spot" if options.get("MarketType") == "spot" else "on-demand"
        return "on-demand" if self._on_demand < on_demand_of(self._group) else "spot"

    def choose(self, market: Market) -> Pool:
        """Choose a pool that has an instance.

        Raises:
            NoCapacityError: None has.
        """
        subnets = sorted(
            self._group.subnets,
            key=lambda key: (self._in_zone[self._zones[key]], self._in_subnet[key]),
        )
        for subnet in subnets:
            zone = self._zones[subnet]
            for name in self._ordered(market, zone):
                if offered(self._group.region, zone, name, market) and WORLD.capacity.has(
                    name, zone, market
                ):
                    return self._take(Pool(market, name, zone, subnet))
        raise NoCapacityError(self._words(market, [self._zones[key] for key in subnets]))

    def _ordered(self, market: Market, zone: str) -> list[str]:
        """Order the types: on demand as listed; on spot the pool least used so far."""
        if market == "on-demand":
            return list(self._plan.types)
        return sorted(self._plan.types, key=lambda name: self._in_pool[name, zone])

    def _take(self, pool: Pool) -> Pool:
        self._in_zone[pool.zone] += 1
        self._in_subnet[pool.subnet] += 1
        self._in_pool[pool.type, pool.zone] += 1
        self._on_demand += pool.market == "on-demand"
        return pool

    def _words(self, market: Market, zones: list[str]) -> str:
        name = self._plan.types[0]
        if market == "spot":
            why = f"InsufficientInstanceCapacity - {_NO_SPOT}"
            if not any(_buyable(one, market) for one in self._plan.types):
                why = f"InvalidParameterValue - Spot Instances are not supported for {name}."
            return f"Could not launch Spot Instances. {why}{_FAILED}"
        if not any(
            offered(self._group.region, zone, one, market)
            for one in self._plan.types
            for zone in zones
        ):
            elsewhere = _zones_with(self._group.region, name)
            text = (
                f"Your requested instance type ({name}) is not supported in your requested "
                f"Availability Zone ({zones[0]}). Please retry your request by not specifying an "
                f"Availability Zone or choosing {', '.join(elsewhere)}.{_FAILED}"
            )
            code = "Unsupported"
        else:
            text = (
                f"We currently do not have sufficient {name} capacity in the Availability Zone "
                f"you requested ({zones[0]}). Our system will be working on provisioning "
                f"additional capacity.{_FAILED}"
            )
            code = "InsufficientInstanceCapacity"
        return f"Could not launch On-Demand Instances. {code} - {text}" if self._mixed else text


def on_demand_of(group: Group) -> int:
    """Return how many of a mixed group's instances are to be on demand."""
    mixed = group.settings.get("MixedInstancesPolicy") or {}
    distribution: dict[str, Any] = mixed.get("InstancesDistribution") or {}
    base = int(distribution.get("OnDemandBaseCapacity") or 0)
    share = distribution.get("OnDemandPercentageAboveBaseCapacity")
    above = max(0, group.target - base)
    return min(base, group.target) + math.ceil(above * (100 if share is None else share) / 100)


def offered(region: str, zone: str, name: str, market: Market) -> bool:
    """Tell whether a type can be bought in a zone at all, by moto's data of AWS's offerings."""
    return _buyable(name, market) and name in _offerings(region).get(zone, frozenset())


def _buyable(name: str, market: Market) -> bool:
    return market in INSTANCE_TYPES[name]["SupportedUsageClasses"]


def _zones_with(region: str, name: str) -> list[str]:
    return sorted(zone for zone, names in _offerings(region).items() if name in names)


@cache
def _offerings(region: str) -> dict[str, frozenset[str]]:
    by_zone: dict[str, set[str]] = {}
    for row in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, []):
        by_zone.setdefault(row["Location"], set()).add(row["InstanceType"])
    return {zone: frozenset(names) for zone, names in by_zone.items()}
