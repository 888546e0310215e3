"""Refresh: the state learns what others did to the cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.engine.programs import thing_urn
from tests.engine.states import thing_state

if TYPE_CHECKING:
    from tests.engine.programs import World

PAIR = """
a = Thing("a", value=1)
b = Thing("b", value=a.handle)
pulumi.export("handle", b.handle)
"""


def test_nothing_changed(world: World) -> None:
    world.good_up(PAIR)
    before = world.state()
    run = world.refresh()
    assert run.ok, run
    assert run.changes == {"same": 3}
    assert run.arguments("Read", "a") == {
        "id": "a-1",
        "inputs": {"value": 1},
        "properties": {"value": 1, "handle": "a-1"},
    }
    # The program does not run, and nothing is checked; the reading is compared with the state.
    assert run.of("a") == run.of("b") == ["Read", "Diff"]
    assert world.state() == before


def test_changed_outside(world: World) -> None:
    world.good_up(PAIR)
    world.cloud.edit("a-1", value=99)
    run = world.refresh()
    assert run.ok, run
    assert run.changes == {"update": 1, "same": 2}
    assert run.cloud_calls == []
    assert world.resource("a") == thing_state("a", {"value": 99})
    assert world.outputs() == {"handle": "b-1"}

    # The program still says 1, so the next update puts that back.
    back = world.up()
    assert back.changes == {"update": 1, "same": 2}, back
    assert back.arguments("Update", "a")["oldInputs"] == {"value": 99}
    assert back.arguments("Update", "a")["news"] == {"value": 1}


def test_outputs_changed_outside(world: World) -> None:
    """The state learns of it, but it counts as a change only if an update would follow from it.

    RefreshStep.ResultOp asks the provider's Diff, not the outputs.
    """
    world.good_up(PAIR)
    record = world.cloud.read("a-1")
    assert record is not None
    record["outputs"]["handle"] = "elsewhere"
    world.cloud.write("a-1", record)
    run = world.refresh()
    assert run.changes == {"same": 3}, run
    assert world.resource("a")["outputs"] == {"value": 1, "handle": "elsewhere"}
    assert world.up().cloud_calls == ["Update b"]


def test_deleted_outside(world: World) -> None:
    world.good_up(PAIR)
    world.cloud.delete("a-1")
    run = world.refresh()
    assert run.ok, run
    assert run.changes == {"delete": 1, "same": 2}
    assert run.cloud_calls == []
    assert world.names() == ["b"]
    # What depended on it no longer does, or the state would name what it does not have
    # (rebuildBaseState, pkg/resource/deploy/deployment_executor.go).
    assert "dependencies" not in world.resource("b")
    assert "propertyDependencies" not in world.resource("b") or not any(
        world.resource("b")["propertyDependencies"].values()
    )

    again = world.up()
    assert again.ok, again
    assert again.changes == {"create": 1, "update": 1, "same": 1}
    assert again.cloud_calls == ["Create a", "Update b"]
    assert world.resource("b")["dependencies"] == [thing_urn("a")]


def test_up_can_refresh_first(world: World) -> None:
    world.good_up(PAIR)
    world.cloud.edit("a-1", value=99)
    without = world.up()
    assert without.changes == {"same": 3}, without
    assert without.of("a") == ["Check", "Diff"]

    preview = world.preview(refresh=True)
    assert preview.ok, preview
    assert preview.changes == {"update": 1, "same": 2}
    assert world.resource("a")["inputs"] == {"value": 1}

    run = world.up(refresh=True)
    assert run.ok, run
    assert run.changes == {"update": 1, "same": 2}
    assert run.of("a") == ["Read", "Diff", "Check", "Diff", "Update"]
    assert run.arguments("Update", "a")["oldInputs"] == {"value": 99}
    assert world.cloud.read("a-1") == {
        "inputs": {"value": 1},
        "outputs": {"value": 1, "handle": "a-1"},
    }


def test_a_project_that_always_refreshes(world: World) -> None:
    world.project(options={"refresh": "always"})
    first = world.up(PAIR)
    assert first.cloud_calls == ["Create a", "Create b"], first
    world.cloud.delete("b-1")
    unseen = world.up(refresh=False)
    assert unseen.changes == {"same": 3}, unseen
    assert not [call for call in unseen.calls if call.method == "Read"]
    run = world.up()
    assert run.ok, run
    assert run.changes == {"create": 1, "same": 2}
    assert run.cloud_calls == ["Create b"]
    assert world.outputs() == {"handle": "b-2"}


def test_a_reading_that_fails(world: World) -> None:
    world.good_up(PAIR)
    before = world.state()
    world.cloud.refuse("Read a")
    run = world.refresh()
    assert not run.ok
    assert "the cloud refuses: Read a" in run.messages
    assert world.state() == before
