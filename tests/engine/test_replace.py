"""Replacing resources, in both orders, and what happens to those that depend on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.engine.programs import World

PROVIDER = "dbr=True"
OPTION = "opts=pulumi.ResourceOptions(delete_before_replace=True)"


def test_the_new_one_is_made_before_the_old_one_goes(world: World) -> None:
    program = """
        a = Thing("a", replaceMe={value}, autoName=True)
        b = Thing("b", value=a.handle)
    """
    world.good_up(program.format(value=1))
    old_name = world.resource("a")["inputs"]["name"]

    run = world.up(program.format(value=2))
    assert run.ok, run
    assert run.changes == {"replace": 1, "update": 1, "same": 1}
    assert run.steps == ["create-replacement a", "replace a", "update b", "delete-replaced a"]
    assert run.cloud_calls == ["Create a", "Update b", "Delete a"]
    # A replacement is checked again without the old inputs, so that defaults such as a chosen name
    # are fresh (continueStepsFromDiff, pkg/resource/deploy/step_generator.go).
    assert run.of("a") == ["Check", "Diff", "Check", "Create", "Delete"]
    first, second = (call.arguments for call in run.calls if str(call) == "Check a")
    assert first["olds"] == {"replaceMe": 1, "autoName": True, "name": old_name}
    assert second["olds"] == {}
    new_name = run.arguments("Create", "a")["properties"]["name"]
    assert new_name != old_name
    assert run.arguments("Delete", "a")["id"] == "a-1"
    assert run.arguments("Delete", "a")["oldInputs"]["name"] == old_name
    assert run.arguments("Update", "b")["news"] == {"value": "a-2"}
    assert world.resource("a")["id"] == "a-2"
    assert world.cloud.ids() == ["a-2", "b-1"]
    assert world.up().changes == {"same": 3}


@pytest.mark.parametrize("how", [PROVIDER, OPTION])
def test_the_old_one_goes_before_the_new_one_is_made(world: World, how: str) -> None:
    program = f"""
        a = Thing("a", replaceMe={{value}}, {how})
        b = Thing("b", value=a.handle)
    """
    world.good_up(program.format(value=1))
    run = world.up(program.format(value=2))
    assert run.ok, run
    assert run.changes == {"replace": 1, "update": 1, "same": 1}
    assert run.steps == ["delete-replaced a", "replace a", "create-replacement a", "update b"]
    assert run.cloud_calls == ["Delete a", "Create a", "Update b"]
    # The engine asks whether b would be replaced if the handle of a were not known; it would not
    # (calculateDependentReplacements).
    assert run.of("b") == ["Diff", "Check", "Diff", "Update"]
    asked = next(call for call in run.calls if call.name == "b")
    assert asked.arguments["news"] == {"value": "<unknown>"}
    assert world.cloud.ids() == ["a-2", "b-1"]


def test_the_option_overrules_the_provider(world: World) -> None:
    program = """
        opts = pulumi.ResourceOptions(delete_before_replace=False)
        Thing("a", replaceMe={value}, dbr=True, opts=opts)
    """
    world.good_up(program.format(value=1))
    run = world.up(program.format(value=2))
    assert run.cloud_calls == ["Create a", "Delete a"], run


def test_dependents_that_would_be_replaced_go_first(world: World) -> None:
    program = """
        a = Thing("a", replaceMe={value}, dbr=True)
        b = Thing("b", replaceMe=a.handle)
        c = Thing("c", replaceMe=b.handle)
        d = Thing("d", value=1, opts=pulumi.ResourceOptions(depends_on=[a]))
    """
    world.good_up(program.format(value=1))
    run = world.up(program.format(value=2))
    assert run.ok, run
    assert run.changes == {"replace": 3, "same": 2}
    assert run.cloud_calls == [
        "Delete c",
        "Delete b",
        "Delete a",
        "Create a",
        "Create b",
        "Create c",
    ]
    replaced = [step for step in run.steps if step != "same d"]
    assert replaced == [
        "delete-replaced c",
        "delete-replaced b",
        "delete-replaced a",
        "replace a",
        "create-replacement a",
        "replace b",
        "create-replacement b",
        "replace c",
        "create-replacement c",
    ]
    # What was deleted for its sake is made anew without another Diff (generateResourceSteps).
    assert run.of("b") == ["Diff", "Delete", "Check", "Create"]
    # A mere `dependsOn` changes no property, so d stays.
    assert run.of("d") == ["Check", "Diff"]
    assert world.cloud.ids() == ["a-2", "b-2", "c-2", "d-1"]


def test_a_failed_replacement_keeps_the_old_one(world: World) -> None:
    world.good_up('Thing("a", replaceMe=1)')
    run = world.up('Thing("a", replaceMe=2, failCreate="sold out")')
    assert not run.ok
    assert "sold out" in run.messages
    assert run.cloud_calls == ["Create a"]
    assert world.resource("a")["id"] == "a-1"
    assert world.cloud.ids() == ["a-1"]


def test_an_old_one_that_would_not_go_goes_later(world: World) -> None:
    world.good_up('Thing("a", replaceMe=1)')
    world.cloud.refuse("Delete a")
    run = world.up('Thing("a", replaceMe=2)')
    assert not run.ok
    assert run.cloud_calls == ["Create a", "Delete a"]
    things = [each for each in world.state() if each["urn"].endswith("::a")]
    assert [(each["id"], each.get("delete", False)) for each in things] == [
        ("a-2", False),
        ("a-1", True),
    ]

    world.cloud.release()
    again = world.up()
    assert again.ok, again
    assert again.steps == ["same a", "delete-replaced a"]
    assert again.cloud_calls == ["Delete a"]
    assert world.cloud.ids() == ["a-2"]
    assert world.up().changes == {"same": 2}


def test_a_replacement_that_was_only_deleted_is_finished_later(world: World) -> None:
    """After its delete the state says `pendingReplacement` (DeleteStep.Apply)."""
    world.good_up(f'Thing("a", replaceMe=1, {OPTION})')
    world.cloud.refuse("Create a")
    run = world.up(f'Thing("a", replaceMe=2, {OPTION})')
    assert not run.ok
    assert run.cloud_calls == ["Delete a", "Create a"]
    assert world.resource("a")["pendingReplacement"] is True

    world.cloud.release()
    again = world.up()
    assert again.ok, again
    assert again.cloud_calls == ["Create a"]
    assert again.changes == {"replace": 1, "same": 1}
    assert "pendingReplacement" not in world.resource("a")
    assert world.cloud.ids() == ["a-2"]


def test_replaced_and_dropped_at_once(world: World) -> None:
    """b loses what it depended on while that is replaced: it is deleted once, before a."""
    world.good_up(
        'a = Thing("a", replaceMe=1, dbr=True)\nb = Thing("b", replaceMe=a.handle)',
    )
    run = world.up('a = Thing("a", replaceMe=2, dbr=True)')
    assert run.ok, run
    assert run.cloud_calls == ["Delete b", "Delete a", "Create a"]
    assert world.names() == ["a"]
    assert world.cloud.ids() == ["a-2"]


CHAIN = """
a = Thing("a", replaceMe={value}, {how})
b = Thing("b", replaceMe=a.handle)
"""


def test_what_went_with_a_replacement_is_not_deleted_twice(embedded_world: World) -> None:
    """Pulumi asks the provider to delete b again, though the state says that b is gone."""
    world = embedded_world
    world.good_up(CHAIN.format(value=1, how="dbr=True"))
    world.cloud.refuse("Create a")
    run = world.up(CHAIN.format(value=2, how="dbr=True"))
    assert run.cloud_calls == ["Delete b", "Delete a", "Create a"]
    world.cloud.release()
    again = world.up(CHAIN.format(value=3, how="dbr=True"))
    assert again.ok, again
    assert again.cloud_calls == ["Create a", "Create b"]
    assert world.cloud.ids() == ["a-2", "b-2"]
    assert world.up().changes == {"same": 3}


def test_finishing_a_replacement_that_is_no_longer_wanted(world: World) -> None:
    """The old one is gone already, so nothing asks for a delete first (continueStepsFromDiff)."""
    world.good_up('Thing("a", replaceMe=1, dbr=True)')
    world.cloud.refuse("Create a")
    assert not world.up('Thing("a", replaceMe=2, dbr=True)').ok
    world.cloud.release()
    again = world.up('Thing("a", replaceMe=1, dbr=True)')
    assert again.ok, again
    assert again.steps == ["create-replacement a", "replace a"]
    assert again.cloud_calls == ["Create a"]
    assert world.resource("a")["id"] == "a-2"
    assert world.up().changes == {"same": 2}
