"""A rule between keys, and the list of all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from components.settings.group_names import GROUPS
from components.settings.keys import key_of
from components.settings.problems import Place, Problem, path

if TYPE_CHECKING:
    from components.settings.base import Settings
    from components.settings.worker_group import WorkerGroup

Check = TypeVar("Check", bound=Callable[..., Iterator[Problem]])


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule between keys.

    Attributes:
        name: The name of its function.
        check: Yields a problem for each place that breaks it.
        needs: The fields it looks at.
        of_groups: The fields it looks at in every group of workers.
        of_stack: The fields it looks at in the whole stack beside those of one group.
        per_group: Whether it looks at one group of workers after the other.
        platform: The only platform it is about; empty for every one.
    """

    name: str
    check: Callable[..., Iterator[Problem]]
    needs: frozenset[str]
    of_groups: frozenset[str] = frozenset()
    of_stack: frozenset[str] = frozenset()
    per_group: bool = False
    platform: str = ""

    def keys(self, problem: Problem) -> set[str]:
        """The keys at the top whose values this problem may tell."""
        if self.per_group and problem.key.startswith(f"{GROUPS}."):
            return {GROUPS, *map(key_of, self.of_stack)}
        return set(map(key_of, self.needs | self.of_groups | self.of_stack))

    def places(self, start: Place, groups: Collection[Place]) -> set[Place]:
        """Where the fields are that it looks at, for what stands at `start`."""
        found = {(*start, key_of(name)) for name in self.needs}
        found |= {(key_of(name),) for name in self.of_stack}
        return found | {(*group, key_of(name)) for name in self.of_groups for group in groups}

    def run(self, looked_at: Any, settings: Settings) -> Iterator[Problem]:  # noqa: ANN401
        """Yield what breaks it in the stack, or in one of its groups."""
        return self.check(looked_at, settings) if self.of_stack else self.check(looked_at)


RULES: list[Rule] = []


def rule(
    *needs: str, of_groups: Collection[str] = (), platform: str = ""
) -> Callable[[Check], Check]:
    """Add a function to the rules, with the fields it looks at."""

    def add(check: Check) -> Check:
        fields = frozenset(needs), frozenset(of_groups)
        RULES.append(Rule(check.__name__, check, *fields, platform=platform))
        return check

    return add


def group_rule(
    *needs: str, of_stack: Collection[str] = (), platform: str = ""
) -> Callable[[Check], Check]:
    """Add a function that looks at one group of workers; its keys begin there.

    With `of_stack` it is given the settings too.
    """

    def add(check: Check) -> Check:
        fields = {"needs": frozenset(needs), "of_stack": frozenset(of_stack)}
        RULES.append(Rule(check.__name__, check, **fields, per_group=True, platform=platform))
        return check

    return add


def check(settings: Settings, *, without: Collection[Place] = ()) -> list[Problem]:
    """Run every rule of the platform whose fields are right in themselves.

    Args:
        settings: Settings in which each value has been read.
        without: Where a stand-in is, because what was written there is wrong.

    Returns:
        What is wrong, each problem marked with the rule that found it.
    """
    groups = groups_of(settings)
    found = []
    for each in RULES:
        if each.platform not in ("", settings.platform):
            continue
        for start, looked_at in groups.items() if each.per_group else [((), settings)]:
            places = each.places(start, groups)
            if not any(place[: len(wrong)] == wrong for place in places for wrong in without):
                for problem in each.run(looked_at, settings):
                    key = ".".join(filter(None, (path(*start), problem.key)))
                    found.append(dataclasses.replace(problem, key=key, rule=each.name))
    return found


def groups_of(settings: Settings) -> Mapping[Place, WorkerGroup]:
    """Every group of workers by where its keys stand: the default one's at the top."""
    return {(): settings, **{(GROUPS, name): group for name, group in settings.groups.items()}}
