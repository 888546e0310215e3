"""A preview changes nothing, and says what the update will do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.engine.programs import World

CHAIN = """
a = Thing("a", value=1)
b = Thing("b", value=a.handle, inside={"list": ["fixed", a.handle]})
c = Thing("c", value=b.value, secretOut=a.handle)
pulumi.export("handle", a.handle)
open("seen", "a").write("preview " if pulumi.runtime.is_dry_run() else "update ")
a.handle.apply(lambda handle: open("seen", "a").write(handle))
"""


def test_unknown_values_flow(world: World) -> None:
    world.good_up("")
    before = world.state()
    run = world.preview(CHAIN)
    assert run.ok, run
    assert run.changes == {"create": 3, "same": 1}
    assert run.steps == ["create a", "create b", "create c"]
    assert run.cloud_calls == []
    assert run.arguments("Create", "a") == {
        "properties": {"value": 1},
        "preview": True,
        "timeout": 0,
    }
    assert run.arguments("Check", "b")["news"] == {
        "value": "<unknown>",
        "inside": {"list": ["fixed", "<unknown>"]},
    }
    assert run.arguments("Create", "b")["properties"]["value"] == "<unknown>"
    assert run.arguments("Check", "c")["news"]["value"] == "<unknown>"
    # Code that needs an unknown value does not run.
    assert (world.folder / "seen").read_text() == "preview "
    assert world.cloud.ids() == []
    assert world.state() == before
    assert world.outputs() == {}


def test_known_outputs_stay_known(world: World) -> None:
    """A provider that previews an update says what it already knows."""
    world.good_up('a = Thing("a", value=1)\nb = Thing("b", value=a.handle)')
    run = world.preview('a = Thing("a", value=2)\nb = Thing("b", value=a.handle)')
    assert run.changes == {"update": 1, "same": 2}, run
    assert run.arguments("Update", "a")["preview"] is True
    assert run.arguments("Check", "b")["news"] == {"value": "a-1"}
    assert world.resource("a")["inputs"] == {"value": 1}


def test_a_replacement_makes_its_outputs_unknown(world: World) -> None:
    program = 'a = Thing("a", replaceMe={value})\nb = Thing("b", value=a.handle)'
    world.good_up(program.format(value=1))
    run = world.preview(program.format(value=2))
    assert run.changes == {"replace": 1, "update": 1, "same": 1}, run
    assert run.arguments("Check", "b")["news"] == {"value": "<unknown>"}
    assert run.cloud_calls == []


def test_preview_and_update_agree(world: World) -> None:
    world.good_up("""
        kept = Thing("kept", value=1)
        changed = Thing("changed", value=1)
        replaced = Thing("replaced", replaceMe=1, dbr=True)
        follower = Thing("follower", replaceMe=replaced.handle)
        gone = Thing("gone", value=1)
    """)
    world.program("""
        kept = Thing("kept", value=1)
        changed = Thing("changed", value=2)
        replaced = Thing("replaced", replaceMe=2, dbr=True)
        follower = Thing("follower", replaceMe=replaced.handle)
        fresh = Thing("fresh", value=changed.handle)
    """)
    preview = world.preview()
    assert preview.ok, preview
    assert preview.cloud_calls == []
    up = world.up()
    assert up.ok, up
    assert sorted(preview.urns) == sorted(up.urns)
    assert preview.changes == up.changes
    assert preview.changes == {"create": 1, "update": 1, "replace": 2, "delete": 1, "same": 2}
    after = world.preview()
    assert after.changes == {"same": 6}, after


def test_a_preview_of_what_will_fail(world: World) -> None:
    world.good_up('Thing("a", value=1, opts=pulumi.ResourceOptions(protect=True))')
    for program in ("", 'Thing("a", value=1, checkFail={"value": "is wrong"})'):
        run = world.preview(program)
        assert not run.ok, program
        assert run.cloud_calls == []
    assert world.names() == ["a"]
