"""Lifecycle hooks: instances that wait, heartbeats, and how a wait ends."""

import uuid
from collections.abc import Callable
from typing import Final

from sandbox.aws.server.groups.model import (
    LAUNCHING,
    Group,
    Hook,
    Member,
    Wait,
    invalid,
)
from sandbox.aws.server.world import WORLD

CONTINUE: Final = "CONTINUE"
ABANDON: Final = "ABANDON"


def begin(
    group: Group,
    member: Member,
    transition: str,
    *,
    over: Callable[[], None],
    abandoned: Callable[[str], None],
) -> bool:
    """Let a member wait for every hook of a transition.

    Args:
        group: Its group.
        member: In state Pending or Terminating.
        transition: Which hooks.
        over: Called once all of them ended.
        abandoned: Called instead, with the reason, if a launch hook ends with ABANDON.

    Returns:
        False if there is none to wait for.
    """
    wanted = group.hooks_of(transition)
    if not wanted:
        return False
    member.state = "Pending:Wait" if transition == LAUNCHING else "Terminating:Wait"
    member.activity.status = "MidLifecycleAction"
    for hook in wanted:
        now = WORLD.clock.now()
        wait = Wait(
            hook=hook,
            token=str(uuid.uuid4()),
            deadline=now + hook.heartbeat,
            last=now + hook.limit,
            over=over,
            abandoned=abandoned,
        )
        member.waits[hook.name] = wait
        _watch(member, wait)
    return True


def find(
    group: Group, name: str, *, token: str | None, instance_id: str | None
) -> tuple[Member, Wait]:
    """Find the wait that a call is about.

    Raises:
        ServiceException: There is no such hook, or nobody waits there.
    """
    if name not in group.hooks:
        raise invalid(f"No Lifecycle Hook found with name: {name}.")
    members = group.members
    if instance_id is not None:
        candidates = [members[instance_id]] if instance_id in members else []
    else:
        candidates = list(members.values())
    for member in candidates:
        wait = member.waits.get(name)
        if wait is not None and token in {None, wait.token}:
            return member, wait
    what = f"token {token}" if instance_id is None else f"instance ID {instance_id}"
    raise invalid(f"No active Lifecycle Action found with {what}")


def heartbeat(wait: Wait) -> None:
    """Start the waiting time anew, up to the hook's limit."""
    wait.deadline = min(WORLD.clock.now() + wait.hook.heartbeat, wait.last)


def complete(member: Member, wait: Wait, result: str, why: str) -> None:
    """End a wait.

    Args:
        member: Who waits.
        wait: For what.
        result: CONTINUE or ABANDON.
        why: Completed or timed out, for the activity.
    """
    if member.waits.get(wait.hook.name) is not wait:
        return
    del member.waits[wait.hook.name]
    launching = wait.hook.transition == LAUNCHING
    if result == ABANDON:
        # The others of the transition are not waited for any more.
        member.waits.clear()
        if launching:
            message = (
                "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token "
                f"{wait.token} was abandoned: {why}"
            )
            wait.abandoned(message)
            return
    if not member.waits:
        wait.over()


def drop(group: Group, hook: Hook) -> None:
    """A hook is deleted: whoever waits for it goes on, abandoned if it was launching."""
    for member in list(group.members.values()):
        wait = member.waits.get(hook.name)
        if wait is not None:
            result = ABANDON if hook.transition == LAUNCHING else CONTINUE
            complete(member, wait, result, "Lifecycle Hook Deleted")


def _watch(member: Member, wait: Wait) -> None:
    """Take the default result at the deadline, wherever heartbeats have moved it."""

    def look() -> None:
        if member.waits.get(wait.hook.name) is not wait:
            return
        left = wait.deadline - WORLD.clock.now()
        if left > 0:
            WORLD.clock.after(left, look)
        else:
            complete(member, wait, wait.hook.default_result, "Heartbeat Timeout")

    WORLD.clock.after(wait.deadline - WORLD.clock.now(), look)
