"""Making, keeping, changing and dropping resources in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.engine.programs import STACK_URN, thing_urn, urn
from tests.engine.states import provider_state, stack_state, thing_state

if TYPE_CHECKING:
    from tests.engine.programs import World

PAIR = """
a = Thing("a", value={value})
b = Thing("b", value=a.handle)
pulumi.export("handle", b.handle)
"""


def test_create(world: World) -> None:
    run = world.up(PAIR.format(value=1))
    assert run.ok, run
    assert run.changes == {"create": 3}
    assert run.urns[0] == ("create", STACK_URN)
    assert run.steps == ["create a", "create b"]
    assert run.of("a") == run.of("b") == ["Check", "Create"]
    assert run.arguments("Check", "a") == {"olds": {}, "news": {"value": 1}}
    assert run.arguments("Create", "a") == {
        "properties": {"value": 1},
        "preview": False,
        "timeout": 0,
    }
    assert run.arguments("Check", "b") == {"olds": {}, "news": {"value": "a-1"}}
    assert world.state() == [
        stack_state({"handle": "b-1"}),
        provider_state(),
        thing_state("a", {"value": 1}),
        thing_state(
            "b",
            {"value": "a-1"},
            dependencies=[thing_urn("a")],
            propertyDependencies={"value": [thing_urn("a")]},
        ),
    ]
    assert world.outputs() == {"handle": "b-1"}


def test_a_second_up_changes_nothing(world: World) -> None:
    world.good_up(PAIR.format(value=1))
    before = world.state()
    run = world.up()
    assert run.ok, run
    assert run.changes == {"same": 3}
    assert run.steps == ["same a", "same b"]
    assert run.of("a") == run.of("b") == ["Check", "Diff"]
    assert run.arguments("Diff", "a") == {
        "id": "a-1",
        "olds": {"value": 1, "handle": "a-1"},
        "oldInputs": {"value": 1},
        "news": {"value": 1},
        "ignoreChanges": [],
    }
    assert world.state() == before


def test_update_in_place(world: World) -> None:
    world.good_up(PAIR.format(value=1))
    run = world.up(PAIR.format(value=2))
    assert run.ok, run
    assert run.changes == {"update": 1, "same": 2}
    assert run.steps == ["update a", "same b"]
    assert run.of("a") == ["Check", "Diff", "Update"]
    assert run.arguments("Check", "a") == {"olds": {"value": 1}, "news": {"value": 2}}
    assert run.arguments("Update", "a") == {
        "id": "a-1",
        "olds": {"value": 1, "handle": "a-1"},
        "oldInputs": {"value": 1},
        "news": {"value": 2},
        "preview": False,
        "timeout": 0,
        "ignoreChanges": [],
    }
    assert world.resource("a") == thing_state("a", {"value": 2})


def test_resources_come_and_go(world: World) -> None:
    program = "for name in {names!r}: Thing(name, value=1)"
    world.good_up(program.format(names="ab"))
    more = world.up(program.format(names="abc"))
    assert more.ok, more
    assert more.changes == {"create": 1, "same": 3}
    assert more.cloud_calls == ["Create c"]

    fewer = world.up(program.format(names="ac"))
    assert fewer.ok, fewer
    assert fewer.changes == {"delete": 1, "same": 3}
    assert sorted(fewer.steps[:2]) == ["same a", "same c"]
    assert fewer.steps[2:] == ["delete b"]
    assert fewer.cloud_calls == ["Delete b"]
    assert fewer.arguments("Delete", "b") == {
        "id": "b-1",
        "properties": {"value": 1, "handle": "b-1"},
        "oldInputs": {"value": 1},
        "timeout": 0,
    }
    assert sorted(world.names()) == ["a", "c"]
    assert world.cloud.ids() == ["a-1", "c-1"]


COMPONENTS = """
class Group(pulumi.ComponentResource):
    def __init__(self, name, size, opts=None):
        super().__init__("scen:index:Group", name, {{"size": size}}, opts)
        below = pulumi.ResourceOptions(parent=self)
        self.first = Thing(f"{{name}}-first", value=size, opts=below)
        self.register_outputs({{"handle": self.first.handle, "size": size}})

outer = Group("outer", {size})
inner = Group("inner", 1, pulumi.ResourceOptions(parent=outer))
"""


def test_components_name_and_keep_their_children(world: World) -> None:
    run = world.up(COMPONENTS.format(size=1))
    assert run.ok, run
    assert run.changes == {"create": 5}
    group, nested = "scen:index:Group", "scen:index:Group$scen:index:Group"
    thing = "fake:index:Thing"
    state = {each["urn"]: each for each in world.state()}
    outer, inner = urn(group, "outer"), urn(nested, "inner")
    assert state[outer] == {
        "urn": outer,
        "type": group,
        "custom": False,
        "parent": STACK_URN,
        "inputs": {"size": 1},
        "outputs": {"handle": "outer-first-1", "size": 1},
    }
    assert state[inner]["parent"] == outer
    assert state[urn(f"{group}${thing}", "outer-first")]["parent"] == outer
    assert state[urn(f"{nested}${thing}", "inner-first")]["parent"] == inner

    # A component has no provider: its inputs are compared as they are (stepGenerator.diff).
    changed = world.up(COMPONENTS.format(size=2))
    assert changed.ok, changed
    assert changed.changes == {"update": 2, "same": 3}
    assert changed.cloud_calls == ["Update outer-first"]
    assert world.resource("outer")["outputs"] == {"handle": "outer-first-1", "size": 2}

    # Children go before their parents.
    gone = world.up("")
    assert gone.ok, gone
    assert gone.changes == {"delete": 4, "same": 1}
    deleted = [step.removeprefix("delete ") for step in gone.steps]
    assert set(deleted) == {"outer", "inner", "outer-first", "inner-first"}
    assert deleted.index("inner-first") < deleted.index("inner") < deleted.index("outer")
    assert deleted.index("outer-first") < deleted.index("outer")


def test_two_resources_of_one_name(world: World) -> None:
    run = world.up('Thing("a", value=1)\nThing("a", value=2)')
    assert not run.ok
    assert f"Duplicate resource URN '{thing_urn('a')}'; try giving it a unique name" in run.messages
    assert run.cloud_calls in ([], ["Create a"])
    assert len(world.cloud.ids()) == len([name for name in world.names() if name == "a"])


NAMES = ["sp ace", "ünï✓", "a/b", 'qu"ote', "per%25cent", "doll$ar", "dots..", "x" * 200]


def test_odd_names(world: World) -> None:
    program = f"for name in {NAMES!r}: Thing(name, value=name)"
    world.good_up(program)
    assert sorted(world.names()) == sorted(NAMES)
    assert {each["urn"] for each in world.state()} >= set(map(thing_urn, NAMES))
    run = world.up()
    assert run.changes == {"same": len(NAMES) + 1}, run
    gone = world.destroy()
    assert gone.ok, gone
    assert world.cloud.ids() == []
