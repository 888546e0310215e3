"""What must hold between the keys of a stack file.

A rule is a small function that yields problems and names the fields it looks at. It runs as soon as
those are right in themselves, however wrong the others are, so that one run shows everything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from components.settings import dask_configuration, ports
from components.settings.problems import Problem
from components.settings.scalars import MIB

if TYPE_CHECKING:
    from components.settings.model import Settings

LEAST_MEMORY = 128 * MIB

Check = Callable[["Settings"], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule between keys.

    Attributes:
        name: The name of its function.
        needs: The fields it looks at.
        check: Yields a problem for each place that breaks it.
    """

    name: str
    needs: frozenset[str]
    check: Check


RULES: list[Rule] = []


def rule(*needs: str) -> Callable[[Check], Check]:
    """Add a function to the rules, with the fields it looks at."""

    def add(check: Check) -> Check:
        RULES.append(Rule(check.__name__, frozenset(needs), check))
        return check

    return add


def check(settings: Settings, *, without: Collection[str] = ()) -> list[Problem]:
    """Run every rule whose fields are right in themselves.

    Args:
        settings: Settings in which each value has been read.
        without: Fields that hold a stand-in, because what was written there is wrong.

    Returns:
        What is wrong, each problem marked with the rule that found it.
    """
    return [
        dataclasses.replace(problem, rule=each.name)
        for each in RULES
        if each.needs.isdisjoint(without)
        for problem in each.check(settings)
    ]


@rule("threads", "processes")
def threads_split_evenly(settings: Settings) -> Iterator[Problem]:
    """A thread belongs to one process."""
    if settings.threads % settings.processes:
        yield Problem(
            "threads",
            f"{settings.threads} cannot be split over {settings.processes} processes",
            f"Write a multiple of {settings.processes}, or `processes: 1`.",
        )


@rule("memory", "processes")
def processes_have_memory(settings: Settings) -> Iterator[Problem]:
    """An idle Dask process takes about 100 MiB; below that it restarts for ever."""
    if settings.memory_per_process < LEAST_MEMORY:
        count = settings.processes
        share = _mebibytes(settings.memory_per_process)
        problem = f"{share} for each of {count} processes" if count > 1 else share
        least = _mebibytes(LEAST_MEMORY * count)
        yield Problem("memory", f"{problem} is too little", f"Write at least `{least}`.")


def _mebibytes(size: int) -> str:
    # Rounded down: a little less than the least must not read as the least.
    return f"{size} bytes" if size < MIB else f"{size * 10 // MIB / 10:g} MiB"


@rule("resources", "processes")
def resources_split_evenly(settings: Settings) -> Iterator[Problem]:
    """Dask counts resources per process: half a GPU would run no task that asks for one."""
    for name, amount in settings.resources.items():
        if settings.processes > 1 and amount % settings.processes:
            yield Problem(
                f"resources.{name}",
                f"{amount:g} cannot be split over {settings.processes} processes",
                f"Write a multiple of {settings.processes}, or `processes: 1`.",
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


@rule("platform", "workers", "processes")
def workers_fit_on_this_machine(settings: Settings) -> Iterator[Problem]:
    """On one machine all processes share the three ranges of ports."""
    most = ports.PROCESSES_ON_A_MACHINE
    total = settings.workers * settings.processes
    if settings.platform == "local" and total > most:
        yield Problem(
            "workers",
            f"{settings.workers} x {settings.processes} processes are {total}, "
            f"and one machine has ports for {most}",
            f"Write at most `{most // settings.processes}`."
            if settings.processes <= most
            else f"Write `processes: {most}` or less.",
        )


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
