"""What holds for the rest of a VM cluster: images, file systems, alarms, times."""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from components.settings.instance_types import facts
from components.settings.problems import Problem
from components.settings.rules import rule as rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.settings.vm import VmSettings

rule = partial(rules.rule, platform="vm")

LONGEST_DRAIN = 8 * 3600
"""Seconds that a terminating instance can be held: 100 heartbeats of 300 s, less some slack."""


@rule("drain_timeout")
def drain_ends_before_the_hook(settings: VmSettings) -> Iterator[Problem]:
    """An Auto Scaling group holds a terminating instance for 100 heartbeats at most."""
    if settings.drain_timeout > LONGEST_DRAIN:
        hours = settings.drain_timeout / 3600
        problem = f"{hours:g} hours, and AWS holds an instance that ends for 8 h at most"
        yield Problem("drainTimeout", problem, "Write at most `8 h`.")


@rule("images", "scheduler_instance_type", of_groups=("architecture",))
def images_are_used(settings: VmSettings) -> Iterator[Problem]:
    """An image of an architecture that nothing has is a slip."""
    scheduler = facts(settings.scheduler_instance_type)
    used = {group.architecture for group in settings.worker_groups.values()}
    used |= {scheduler.architecture} if scheduler else set()
    for each in settings.images:
        if each not in used:
            problem = f"neither the scheduler nor a group is {each}"
            remedy = f"Write `{min(used)}`, or remove the line."
            yield Problem(f"images.{each}", problem, remedy)


@rule("monthly_budget", "alarm_emails")
def budget_tells_somebody(settings: VmSettings) -> Iterator[Problem]:
    """A budget stops nothing: it only tells."""
    if settings.monthly_budget is not None and not settings.alarm_emails:
        remedy = "Write `alarmEmails: [someone@example.org]` too, or remove the line."
        yield Problem("monthlyBudget", "a budget that tells nobody does nothing", remedy)


@rule("lustre")
def new_lustre_has_a_size(settings: VmSettings) -> Iterator[Problem]:
    """What a file system costs goes with its size."""
    lustre = settings.lustre
    if lustre is None or lustre.id is not None:
        return
    if lustre.size is None:
        remedy = "Write for example `size: 1200 GiB`, or the `id` of one that is there."
        yield Problem("lustre.size", "a new file system needs its size", remedy)
    if lustre.mount_name is not None:
        problem = "AWS names the mount of a new file system"
        yield Problem("lustre.mountName", problem, "Remove the line, or write the `id` too.")


@rule("lustre")
def existing_lustre_has_a_mount_name(settings: VmSettings) -> Iterator[Problem]:
    """FSx makes the mount name up, and a host cannot guess it."""
    lustre = settings.lustre
    if lustre is None or lustre.id is None:
        return
    if lustre.mount_name is None:
        remedy = "Write the `mountName` that FSx shows, for example `mountName: fsx`."
        yield Problem("lustre.mountName", "is missing beside `id`", remedy)
    if lustre.size is not None:
        problem = "a file system that is there has its size already"
        yield Problem("lustre.size", problem, "Remove this line or the `id`.")


@rule("efs", "lustre")
def mounts_are_apart(settings: VmSettings) -> Iterator[Problem]:
    """One mount inside of the other would hide a part of it."""
    if settings.efs is None or settings.lustre is None:
        return
    one, two = PurePosixPath(settings.efs.mount), PurePosixPath(settings.lustre.mount)
    if one.is_relative_to(two) or two.is_relative_to(one):
        problem = f"{two} and efs.mount ({one}) are within each other"
        yield Problem("lustre.mount", problem, "Write another path, for example `/fsx`.")
