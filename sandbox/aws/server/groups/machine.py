"""The state machine: brings each group to what it should be, one step at a time.

A step is due whenever something of a group changes (`wake`). All of it runs under the clock's
lock, in the clock's thread or in a request.
"""

from typing import Final

from moto.core.exceptions import ServiceException
from moto.ec2.models.instances import Instance

from sandbox.aws.server.groups import (
    activities,
    hooks,
    pools,
    rebalance,
    refreshes,
    told,
    victims,
)
from sandbox.aws.server.groups.launching import LaunchError, launch
from sandbox.aws.server.groups.model import (
    LAUNCHING,
    REGIONS,
    TERMINATING,
    Group,
    Market,
    Member,
    region,
)
from sandbox.aws.server.groups.pools import Chooser, NoCapacityError
from sandbox.aws.server.groups.templates import Plan, ec2, plan
from sandbox.aws.server.world import WORLD

# Real seconds, whatever the speed: as quick as a test wants it, as slow as a reader can follow.
PENDING_SECONDS: Final = 0.2
# So many instances are started in one step; other requests come between two steps.
BATCH: Final = 100
_FIRST_BACKOFF: Final = 2.0
_LAST_BACKOFF: Final = 60.0


def wake(group: Group) -> None:
    """Look at a group as soon as the lock is free."""
    if group.awake:
        return
    group.awake = True
    WORLD.clock.soon(0, lambda: _step(group))


def hurry(group: Group) -> None:
    """Look at a group now, and try again at once what failed: somebody changed it."""
    group.blocked = group.backoff = 0.0
    wake(group)


def delete(group: Group) -> None:
    """End a group that is marked as deleted: now if it is empty, else once it is."""
    for member in list(group.members.values()):
        if member.state == "Terminating:Wait":
            member.waits.clear()
            _terminate(group, member)
    _step_deleting(group)


def _step(group: Group) -> None:
    group.awake = False
    here = region(group.region)
    if here.groups.get(group.name) is not group:
        return
    if group.status is not None:
        _step_deleting(group)
        return
    _replace_unhealthy(group)
    why = activities.DIFFERENCE
    if group.extra and rebalance.arrived(group):
        group.extra, why = 0, activities.REBALANCE
    missing = group.target - group.active
    if missing > 0 and "Launch" not in group.suspended:
        _launch(group, missing)
    elif missing < 0 and "Terminate" not in group.suspended:
        for member in victims.choose(group, -missing):
            end(group, member, why)
    if rebalance.wanted(group):
        group.extra = 1
        wake(group)
    later = refreshes.step(group, lambda member: end(group, member, activities.REFRESH))
    if later is not None:
        WORLD.clock.after(later, lambda: wake(group))


def _step_deleting(group: Group) -> None:
    for member in list(group.members.values()):
        if not member.ending:
            end(group, member, activities.DELETE, with_hooks=False)
    if not group.members:
        here = region(group.region)
        del here.groups[group.name]
        here.policies = {key: one for key, one in here.policies.items() if one.group != group.name}
        here.gone.append(group)


def _replace_unhealthy(group: Group) -> None:
    if "ReplaceUnhealthy" in group.suspended or "Terminate" in group.suspended:
        return
    for key in sorted(group.unhealthy):
        member = group.members.get(key)
        if member is None or member.ending:
            group.unhealthy.discard(key)
        elif member.state == "InService":
            gone = member.instance.state != "running"
            end(group, member, activities.EC2_HEALTH if gone else activities.USER_HEALTH)


def _launch(group: Group, missing: int) -> None:
    now = WORLD.clock.now()
    if now < group.blocked:
        WORLD.clock.after(group.blocked - now, lambda: wake(group))
        return
    try:
        what = plan(group)
    except ServiceException as error:
        _failed(group, f"{error.message} Launching EC2 instance failed.")
        return
    started, dry = _batch(group, what, min(missing, BATCH))
    if started:
        WORLD.clock.soon(PENDING_SECONDS, lambda: _running(group, started))
        if not dry:
            group.backoff = 0.0
            wake(group)


def _batch(group: Group, what: Plan, count: int) -> tuple[list[Member], set[Market]]:
    """Start up to so many instances.

    Returns:
        Those started, and the markets that had none: the rest is tried later.
    """
    chooser = Chooser(group, what)
    started: list[Member] = []
    dry: set[Market] = set()
    for _ in range(count):
        market = chooser.market()
        if market in dry:
            break
        try:
            pool = chooser.choose(market)
            instance = launch(group, what, pool)
        except (NoCapacityError, LaunchError) as error:
            dry.add(market)
            _failed(group, str(error))
            if isinstance(error, LaunchError):
                break
            continue
        started.append(_join(group, what, pool, instance))
    return started, dry


def _join(group: Group, what: Plan, pool: pools.Pool, instance: Instance) -> Member:
    activity = activities.launching(group, str(instance.id), pool.zone, pool.subnet, group.active)
    member = Member(
        instance=instance,
        template=what.template,
        market=pool.market,
        activity=activity,
        launched=WORLD.clock.now(),
        protected=bool(group.settings.get("NewInstancesProtectedFromScaleIn")),
    )
    group.members[member.id] = member
    region(group.region).members[member.id] = (group, member)
    return member


def _failed(group: Group, message: str) -> None:
    activities.failed(group, message)
    group.extra = 0
    group.backoff = min(_LAST_BACKOFF, group.backoff * 2 or _FIRST_BACKOFF)
    group.blocked = WORLD.clock.now() + group.backoff
    WORLD.clock.after(group.backoff, lambda: wake(group))


def _running(group: Group, started: list[Member]) -> None:
    """EC2 says that these instances run: their launch hooks begin, or they serve."""
    for member in started:
        if member.ending or group.members.get(member.id) is not member:
            continue
        if member.instance.state == "pending":
            member.instance.start()
        _begin_serving(group, member)
        told.tell("running", group, member)
    wake(group)


def _begin_serving(group: Group, member: Member) -> None:
    def over() -> None:
        _serve(group, member)
        wake(group)

    def abandoned(message: str) -> None:
        member.activity.end("Cancelled", message)
        end(group, member, activities.HOOK)

    if not hooks.begin(group, member, LAUNCHING, over=over, abandoned=abandoned):
        _serve(group, member)


def _serve(group: Group, member: Member) -> None:
    member.state = "InService"
    member.served = WORLD.clock.now()
    member.activity.end("Successful")
    if member.instance.state != "running":
        member.healthy = False
    if not member.healthy:
        group.unhealthy.add(member.id)


def end(group: Group, member: Member, why: str, *, with_hooks: bool = True) -> None:
    """Take a member out of service; it is gone once its hooks and EC2 are done.

    Args:
        group: Its group.
        member: A member that is not ending yet.
        why: One of the causes in `activities`.
        with_hooks: False for a forced delete, which waits for nobody.
    """
    if member.ending:
        return
    if member.activity.ended is None:
        member.activity.end("Cancelled", "The instance was terminated before it was in service.")
    member.activity = activities.ending(group, member, why)
    member.waits.clear()
    member.state = "Terminating"
    group.ending.add(member.id)
    group.unhealthy.discard(member.id)

    def over(_: str = "") -> None:
        _terminate(group, member)

    if not with_hooks or not hooks.begin(group, member, TERMINATING, over=over, abandoned=over):
        _terminate(group, member)
    else:
        told.tell("terminating", group, member)
    wake(group)


def _terminate(group: Group, member: Member) -> None:
    if member.state == "Terminating:Wait":
        member.state = "Terminating:Proceed"
    if member.instance.state in {"terminated", "shutting-down"}:
        _leave_when_ended(group, member)
        return
    # The instance's own end tells us through `instance_ended`.
    ec2(group.region).terminate_instances([member.id])


def instance_off(region_name: str, instance_id: str) -> None:
    """EC2 says that it shuts an instance down, whoever wanted it."""
    here = REGIONS.get(region_name)
    if here and instance_id in here.members:
        told.tell("off", *here.members[instance_id])


def instance_ended(region_name: str, instance_id: str) -> None:
    """EC2 says that an instance stopped or ended, whoever wanted it."""
    here = REGIONS.get(region_name)
    found = here.members.get(instance_id) if here else None
    if found is None:
        return
    group, member = found
    if member.ending:
        _leave_when_ended(group, member)
        return
    member.healthy = False
    if "HealthCheck" not in group.suspended:
        group.unhealthy.add(member.id)
    wake(group)


def _leave_when_ended(group: Group, member: Member) -> None:
    """Forget a member whose hooks are over and whose instance is gone."""
    if member.waits or member.instance.state != "terminated":
        return
    if group.members.pop(member.id, None) is None:
        return
    group.ending.discard(member.id)
    group.unhealthy.discard(member.id)
    del region(group.region).members[member.id]
    member.state = "Terminated"
    told.tell("ended", group, member)
    member.activity.end("Successful")
    wake(group)
