"""Which instances a group ends when it has too many: its termination policies."""

from collections.abc import Callable, Sequence
from typing import Final

from moto.core.exceptions import ServiceException

from sandbox.aws.server.groups.model import Group, Market, Member
from sandbox.aws.server.groups.pools import on_demand_of
from sandbox.aws.server.groups.templates import resolve, specification
from sandbox.aws.server.world import WORLD

_HOUR: Final = 3600.0
_DEFAULT: Final = ("AllocationStrategy", "OldestLaunchTemplate", "ClosestToNextInstanceHour")
KNOWN: Final = (
    "Default",
    "AllocationStrategy",
    "OldestInstance",
    "NewestInstance",
    "OldestLaunchConfiguration",
    "OldestLaunchTemplate",
    "ClosestToNextInstanceHour",
)

_Key = Callable[[Member], float]


def choose(group: Group, count: int) -> list[Member]:
    """Choose members to end.

    Zones are kept even first; within the fullest zone the group's policies decide, one after the
    other. Only instances in service that are not protected are chosen: one that still waits for
    its launch hook ends once it is in service.

    Args:
        group: The group.
        count: How many it has too many.

    Returns:
        At most so many.
    """
    zones: dict[str, list[Member]] = {}
    for member in group.members.values():
        if member.state == "InService" and not member.protected:
            zones.setdefault(member.zone, []).append(member)
    policies = _policies(group)
    key = _sorting(group, policies)
    for members in zones.values():
        # The first to go comes last, where it is popped.
        members.sort(key=key, reverse=True)
    by_market = "AllocationStrategy" in policies and bool(
        group.settings.get("MixedInstancesPolicy")
    )
    surplus = _surplus(group) if by_market else {}
    chosen: list[Member] = []
    while len(chosen) < count and any(zones.values()):
        fullest = max(zones.values(), key=len)
        chosen.append(_take(fullest, surplus))
    return chosen


def _policies(group: Group) -> list[str]:
    named: Sequence[str] = group.settings.get("TerminationPolicies") or ["Default"]
    return [one for name in named for one in (_DEFAULT if name == "Default" else (name,))]


def _sorting(group: Group, policies: list[str]) -> Callable[[Member], tuple[float, ...]]:
    try:
        current = resolve(group.region, specification(group.settings))[0].id
    except ServiceException:
        current = ""  # its template is gone: every instance is equally old
    now = WORLD.clock.now()
    keys: dict[str, _Key] = {
        "OldestInstance": lambda one: one.launched,
        "NewestInstance": lambda one: -one.launched,
        # Another template than the group's own counts as older than any version of it.
        "OldestLaunchTemplate": lambda one: (
            float(one.template.version) if one.template.id == current else -1.0
        ),
        "ClosestToNextInstanceHour": lambda one: _HOUR - (now - one.launched) % _HOUR,
    }
    wanted = [keys[name] for name in policies if name in keys]
    return lambda one: tuple(key(one) for key in wanted)


def _surplus(group: Group) -> dict[Market, int]:
    """Return how many of each market are more than the distribution wants."""
    counted = [one for one in group.members.values() if not one.ending]
    on_demand = sum(one.market == "on-demand" for one in counted)
    wanted = on_demand_of(group)
    return {
        "on-demand": on_demand - wanted,
        "spot": len(counted) - on_demand - (group.target - wanted),
    }


def _take(members: list[Member], surplus: dict[Market, int]) -> Member:
    for index in range(len(members) - 1, -1, -1):
        if surplus.get(members[index].market, 0) > 0:
            surplus[members[index].market] -= 1
            return members.pop(index)
    return members.pop()
