"""What holds on every platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from components.settings import dask_configuration, group_names
from components.settings.group_names import GROUPS
from components.settings.problems import Problem, path
from components.settings.rules.rule import group_rule, rule
from components.settings.scalars import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.settings.base import Settings
    from components.settings.worker_group import WorkerGroup

LEAST_MEMORY = 128 * MIB


@group_rule("workers", "max_workers")
def most_are_not_less(group: WorkerGroup) -> Iterator[Problem]:
    """The number of workers moves between the two."""
    if group.most_workers < group.workers:
        yield Problem(
            "maxWorkers",
            f"{group.max_workers} is less than workers ({group.workers})",
            f"Write at least `{group.workers}`, or remove the line.",
        )


def too_little_memory(key: str, group: WorkerGroup, remedy: str) -> Iterator[Problem]:
    """Yield a problem where an idle process would not fit: Dask would restart it for ever.

    Args:
        key: The key that is wrong then.
        group: The group to look at.
        remedy: What to write; `{least}` stands for the least memory of a worker.
    """
    layout = group.layout
    if layout.memory < LEAST_MEMORY:
        count = layout.processes
        share = _mebibytes(max(0, layout.memory))
        problem = f"{share} for each of {count} processes" if count > 1 else share
        least = _mebibytes(LEAST_MEMORY * count)
        yield Problem(key, f"{problem} is too little", remedy.format(least=least))


def _mebibytes(size: int) -> str:
    # Rounded down: a little less than the least must not read as the least.
    return f"{size} bytes" if size < MIB else f"{size * 10 // MIB / 10:g} MiB"


@group_rule("resources", "processes")
def resources_split_evenly(group: WorkerGroup) -> Iterator[Problem]:
    """Dask counts resources per process: half a GPU would run no task that asks for one."""
    count = group.layout.processes if group.resources else 1
    for name, amount in group.resources.items():
        if count > 1 and amount % count:
            yield Problem(
                f"resources.{name}",
                f"{amount:g} cannot be split over {count} processes",
                f"Write a multiple of {count}, or `processes: 1`.",
            )


@rule("groups")
def group_names_are_right(settings: Settings) -> Iterator[Problem]:
    """A group's name is part of the names of its processes."""
    for name in settings.groups:
        found = group_names.wrong(name)
        if found is not None:
            yield Problem(path(GROUPS, name), *found)


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
