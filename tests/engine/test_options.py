"""Options of single resources: what is ignored, what replaces, what protects, what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.engine.programs import thing_urn

if TYPE_CHECKING:
    from tests.engine.fake_provider.wire import Value
    from tests.engine.programs import World


def thing(inputs: str, **options: Value) -> str:
    named = ", ".join(f"{key}={value!r}" for key, value in options.items())
    return f'Thing("a", {inputs}, opts=pulumi.ResourceOptions({named}))'


def table(rows: dict[str, tuple[str, Value]], option: str = "ignore_changes") -> str:
    """A program with one thing for each row, so that one run tries them all."""
    return f"""
        for name, (path, value) in {rows!r}.items():
            Thing(name, value=value, opts=pulumi.ResourceOptions({option}=[path]))
    """


def test_ignore_changes(world: World) -> None:
    world.good_up(thing("value=1, size=1", ignore_changes=["value"]))
    run = world.up(thing("value=2, size=1", ignore_changes=["value"]))
    assert run.changes == {"same": 2}, run
    # The provider sees the old value from the start, and is told what was ignored.
    assert run.arguments("Check", "a")["news"] == {"value": 1, "size": 1}
    assert run.arguments("Diff", "a")["ignoreChanges"] == ["value"]
    assert world.resource("a")["inputs"] == {"value": 1, "size": 1}

    other = world.up(thing("value=3, size=2", ignore_changes=["value"]))
    assert other.changes == {"update": 1, "same": 1}, other
    assert other.arguments("Update", "a")["news"] == {"value": 1, "size": 2}
    assert other.arguments("Update", "a")["ignoreChanges"] == ["value"]


# path, old value, new value, what the provider gets
NESTED: dict[str, tuple[str, Value, Value, Value]] = {
    "key": ("value.in", {"in": 1, "out": 1}, {"in": 2, "out": 2}, {"in": 1, "out": 2}),
    "index": ("value[0]", [1, 1], [2, 2], [1, 2]),
    "each": ("value[*].n", [{"n": 1, "m": 1}], [{"n": 2, "m": 2}], [{"n": 1, "m": 2}]),
    "quoted": ('value["a.b"]', {"a.b": 1, "c": 1}, {"a.b": 2, "c": 2}, {"a.b": 1, "c": 2}),
    "gone": ("value.gone", {"gone": 1, "c": 1}, {"c": 2}, {"gone": 1, "c": 2}),
    "come": ("value.come", {"c": 1}, {"come": 1, "c": 2}, {"c": 2}),
    "two": ("value.a.b", {"a": {"b": 1}, "c": 1}, {"a": {"b": 2}, "c": 2}, {"a": {"b": 1}, "c": 2}),
    # An index that only one side has cannot be reset, so that change goes through.
    "short": ("value[1]", [1, 1], [2], [2]),
    # The old value has no such key, so the new one loses it (PropertyPath.reset).
    "other": ("value.a.b", {"a": 1}, {"a": {"b": 2}}, {"a": {}}),
}


def test_ignore_changes_inside_a_value(world: World) -> None:
    world.good_up(table({name: (path, old) for name, (path, old, _, _) in NESTED.items()}))
    run = world.up(table({name: (path, new) for name, (path, _, new, _) in NESTED.items()}))
    assert run.ok, run
    assert run.changes == {"update": len(NESTED), "same": 1}
    sent = {name: run.arguments("Update", name)["news"]["value"] for name in NESTED}
    assert sent == {name: expected for name, (_, _, _, expected) in NESTED.items()}


# path, old value, new value, whether that replaces
REPLACING: dict[str, tuple[str, Value, Value, bool]] = {
    "same-key": ("value", 1, 2, True),
    "other-key": ("other", 1, 2, False),
    "any-key": ("*", 1, 2, True),
    "inside": ("value.in", {"in": 1, "out": 1}, {"in": 2, "out": 1}, True),
    "beside": ("value.in", {"in": 1, "out": 1}, {"in": 1, "out": 2}, False),
    "each": ("value[*].n", [{"n": 1}], [{"n": 2}], True),
    "above": ("value", {"in": 1}, {"in": 2}, True),
}


def test_replace_on_changes(world: World) -> None:
    option = "replace_on_changes"
    world.good_up(table({name: (path, old) for name, (path, old, *_) in REPLACING.items()}, option))
    run = world.up(
        table({name: (path, new) for name, (path, _, new, _) in REPLACING.items()}, option)
    )
    assert run.ok, run
    replaced = {name: "delete-replaced " + name in run.steps for name in REPLACING}
    assert replaced == {name: expected for name, (*_, expected) in REPLACING.items()}
    assert {call for call in run.cloud_calls if call.startswith("Update")} == {
        f"Update {name}" for name, (*_, expected) in REPLACING.items() if not expected
    }


def test_depends_on_waits(world: World) -> None:
    program = """
        a = Thing("a", value=1)
        b = Thing("b", value=1, opts=pulumi.ResourceOptions(depends_on=[a]))
    """
    run = world.up(program)
    assert run.ok, run
    assert run.cloud_calls == ["Create a", "Create b"]
    assert not run.only("Create", "a").overlaps(run.only("Create", "b"))
    assert world.resource("b")["dependencies"] == [thing_urn("a")]
    assert "propertyDependencies" not in world.resource("b") or not any(
        world.resource("b")["propertyDependencies"].values()
    )


def test_depends_on_a_component_waits_for_its_children(world: World) -> None:
    program = """
        group = pulumi.ComponentResource("scen:index:Group", "group")
        a = Thing("a", value=1, opts=pulumi.ResourceOptions(parent=group))
        b = Thing("b", value=1, opts=pulumi.ResourceOptions(depends_on=[group]))
    """
    run = world.up(program)
    assert run.ok, run
    assert run.cloud_calls == ["Create a", "Create b"]
    # The order backwards is kept as well.
    assert world.destroy().cloud_calls == ["Delete b", "Delete a"]


def test_protected_resources_are_not_deleted(world: World) -> None:
    world.good_up(thing("value=1", protect=True))
    assert world.resource("a")["protect"] is True
    for run in (world.up(""), world.destroy()):
        assert not run.ok
        assert "cannot be deleted" in run.messages
        assert "protect" in run.messages
        assert thing_urn("a") in run.messages
        assert run.cloud_calls == []
    assert world.names() == ["a"]

    # Taking the protection off is no change of the resource; the next update may delete it.
    off = world.up(thing("value=1"))
    assert off.changes == {"same": 2}, off
    assert "protect" not in world.resource("a")
    assert world.up("").cloud_calls == ["Delete a"]


def test_protected_resources_are_not_replaced(world: World) -> None:
    world.good_up(thing("replaceMe=1", protect=True))
    run = world.up(thing("replaceMe=2", protect=True))
    assert not run.ok
    assert "unable to replace resource" in run.messages
    assert run.cloud_calls == []
    assert world.resource("a")["inputs"] == {"replaceMe": 1}

    # Lifted in the same update, the replacement is allowed.
    lifted = world.up(thing("replaceMe=2", protect=False))
    assert lifted.cloud_calls == ["Create a", "Delete a"], lifted


def test_children_inherit_protection(world: World) -> None:
    program = """
        group = pulumi.ComponentResource(
            "scen:index:Group", "group", opts=pulumi.ResourceOptions(protect=True))
        Thing("a", value=1, opts=pulumi.ResourceOptions(parent=group))
    """
    world.good_up(program)
    assert world.resource("a")["protect"] is True
    run = world.up("")
    assert not run.ok
    assert run.cloud_calls == []


def test_retain_on_delete(world: World) -> None:
    world.good_up(thing("replaceMe=1", retain_on_delete=True))
    assert world.resource("a")["retainOnDelete"] is True
    replaced = world.up(thing("replaceMe=2", retain_on_delete=True))
    assert replaced.cloud_calls == ["Create a"], replaced
    dropped = world.up("")
    assert dropped.ok, dropped
    assert dropped.changes == {"delete": 1, "same": 1}
    assert dropped.cloud_calls == []
    assert world.names() == []
    assert world.cloud.ids() == ["a-1", "a-2"]


def test_custom_timeouts(world: World) -> None:
    opts = 'custom_timeouts=pulumi.CustomTimeouts(create="2m", update="90s", delete="1h")'
    program = f'Thing("a", value={{value}}, opts=pulumi.ResourceOptions({opts}))'
    made = world.up(program.format(value=1))
    assert made.arguments("Create", "a")["timeout"] == 120, made
    assert world.resource("a")["customTimeouts"] == {"create": 120, "update": 90, "delete": 3600}
    assert world.up(program.format(value=2)).arguments("Update", "a")["timeout"] == 90
    # At the end the state is asked, not the program.
    assert world.destroy().arguments("Delete", "a")["timeout"] == 3600
