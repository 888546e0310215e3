"""Configuration: what Pulumi.yaml declares, what a stack file says, and the CLI's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.engine.programs import World

READ = """
config = pulumi.Config()
pulumi.export("workers", config.require_int("workers"))
pulumi.export("pools", config.get_object("pools"))
pulumi.export("name", config.get("name"))
pulumi.export("on", config.get_bool("on"))
pulumi.export("other", pulumi.Config("other").get("key"))
"""
DECLARED: dict[str, Any] = {
    "workers": {"type": "integer", "description": "How many"},
    "pools": {"type": "array", "items": {"type": "string"}, "default": ["a"]},
    "name": {"type": "string", "default": "nobody"},
    "on": {"type": "boolean", "default": False},
}


def test_values_and_defaults(world: World) -> None:
    world.project(config=DECLARED)
    world.config({"scenarios:workers": 4, "other:key": "elsewhere"})
    world.good_up(READ)
    assert world.outputs() == {
        "workers": 4,
        "pools": ["a"],
        "name": "nobody",
        "on": False,
        "other": "elsewhere",
    }
    world.config(
        {"workers": "5", "scenarios:pools": ["b", "c"], "scenarios:name": "x", "scenarios:on": True}
    )
    world.good_up()
    outputs = world.outputs()
    assert (outputs["workers"], outputs["pools"], outputs["name"]) == (5, ["b", "c"], "x")
    assert outputs["on"] is True


FAULTS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    # declared, written, what the CLI says (pkg/workspace/config.go)
    ({"text": {"type": "string"}}, {}, "is missing configuration value 'text'"),
    (
        {"a": {"type": "string"}, "b": {"type": "integer"}, "c": {"type": "boolean"}},
        {},
        "is missing configuration values 'a', 'b' and 'c'",
    ),
    ({"n": {"type": "integer"}}, {"n": "many"}, "configuration key 'n' must be of type 'integer'"),
    ({"n": {"type": "integer"}}, {"n": 1.5}, "configuration key 'n' must be of type 'integer'"),
    ({"on": {"type": "boolean"}}, {"on": "yes"}, "key 'on' must be of type 'boolean'"),
    (
        {"pools": {"type": "array", "items": {"type": "string"}}},
        {"pools": {"a": 1}},
        "configuration key 'pools' must be of type 'array<string>'",
    ),
    (
        {"word": {"type": "string", "secret": True}},
        {"word": "clear"},
        "with configuration key 'word' must be encrypted as it's secret",
    ),
]


@pytest.mark.parametrize(("declared", "written", "told"), FAULTS)
def test_faults_are_told_before_anything_runs(
    world: World, declared: dict[str, Any], written: dict[str, Any], told: str
) -> None:
    world.project(config=declared)
    world.config({f"scenarios:{key}": value for key, value in written.items()})
    run = world.up('Thing("a", value=1)\nopen("ran", "w")')
    assert not run.ok
    assert told in run.messages
    assert "Stack 'test'" in run.messages
    assert run.calls == []
    assert not (world.folder / "ran").exists()


def test_a_fault_does_not_stop_destroy(world: World) -> None:
    """Neither the program nor the declared configuration matters at the end (destroy.go)."""
    world.good_up('Thing("a", value=1)')
    world.project(config={"n": {"type": "integer"}})
    world.config({"scenarios:n": "many"})
    assert not world.up().ok
    run = world.destroy()
    assert run.ok, run
    assert run.cloud_calls == ["Delete a"]


def test_what_the_program_misses_is_told_without_a_trace(world: World) -> None:
    run = world.up('pulumi.Config().require("needed")')
    assert not run.ok
    assert "Missing required configuration variable 'scenarios:needed'" in run.messages
    assert "pulumi config set scenarios:needed <value>" in run.messages
    assert "Traceback" not in run.messages


def test_stack_files_in_a_folder_of_their_own(world: World) -> None:
    world.project(stackConfigDir="stacks")
    (world.folder / "stacks").mkdir()
    (world.folder / "Pulumi.test.yaml").rename(world.folder / "stacks" / "Pulumi.test.yaml")
    (world.folder / "stacks" / "Pulumi.test.yaml").write_text("config:\n  scenarios:key: found\n")
    world.good_up('pulumi.export("key", pulumi.Config().require("key"))')
    assert world.outputs() == {"key": "found"}


def test_what_a_program_knows_of_itself(world: World) -> None:
    world.good_up("""
        import os, sys
        pulumi.export("names", [pulumi.get_project(), pulumi.get_stack()])
        pulumi.export("here", os.getcwd())
        pulumi.export("dry", pulumi.runtime.is_dry_run())
    """)
    outputs = world.outputs()
    assert outputs["names"] == ["scenarios", "test"]
    assert outputs["here"] == str(world.folder)
    assert outputs["dry"] is False
