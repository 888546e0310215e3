"""A fact about the security of a stack, and what we accept against a public rule."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.graph.recorder import Graph, Resource

Check = Callable[[Graph], Iterable[Resource]]


@dataclass(frozen=True)
class Fact:
    """What holds in every stack.

    Attributes:
        name: The public rules that ask for it, or our own name for it.
        holds: It, as a sentence.
        check: Yields the resources that break it.
    """

    name: str
    holds: str
    check: Check


FACTS: dict[str, Fact] = {}


def fact(name: str) -> Callable[[Check], Check]:
    """Enter a check into the list, under the ids of the rules that it stands for."""

    def enter(check: Check) -> Check:
        assert name not in FACTS, f"two facts are called {name}"
        assert check.__doc__, f"{name} has no sentence"
        FACTS[name] = Fact(name, check.__doc__, check)
        return check

    return enter


@dataclass(frozen=True)
class Accepted:
    """What a public rule flags and we leave as it is.

    Attributes:
        fact: The fact's name.
        resources: Which resources, as a pattern of type and name.
        reason: Why.
    """

    fact: str
    resources: str
    reason: str

    def covers(self, name: str, resource: Resource) -> bool:
        """Whether this is about what was found."""
        return name == self.fact and re.search(self.resources, resource.label) is not None


def launch_templates(graph: Graph) -> list[Resource]:
    return graph.of(":LaunchTemplate")


def statements(document: str) -> Iterator[dict[str, Any]]:
    """Yield the statements of a policy, actions and resources as lists."""
    for each in json.loads(document)["Statement"]:
        lists = {key: _listed(each[key]) for key in ("Action", "Resource") if key in each}
        yield {**each, **lists}


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allowed(resource: Resource) -> list[dict[str, Any]]:
    """Return what a policy of an identity allows."""
    found = statements(resource.inputs["policy"])
    return [each for each in found if each["Effect"] == "Allow"]
