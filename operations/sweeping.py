"""Delete what a cluster has left behind, found by a mark that everything of it bears.

Pulumi does not know what it was making when it was killed. What AWS and Kubernetes have in common
is here: several passes, as some things hold others, and what a person sees of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.console import Console

SECONDS = 1800.0
QUIET_SECONDS = 120.0
PAUSE_SECONDS = 2.0
ALL = "all of them"
_ENDING = "it has been told to go, and is still there"


class Found(NamedTuple):
    """Something that bears the cluster's mark.

    Attributes:
        id: Its id or name, as it is deleted by.
        ending: Whether it has been told to go; it may still hold others.
    """

    id: str
    ending: bool = False


@dataclass(frozen=True)
class Left:
    """The same, with its kind, such as ``security group``."""

    kind: str
    id: str


@dataclass(frozen=True)
class Refused:
    """Something that could not be deleted, or a kind that could not be looked for.

    Attributes:
        left: What it is; its id is `ALL` for a kind that could not be looked for.
        why: In the words of whoever refused.
    """

    left: Left
    why: str


@dataclass(frozen=True)
class Sort:
    """A sort of thing, in one place.

    Attributes:
        name: For people.
        find: Returns what there is; raises `UnsuccessfulError`.
        delete: Asks for the end of one; it may return before that; raises `UnsuccessfulError`.
    """

    name: str
    find: Callable[[], Iterable[Found]]
    delete: Callable[[str], object]


class UnsuccessfulError(Exception):
    """A call was refused; with the words of whoever did."""


@dataclass
class _Pass:
    """What one look at everything came to."""

    there: list[Left] = field(default_factory=list)
    ending: list[Left] = field(default_factory=list)
    deleted: list[Left] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def find(sorts: Sequence[Sort]) -> tuple[list[Left], list[Refused]]:
    """Look for everything that bears the mark.

    Returns:
        What there is, in the order in which it can be deleted; and the sorts that could not be
        looked for.
    """
    left: list[Left] = []
    refused: list[Refused] = []
    for sort in sorts:
        left += [Left(sort.name, each.id) for each in _look(sort, refused)]
    return left, refused


def delete(
    sorts: Sequence[Sort],
    *,
    deleted: Callable[[Left], None],
    seconds: float = SECONDS,
    quiet: float = QUIET_SECONDS,
) -> Sequence[Refused]:
    """Delete all of it, in several passes: some things hold others until they are gone.

    Args:
        sorts: In the order in which they can be deleted.
        deleted: Is told of each thing, once the call is taken.
        seconds: How long in all, while something goes on ending.
        quiet: How long something is tried again while nothing else goes or ends.

    Returns:
        What is left, and why; nothing if all is gone.
    """
    end, still = time.monotonic() + seconds, time.monotonic() + quiet
    told: set[Left] = set()
    while True:
        seen = _pass(sorts)
        for left in seen.deleted:
            if left not in told:
                still = time.monotonic() + quiet
                deleted(left)
        told.update(seen.deleted)
        if not seen.there and not seen.refused:
            return ()
        if seen.ending:
            still = time.monotonic() + quiet
        if time.monotonic() > min(end, still):
            named = {each.left for each in seen.refused}
            silent = [each for each in seen.there if each not in named]
            return [*seen.refused, *(Refused(each, _ENDING) for each in silent)]
        time.sleep(min(PAUSE_SECONDS, quiet / 10))


def _pass(sorts: Sequence[Sort]) -> _Pass:
    """Delete what can be deleted now."""
    seen = _Pass()
    for sort in sorts:
        for found in _look(sort, seen.refused):
            left = Left(sort.name, found.id)
            seen.there.append(left)
            if found.ending:
                seen.ending.append(left)
                continue
            try:
                sort.delete(found.id)
            except UnsuccessfulError as error:
                # It may be held by something that has not ended yet, or have gone by itself: the
                # next pass looks again.
                seen.refused.append(Refused(left, str(error)))
                continue
            seen.deleted.append(left)
    return seen


def _look(sort: Sort, refused: list[Refused]) -> Iterator[Found]:
    """Yield what there is of a sort; that we may not look is a refusal too."""
    try:
        yield from list(sort.find())
    except UnsuccessfulError as error:
        refused.append(Refused(Left(sort.name, ALL), str(error)))


def run(
    console: Console,
    sorts: Sequence[Sort],
    *,
    where: str,
    mark: str,
    running: str,
    ask: Callable[[str], None],
    seconds: float = SECONDS,
    quiet: float = QUIET_SECONDS,
    check: Callable[[], None] = lambda: None,
) -> bool:
    """Show what bears a cluster's mark, and delete it if the person wants that.

    Args:
        console: Where to print.
        sorts: In the order in which they can be deleted.
        where: Which cluster, and where, for people.
        mark: Such as ``tag``.
        running: The sort whose number is told by itself, such as ``instance``.
        ask: Asks a question, and ends the command if the answer is no.
        seconds: As of `delete`.
        quiet: As of `delete`.
        check: Refuses before the question what must not be deleted.

    Returns:
        Whether nothing is left.
    """
    left, unseen = find(sorts)
    if not left and not unseen:
        console.print(f"Nothing bears the {mark} of {where}.", markup=False)
        return True
    for each in left:
        _line(console, " ", each)
    if left:
        console.print()
        check()
        ask(f"Delete {_count(left, running)} of {where}, data and all?")
    refused = delete(
        sorts, deleted=lambda each: _line(console, "-", each), seconds=seconds, quiet=quiet
    )
    if not refused:
        console.print(f"\nNothing is left of {where}.", markup=False)
        return True
    console.print(f"\n[red]Left, {len(refused)} in all:[/red]")
    for one in refused:
        _line(console, "!", one.left)
        console.print(f"      {one.why}", markup=False, emoji=False)
    console.print("Remove what holds them, and run this again.")
    return False


def _line(console: Console, mark: str, left: Left) -> None:
    # An ARN may have `:secret:` in it, which is an emoji to rich.
    console.print(f" {mark}  {left.kind:<20} {left.id}", markup=False, emoji=False)


def _count(left: Sequence[Left], running: str) -> str:
    number = sum(each.kind == running for each in left)
    told = f" ({number} of them {running}s)" if number else ""
    return f"{len(left)} thing{'s' * (len(left) != 1)}{told}"
