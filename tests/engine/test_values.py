"""Values stay what they are, from the program to the provider, the state and the outputs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.engine.programs import World

VALUES: dict[str, Any] = {
    "whole": 5,
    "zero": 0,
    "negative": -3,
    "fraction": 0.1,
    "small": 1e-7,
    "huge": 1e20,
    "beyond": 1.5e300,
    "text": "5",
    "yes": True,
    "no": False,
    "empty": "",
    "unicode": "zażółć 🦆 \u2028 \\ \" '",
    "lines": "one\ntwo\ttabbed\r\n",
    "list": [],
    "map": {},
    "mixed": [1, "1", 1.5, [], {}, {"deep": [[{"er": 0}]]}],
    "key with.dots[0]": {"$odd": 1, "": 2},
    "long": "x" * 100_000,
}


def test_values_survive(world: World) -> None:
    (world.folder / "values.json").write_text(json.dumps(VALUES))
    program = """
        values = json.load(open("values.json"))
        a = Thing("a", value=values, whole=5, fraction=0.1)
        b = Thing("b", value=a.value)
        pulumi.export("value", b.value)
    """
    run = world.up(program)
    assert run.ok, run
    assert run.arguments("Create", "a")["properties"]["value"] == VALUES
    assert run.arguments("Create", "b")["properties"]["value"] == VALUES
    assert world.resource("b")["outputs"]["value"] == VALUES
    assert world.outputs()["value"] == VALUES
    # 5 == 5.0 in Python, but a state must not turn one into the other: Go writes the double 5 as 5.
    inputs = world.resource("a")["inputs"]
    assert (repr(inputs["whole"]), repr(inputs["fraction"])) == ("5", "0.1")
    assert repr(inputs["value"]["mixed"]) == repr(VALUES["mixed"])
    assert world.up().changes == {"same": 3}


def test_nulls(world: World) -> None:
    """The SDK drops a null property and keeps nulls inside of values; so must the engine."""
    program = 'Thing("a", value={"none": None, "list": [None, 1]}, nothing=None)'
    run = world.up(program)
    assert run.ok, run
    properties = run.arguments("Create", "a")["properties"]
    assert properties["value"]["list"] == [None, 1]
    assert "nothing" not in properties
    assert world.resource("a")["inputs"] == properties
    assert world.up().changes == {"same": 2}


def test_small_changes_are_changes(world: World) -> None:
    pairs = [([], [1]), ({}, {"a": 1}), (0, False), (1, "1"), ("", None), ({"a": None}, {})]
    program = "for number, pair in enumerate({}): Thing(f'n{{number}}', value=[pair[{}]])"
    world.good_up(program.format(pairs, 0))
    run = world.up(program.format(pairs, 1))
    assert run.changes == {"update": len(pairs), "same": 1}, run


def test_outputs_come_and_go(world: World) -> None:
    world.good_up('pulumi.export("one", 1)\npulumi.export("two", {"deep": [2]})')
    assert world.outputs() == {"one": 1, "two": {"deep": [2]}}
    world.good_up('pulumi.export("two", 2)')
    assert world.outputs() == {"two": 2}
