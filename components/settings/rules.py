"""What must hold between the keys of a stack file.

A rule is a small function that yields problems and names the fields it looks at, of the whole stack
or of one group of workers. It runs as soon as those are right in themselves, however wrong the
others are, so that one run shows everything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from components.settings import dask_configuration, group_names, ports
from components.settings.group_names import GROUPS
from components.settings.keys import key_of
from components.settings.problems import Place, Problem, path
from components.settings.scalars import MIB

if TYPE_CHECKING:
    from components.settings.model import Settings
    from components.settings.worker_group import WorkerGroup

LEAST_MEMORY = 128 * MIB

Check = Callable[["Settings"], Iterator[Problem]]
GroupCheck = Callable[["WorkerGroup"], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule between keys.

    Attributes:
        name: The name of its function.
        check: Yields a problem for each place that breaks it.
        needs: The fields it looks at.
        of_groups: The fields it looks at in every group of workers.
        per_group: Whether it looks at one group of workers after the other.
    """

    name: str
    check: Callable[[Any], Iterator[Problem]]
    needs: frozenset[str]
    of_groups: frozenset[str] = frozenset()
    per_group: bool = False

    def keys(self, problem: Problem) -> set[str]:
        """The keys at the top whose values this problem may tell."""
        if self.per_group and problem.key.startswith(f"{GROUPS}."):
            return {GROUPS}
        return set(map(key_of, self.needs | self.of_groups))


RULES: list[Rule] = []


def rule(*needs: str, of_groups: Collection[str] = ()) -> Callable[[Check], Check]:
    """Add a function to the rules, with the fields it looks at."""

    def add(check: Check) -> Check:
        RULES.append(Rule(check.__name__, check, frozenset(needs), frozenset(of_groups)))
        return check

    return add


def group_rule(*needs: str) -> Callable[[GroupCheck], GroupCheck]:
    """Add a function that looks at one group of workers; its keys begin there."""

    def add(check: GroupCheck) -> GroupCheck:
        RULES.append(Rule(check.__name__, check, frozenset(needs), per_group=True))
        return check

    return add


def check(settings: Settings, *, without: Collection[Place] = ()) -> list[Problem]:
    """Run every rule whose fields are right in themselves.

    Args:
        settings: Settings in which each value has been read.
        without: Where a stand-in is, because what was written there is wrong.

    Returns:
        What is wrong, each problem marked with the rule that found it.
    """
    groups = _groups(settings)
    found = []
    for each in RULES:
        for start, looked_at in groups.items() if each.per_group else [((), settings)]:
            places = {(*start, key_of(name)) for name in each.needs}
            places |= {(*group, key_of(name)) for name in each.of_groups for group in groups}
            if not any(place[: len(wrong)] == wrong for place in places for wrong in without):
                for problem in each.check(looked_at):
                    key = ".".join(filter(None, (path(*start), problem.key)))
                    found.append(dataclasses.replace(problem, key=key, rule=each.name))
    return found


def _groups(settings: Settings) -> dict[Place, WorkerGroup]:
    """Every group of workers by where its keys stand: the default one's at the top."""
    return {(): settings, **{(GROUPS, name): group for name, group in settings.groups.items()}}


@group_rule("workers", "max_workers")
def most_are_not_less(group: WorkerGroup) -> Iterator[Problem]:
    """The number of workers moves between the two."""
    if group.most_workers < group.workers:
        yield Problem(
            "maxWorkers",
            f"{group.max_workers} is less than workers ({group.workers})",
            f"Write at least `{group.workers}`, or remove the line.",
        )


@group_rule("threads", "processes")
def threads_split_evenly(group: WorkerGroup) -> Iterator[Problem]:
    """A thread belongs to one process."""
    if group.threads % group.processes:
        yield Problem(
            "threads",
            f"{group.threads} cannot be split over {group.processes} processes",
            f"Write a multiple of {group.processes}, or `processes: 1`.",
        )


@group_rule("memory", "processes")
def processes_have_memory(group: WorkerGroup) -> Iterator[Problem]:
    """An idle Dask process takes about 100 MiB; below that it restarts for ever."""
    if group.memory_per_process < LEAST_MEMORY:
        count = group.processes
        share = _mebibytes(group.memory_per_process)
        problem = f"{share} for each of {count} processes" if count > 1 else share
        least = _mebibytes(LEAST_MEMORY * count)
        yield Problem("memory", f"{problem} is too little", f"Write at least `{least}`.")


def _mebibytes(size: int) -> str:
    # Rounded down: a little less than the least must not read as the least.
    return f"{size} bytes" if size < MIB else f"{size * 10 // MIB / 10:g} MiB"


@group_rule("resources", "processes")
def resources_split_evenly(group: WorkerGroup) -> Iterator[Problem]:
    """Dask counts resources per process: half a GPU would run no task that asks for one."""
    for name, amount in group.resources.items():
        if group.processes > 1 and amount % group.processes:
            yield Problem(
                f"resources.{name}",
                f"{amount:g} cannot be split over {group.processes} processes",
                f"Write a multiple of {group.processes}, or `processes: 1`.",
            )


@rule("scheduler_port", "dashboard_port")
def ports_differ(settings: Settings) -> Iterator[Problem]:
    """Two servers cannot listen on one port."""
    if settings.scheduler_port == settings.dashboard_port:
        yield Problem(
            "dashboardPort",
            f"{settings.dashboard_port} is the port of the scheduler too",
            "Write another one, or remove the line.",
        )


@rule("scheduler_port")
def scheduler_port_is_free(settings: Settings) -> Iterator[Problem]:
    """The workers' ports are fixed, for firewalls."""
    yield from _outside_ranges("schedulerPort", settings.scheduler_port)


@rule("dashboard_port")
def dashboard_port_is_free(settings: Settings) -> Iterator[Problem]:
    """The workers' ports are fixed, for firewalls."""
    yield from _outside_ranges("dashboardPort", settings.dashboard_port)


def _outside_ranges(key: str, port: int) -> Iterator[Problem]:
    for users, taken in ports.RANGES.items():
        if port in taken:
            problem = f"{port} is kept for the {users} ({taken[0]}-{taken[-1]})"
            yield Problem(key, problem, "Write another one, or remove the line.")


@rule("groups")
def group_names_are_right(settings: Settings) -> Iterator[Problem]:
    """A group's name is part of the names of its processes."""
    for name in settings.groups:
        found = group_names.wrong(name)
        if found is not None:
            yield Problem(path(GROUPS, name), *found)


@rule("platform", "groups", of_groups=("workers", "max_workers", "processes"))
def workers_fit_on_this_machine(settings: Settings) -> Iterator[Problem]:
    """On one machine all processes share the three ranges of ports."""
    most = ports.PROCESSES_ON_A_MACHINE
    groups = _groups(settings)
    counts = {start: group.most_workers * group.processes for start, group in groups.items()}
    total = sum(counts.values())
    if settings.platform != "local" or total <= most:
        return
    # Told once, where there is most to take away.
    start = max(counts, key=lambda each: counts[each])
    group, others = groups[start], total - counts[start]
    beside = f" and {others} of other groups" if others else ""
    yield Problem(
        path(*start, "workers" if group.max_workers is None else "maxWorkers"),
        f"{group.most_workers} x {group.processes} processes{beside} are {total}, "
        f"and one machine has ports for {most}",
        _fitting(group, most - others),
    )


def _fitting(group: WorkerGroup, room: int) -> str:
    count = room // group.processes
    if count > 0:
        also = ", also for `workers`" if group.max_workers and group.workers > count else ""
        return f"Write at most `{count}`{also}."
    alone = room == ports.PROCESSES_ON_A_MACHINE
    return f"Write `processes: {room}` or less." if alone else "Write less in several groups."


@rule("packages")
def packages_are_named_once(settings: Settings) -> Iterator[Problem]:
    """One name with two versions is a question that only the writer can answer."""
    first: dict[str, int] = {}
    for index, text in enumerate(settings.packages):
        name = canonicalize_name(Requirement(text).name)
        if first.setdefault(name, index) != index:
            problem = f"`{name}` is in the list already, at packages[{first[name]}]"
            yield Problem(f"packages[{index}]", problem, "Keep one of the two.")


@rule("dask")
def dask_holds_plain_values(settings: Settings) -> Iterator[Problem]:
    """The values go through JSON and YAML before Dask reads them."""
    yield from dask_configuration.not_plain(settings.dask)


@rule("dask")
def dask_keys_are_written_once(settings: Settings) -> Iterator[Problem]:
    """Dask reads `-` and `_` as the same letter."""
    yield from dask_configuration.written_twice(settings.dask)


@rule("dask")
def dask_keys_are_nested(settings: Settings) -> Iterator[Problem]:
    """Dask does not split the dots of a key in a file: it would ignore it."""
    yield from dask_configuration.dotted(settings.dask)


@rule("dask")
def dask_sections_are_known(settings: Settings) -> Iterator[Problem]:
    """Dask ignores what it does not know, a slip of the finger too."""
    yield from dask_configuration.misspelled(settings.dask)


@rule("dask")
def dask_leaves_the_project_its_parts(settings: Settings) -> Iterator[Problem]:
    """TLS, addresses, lifetimes: a second hand on them breaks what the project promises."""
    yield from dask_configuration.reserved(settings.dask)
