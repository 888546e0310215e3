"""Dynamic resources: providers that are Python code of the program."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.engine.programs import World

PROGRAM = """
import things
n = things.Note("n", title="one", place={place!r}, text={text})
pulumi.export("handle", n.handle)
"""
TYPE = "pulumi-python:dynamic/notes:Note"


def program(place: str = "here", text: str = "'x'") -> str:
    return PROGRAM.format(place=place, text=text)


def test_the_life_of_a_note(world: World) -> None:
    world.config({"scenarios:prefix": "dear"})
    preview = world.preview(program())
    assert preview.changes == {"create": 2}, preview
    assert preview.calls == []

    made = world.up()
    assert made.ok, made
    assert made.changes == {"create": 2}
    assert made.arguments("create", "one") == {
        "props": {"title": "one", "place": "here", "text": "x"}
    }
    note = world.resource("n")
    assert (note["type"], note["id"]) == (TYPE, "note-1")
    # The pickled provider is a secret, always (serialize_as_secret_always).
    assert set(note["inputs"]["__provider"]) == set(note["outputs"]["__provider"]) == {"secret"}
    outputs = {key: value for key, value in note["outputs"].items() if key != "__provider"}
    assert outputs == {
        "title": "one",
        "place": "here",
        "text": "x",
        "prefix": "dear",
        "handle": "note-1",
    }
    assert (
        note["provider"]
        == "urn:pulumi:test::scenarios::pulumi:providers:pulumi-python::default::<id>"
    )
    assert world.outputs() == {"handle": "note-1"}
    assert world.up().changes == {"same": 2}

    changed = world.up(program(text="'y'"))
    assert changed.changes == {"update": 1, "same": 1}, changed
    assert changed.of("note-1") == ["diff", "update"]

    moved = world.up(program(place="there"))
    assert moved.changes == {"replace": 1, "same": 1}, moved
    assert moved.cloud_calls == ["create one", "delete note-1"]
    assert world.outputs() == {"handle": "note-2"}

    world.cloud.delete("note-2")
    assert world.refresh().changes == {"delete": 1, "same": 1}
    world.good_up()
    gone = world.destroy()
    assert gone.cloud_calls == ["delete note-3"], gone
    assert world.cloud.ids() == []


def test_secrets_of_a_note(world: World) -> None:
    """Its provider gets plain values; outputs of the same names are secrets again."""
    run = world.up(program(text="pulumi.Output.secret('hush')"))
    assert run.ok, run
    assert run.arguments("create", "one")["props"]["text"] == "hush"
    note = world.resource("n")
    assert note["inputs"]["text"] == note["outputs"]["text"] == {"secret": "hush"}
    assert world.up().changes == {"same": 2}


def test_a_note_that_fails(world: World) -> None:
    run = world.up("""
        import things
        things.Note("n", title="one", fail="out of paper")
    """)
    assert not run.ok
    assert "out of paper" in run.messages
    assert world.names() == []
    assert world.pending() == []
