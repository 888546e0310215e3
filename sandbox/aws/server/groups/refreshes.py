"""Instance refreshes: the group's instances are replaced, so many at a time."""

import math
from collections.abc import Callable
from typing import Any, Final

from sandbox.aws.server.clock import timestamp
from sandbox.aws.server.groups.model import Group, Member, Refresh
from sandbox.aws.server.groups.templates import resolve, specification, types_of
from sandbox.aws.server.world import WORLD

_MIN_HEALTHY: Final = 90


def active(group: Group) -> Refresh | None:
    """Return the refresh that goes on, None if there is none."""
    return next((one for one in group.refreshes if one.active), None)


def begin(group: Group, preferences: dict[str, Any], desired: dict[str, Any] | None) -> Refresh:
    """Start to replace the members of a group; there must be no refresh yet.

    Args:
        group: The group.
        preferences: As StartInstanceRefresh has them.
        desired: The group's new template or mixed policy, taken over at once.

    Returns:
        The refresh.
    """
    if desired:
        group.settings = group.settings | desired
        for other in {"LaunchTemplate", "MixedInstancesPolicy"} - desired.keys():
            group.settings.pop(other, None)
    todo = {one.id for one in group.members.values() if not one.ending}
    if preferences.get("SkipMatching"):
        todo -= {key for key in todo if _matches(group, group.members[key])}
    refresh = Refresh(preferences, desired, todo, len(todo))
    group.refreshes.append(refresh)
    return refresh


def step(group: Group, end: Callable[[Member], None]) -> float | None:
    """Replace as many as the preferences allow now; ends the refresh when none is left.

    Args:
        group: The group.
        end: Ends a member.

    Returns:
        Seconds until the next member has warmed up, None if none is warming up.
    """
    refresh = active(group)
    if refresh is None or "InstanceRefresh" in group.suspended:
        return None
    refresh.todo &= {key for key, one in group.members.items() if not one.ending}
    if refresh.status == "Cancelling":
        _over(refresh, "Cancelled", "Cancelled due to user request.")
        return None
    settled, later = _settled(group, refresh)
    if not refresh.todo:
        if len(settled) >= group.desired:
            _over(refresh, "Successful", None)
        return later
    healthy = refresh.preferences.get("MinHealthyPercentage")
    least = math.ceil(group.desired * (_MIN_HEALTHY if healthy is None else healthy) / 100)
    # One at a time always goes, as AWS says, even where the percentage allows none.
    spare = max(len(settled) - least, 1 if len(settled) >= group.desired else 0)
    waiting = [one for one in settled if one.id in refresh.todo]
    for member in waiting[:spare]:
        end(member)
    return later


def shown(group: Group, refresh: Refresh) -> dict[str, Any]:
    """Return a refresh as DescribeInstanceRefreshes shows it."""
    left = len(refresh.todo)
    done = 100 if not refresh.total else math.floor(100 * (refresh.total - left) / refresh.total)
    return {
        "InstanceRefreshId": refresh.id,
        "AutoScalingGroupName": group.name,
        "Status": refresh.status,
        "StatusReason": refresh.reason,
        "StartTime": refresh.started,
        "EndTime": refresh.ended,
        "PercentageComplete": done,
        "InstancesToUpdate": left,
        "Preferences": refresh.preferences or None,
        "DesiredConfiguration": refresh.desired,
        "Strategy": "Rolling",
    }


def cancel_for_delete(group: Group) -> None:
    """End the refresh of a group that is being deleted."""
    refresh = active(group)
    if refresh is not None:
        _over(refresh, "Cancelled", "The Auto Scaling group is being deleted.")


def _settled(group: Group, refresh: Refresh) -> tuple[list[Member], float | None]:
    """Return the members that count as healthy, and when the next of the others will."""
    seconds = refresh.preferences.get("InstanceWarmup")
    if seconds is None:
        default = group.settings.get("DefaultInstanceWarmup")
        seconds = group.settings["HealthCheckGracePeriod"] if default is None else default
    now = WORLD.clock.now()
    settled: list[Member] = []
    left: list[float] = []
    for member in group.members.values():
        if member.state != "InService":
            continue
        wait = (member.served or now) + float(seconds) - now
        if member.id in refresh.todo or wait <= 0:
            settled.append(member)
        else:
            left.append(wait)
    return settled, min(left, default=None)


def _matches(group: Group, member: Member) -> bool:
    template, data = resolve(group.region, specification(group.settings))
    return member.template == template and member.instance.instance_type in types_of(
        group.settings, data
    )


def _over(refresh: Refresh, status: str, reason: str | None) -> None:
    refresh.status, refresh.reason, refresh.ended = status, reason, timestamp()
