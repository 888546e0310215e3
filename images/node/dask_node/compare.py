"""Compare what processes publish about their environments, and say it in words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dask_node.environment import Environment

ABSENT = "-"
# A cluster of the wrong year differs in everything: the first names are enough to see it.
MOST_NAMES = 20


class Group(NamedTuple):
    """Processes that run the same environment."""

    environment: Environment
    size: int


class Difference(NamedTuple):
    """One package, or Python, and its versions in the order of the compared columns."""

    name: str
    versions: tuple[str, ...]


def differences(columns: Sequence[Sequence[Group]]) -> list[Difference]:
    """Return what is not the same in all of `columns`, sorted by name, Python first.

    A package that only some have counts. Of Python only the minor version counts: that is what
    pickled code and wheels depend on, and hosts get their patch releases from their system. A
    column without processes says nothing.
    """
    everyone = [group.environment for column in columns for group in column]
    found = []
    minors = {minor_of(environment["python"]) for environment in everyone}
    if len(minors) > 1:
        pythons = tuple(_cell([(g.environment["python"], g.size) for g in c]) for c in columns)
        found.append(Difference("python", pythons))
    for name in sorted({name for environment in everyone for name in environment["packages"]}):
        if len({environment["packages"].get(name) for environment in everyone}) > 1:
            cells = tuple(
                _cell([(g.environment["packages"].get(name, ABSENT), g.size) for g in column])
                for column in columns
            )
            found.append(Difference(name, cells))
    return found


def identities(column: Sequence[Group]) -> str:
    """Return the identities of a column as one cell."""
    return _cell([(group.environment["identity"], group.size) for group in column])


def same(columns: Sequence[Sequence[Group]]) -> bool:
    """Return whether all processes have one identity, one Python minor and one package list."""
    found = {group.environment["identity"] for column in columns for group in column}
    return len(found) <= 1 and not differences(columns)


def minor_of(python: str) -> str:
    """Return `3.11` for `3.11.7`."""
    return ".".join(python.split(".")[:2])


def table(columns: Mapping[str, Sequence[Group]]) -> str:
    """Return a table with a row for each difference and one for the identities, for people."""
    rows = [("", *columns)]
    found = differences(list(columns.values()))
    rows += [(row.name, *row.versions) for row in found[:MOST_NAMES]]
    if len(found) > MOST_NAMES:
        rows.append((f"and {len(found) - MOST_NAMES} more", *("" for _ in columns)))
    rows.append(("environment", *(identities(column) for column in columns.values())))
    widths = [max(len(row[place]) for row in rows) for place in range(len(columns) + 1)]
    return "\n".join("  ".join(_padded(row, widths)).rstrip() for row in rows)


def sentence(mine: Environment, theirs: Environment, *, whose: str) -> str:
    """Return the differences between two processes on one line, for a log.

    Args:
        mine: What the one that is spoken to runs; its versions are called "here".
        theirs: What it is compared with.
        whose: The name of the other side, such as "the scheduler".
    """
    found = differences([[Group(mine, 1)], [Group(theirs, 1)]])
    parts = [
        f"{row.name} {_said(row.versions[0])} here, {_said(row.versions[1])} on {whose}"
        for row in found[:MOST_NAMES]
    ]
    if len(found) > MOST_NAMES:
        parts.append(f"and {len(found) - MOST_NAMES} more")
    if not parts:
        parts.append("the same packages, but other files of the project")
    if mine["identity"] == theirs["identity"]:
        named = f"both are called environment {mine['identity']}"
    else:
        named = f"environment {mine['identity']} here, {theirs['identity']} on {whose}"
    return f"{named}: {'; '.join(parts)}"


def _cell(values: list[tuple[str, int]]) -> str:
    """Return one version, or several with the number of processes that have each."""
    counts: Counter[str] = Counter()
    for value, count in values:
        counts[value] += count
    if len(counts) <= 1:
        return "".join(counts)
    return ", ".join(f"{value} ({counts[value]})" for value in sorted(counts))


def _said(version: str) -> str:
    return "absent" if version == ABSENT else version


def _padded(row: tuple[str, ...], widths: list[int]) -> Iterator[str]:
    for cell, width in zip(row, widths, strict=True):
        yield cell.ljust(width)
