"""What holds on this machine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from components.settings import ports
from components.settings.problems import Problem, path
from components.settings.rules import rule as rules
from components.settings.rules.every_platform import too_little_memory
from components.settings.rules.rule import groups_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.settings.local import LocalSettings, LocalWorkerGroup
    from components.settings.worker_group import WorkerGroup

rule = partial(rules.rule, platform="local")
group_rule = partial(rules.group_rule, platform="local")


@group_rule("threads", "processes")
def threads_split_evenly(group: LocalWorkerGroup) -> Iterator[Problem]:
    """A thread belongs to one process."""
    count = group.layout.processes
    if group.threads % count:
        yield Problem(
            "threads",
            f"{group.threads} cannot be split over {count} processes",
            f"Write a multiple of {count}, or `processes: 1`.",
        )


@group_rule("memory", "processes")
def processes_have_memory(group: LocalWorkerGroup) -> Iterator[Problem]:
    """An idle Dask process takes about 100 MiB; below that it restarts for ever."""
    yield from too_little_memory("memory", group, "Write at least `{least}`.")


@rule("scheduler_port", "dashboard_port")
def ports_differ(settings: LocalSettings) -> Iterator[Problem]:
    """Two servers cannot listen on one port."""
    if settings.scheduler_port == settings.dashboard_port:
        yield Problem(
            "dashboardPort",
            f"{settings.dashboard_port} is the port of the scheduler too",
            "Write another one, or remove the line.",
        )


@rule("scheduler_port")
def scheduler_port_is_free(settings: LocalSettings) -> Iterator[Problem]:
    """The workers' ports are fixed, for firewalls."""
    yield from _outside_ranges("schedulerPort", settings.scheduler_port)


@rule("dashboard_port")
def dashboard_port_is_free(settings: LocalSettings) -> Iterator[Problem]:
    """The workers' ports are fixed, for firewalls."""
    yield from _outside_ranges("dashboardPort", settings.dashboard_port)


def _outside_ranges(key: str, port: int) -> Iterator[Problem]:
    for users, taken in ports.RANGES.items():
        if port in taken:
            problem = f"{port} is kept for the {users} ({taken[0]}-{taken[-1]})"
            yield Problem(key, problem, "Write another one, or remove the line.")


@rule("groups", of_groups=("workers", "max_workers", "processes"))
def workers_fit_on_this_machine(settings: LocalSettings) -> Iterator[Problem]:
    """On one machine all processes share the three ranges of ports."""
    most = ports.PROCESSES_ON_A_MACHINE
    groups = groups_of(settings)
    counts = {start: group.most_workers * group.layout.processes for start, group in groups.items()}
    total = sum(counts.values())
    if total <= most:
        return
    # Told once, where there is most to take away.
    start = max(counts, key=lambda each: counts[each])
    group, others = groups[start], total - counts[start]
    beside = f" and {others} of other groups" if others else ""
    yield Problem(
        path(*start, "workers" if group.max_workers is None else "maxWorkers"),
        f"{group.most_workers} x {group.layout.processes} processes{beside} are {total}, "
        f"and one machine has ports for {most}",
        _fitting(group, most - others),
    )


def _fitting(group: WorkerGroup, room: int) -> str:
    count = room // group.layout.processes
    if count > 0:
        also = ", also for `workers`" if group.max_workers and group.workers > count else ""
        return f"Write at most `{count}`{also}."
    alone = room == ports.PROCESSES_ON_A_MACHINE
    return f"Write `processes: {room}` or less." if alone else "Write less in several groups."
