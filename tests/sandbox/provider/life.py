"""One program with every resource type, taken through its whole life once for all tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.aws import server
from tests.sandbox.provider.cases import (
    compute,
    firewall,
    identity,
    names,
    network,
    routes,
    storage,
    templates,
    watch,
)

if TYPE_CHECKING:
    from engine.state import ResourceState
    from tests.sandbox.provider.cases.case import Case, Value
    from tests.sandbox.provider.world import Run, World

MODULES = (
    network,
    routes,
    firewall,
    templates,
    compute,
    identity,
    storage,
    watch,
    names,
)
CASES: list[Case] = [case for module in MODULES for case in module.CASES]
States = dict[str, "ResourceState"]


@dataclass
class Life:
    """What was seen at each moment; `first` and `later` are the two programs of the cases.

    Attributes:
        runs: The operations by name.
        states: What was recorded after some of them.
        aws: What AWS then had, for each case.
        left: What the account held after the destroy.
    """

    world: World
    runs: dict[str, Run] = field(default_factory=dict)
    states: dict[str, States] = field(default_factory=dict)
    aws: dict[str, dict[str, Value]] = field(default_factory=dict)
    left: list[server.Item] = field(default_factory=list)

    def step(self, name: str, verb: str) -> None:
        """Run an operation and look at what it left."""
        run = self.runs[name] = self.world.run(verb)
        if verb != "preview":
            self.states[name] = self.world.states()
        assert run.ok, f"{name}: {run.messages}"

    def look(self, name: str) -> None:
        """Ask AWS for every resource."""
        states = self.states[name]
        self.aws[name] = {case.name: self.world.ask(case.look, states) for case in CASES}


def lead(world: World) -> Life:
    """Create, change, change by hand, mend and destroy."""
    life = Life(world)
    world.write_cases(CASES)
    life.step("plan first", "preview")
    life.step("first", "up")
    life.look("first")
    life.step("first again", "up")
    world.write_cases(CASES, later=True)
    life.step("plan later", "preview")
    life.step("later", "up")
    life.look("later")
    life.step("later again", "up")
    for case in CASES:
        for call in case.by_hand:
            world.ask(call, life.states["later"])
    life.step("refresh", "refresh")
    life.step("mend", "up")
    life.look("mend")
    life.step("destroy", "destroy")
    life.left = server.contents(world.endpoint)
    return life
