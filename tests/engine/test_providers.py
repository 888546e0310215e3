"""Providers: the default one, explicit ones, their configuration, invokes, and their plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.programs import urn
from tests.engine.states import provider_state

if TYPE_CHECKING:
    from tests.engine.programs import World

DEFAULT = "default_1_2_3"
EXPLICIT = """
p = fake.Provider("p", {config})
a = Thing("a", value=1, opts=pulumi.ResourceOptions(provider=p))
"""


def test_the_default_provider(world: World) -> None:
    world.config({"fake:region": "here", "fake:flags": {"fast": True}})
    run = world.up('Thing("a", value=1)')
    assert run.ok, run
    # It is not counted and has no step to see.
    assert run.changes == {"create": 2}
    assert run.steps == ["create a"]
    config = {"region": "here", "flags": '{"fast":true}', "version": "1.2.3"}
    variables = {"fake:config:region": "here", "fake:config:flags": '{"fast":true}'}
    assert run.arguments("CheckConfig", DEFAULT) == {"olds": {}, "news": config}
    assert run.arguments("Configure", DEFAULT) == {"args": config, "variables": variables}
    assert world.resource(DEFAULT) == provider_state(region="here", flags='{"fast":true}')

    again = world.up()
    assert again.changes == {"same": 2}, again
    assert again.of(DEFAULT) == ["CheckConfig", "DiffConfig", "Configure"]


def test_a_change_that_the_default_provider_can_take(world: World) -> None:
    world.config({"fake:note": "one"})
    world.good_up('Thing("a", value=1)')
    before = world.export()["deployment"]["resources"][-1]["provider"]
    world.config({"fake:note": "two"})
    run = world.up()
    assert run.ok, run
    assert run.changes == {"same": 2}
    assert run.cloud_calls == []
    assert run.arguments("Configure", DEFAULT)["args"]["note"] == "two"
    assert world.resource(DEFAULT) == provider_state(note="two")
    assert world.export()["deployment"]["resources"][-1]["provider"] == before


def test_a_change_that_replaces_the_default_provider(world: World) -> None:
    """What it made is replaced too: a at its old place is not the a of the new one."""
    world.config({"fake:region": "here"})
    world.good_up('Thing("a", value=1)')
    world.config({"fake:region": "there"})
    run = world.up()
    assert run.ok, run
    assert run.changes == {"replace": 1, "same": 1}
    assert run.cloud_calls == ["Create a", "Delete a"]
    # The old thing is deleted by a provider with the old configuration.
    regions = [call.arguments["args"]["region"] for call in run.calls if call.method == "Configure"]
    assert sorted(regions) == ["here", "there"]
    assert world.resource(DEFAULT) == provider_state(region="there")
    assert world.cloud.ids() == ["a-2"]
    assert world.up().changes == {"same": 2}


def test_an_explicit_provider(world: World) -> None:
    run = world.up(EXPLICIT.format(config='region="here", flags={"fast": True}'))
    assert run.ok, run
    assert run.changes == {"create": 3}
    assert run.steps == ["create p", "create a"]
    expected = provider_state("p", region="here", flags='{"fast": true}')
    provider = world.resource("p")
    assert provider.pop("parent", None) in (None, world.state()[0]["urn"])
    assert {**provider, "propertyDependencies": None} == {**expected, "propertyDependencies": None}
    assert world.resource("a")["provider"] == f"{urn('pulumi:providers:fake', 'p')}::<id>"
    assert [each["urn"] for each in world.state() if "default" in each["urn"]] == []
    assert world.up().changes == {"same": 3}

    noted = world.up(EXPLICIT.format(config='region="here", flags={"fast": True}, note="x"'))
    assert noted.ok, noted
    assert noted.changes == {"update": 1, "same": 2}
    assert noted.steps == ["update p", "same a"]
    assert noted.cloud_calls == []

    moved = world.up(EXPLICIT.format(config='region="there", flags={"fast": True}, note="x"'))
    assert moved.ok, moved
    assert moved.changes == {"replace": 2, "same": 1}
    assert moved.cloud_calls == ["Create a", "Delete a"]
    assert moved.steps[-2:] == ["delete-replaced a", "delete-replaced p"]

    gone = world.destroy()
    assert gone.changes == {"delete": 3}, gone
    assert gone.steps[:2] == ["delete a", "delete p"]


def test_children_inherit_providers(world: World) -> None:
    world.good_up("""
        p = fake.Provider("p", region="here")
        opts = pulumi.ResourceOptions(providers=[p])
        group = pulumi.ComponentResource("scen:index:Group", "group", opts=opts)
        Thing("a", value=1, opts=pulumi.ResourceOptions(parent=group))
    """)
    assert "::p::" in world.resource("a")["provider"]


def test_a_configuration_that_is_refused(world: World) -> None:
    world.config({"fake:region": "nowhere"})
    run = world.up('Thing("a", value=1)')
    assert not run.ok
    assert "is not a region" in run.messages
    assert run.cloud_calls == []
    explicit = world.up(EXPLICIT.format(config='region="nowhere"'))
    assert not explicit.ok
    assert "is not a region" in explicit.messages


def test_an_unknown_configuration(world: World) -> None:
    """Until it is known the plugin is not configured, so nothing of it can be asked."""
    program = """
        first = Thing("first", value=1)
        p = fake.Provider("p", region=first.handle)
        a = Thing("a", value=1, opts=pulumi.ResourceOptions(provider=p))
        b = Thing("b", value=a.value)
    """
    run = world.preview(program)
    assert run.ok, run
    assert run.changes == {"create": 5}
    assert run.of("a") == []
    assert [call for call in run.calls if str(call) == "Configure p"] == []
    up = world.up()
    assert up.ok, up
    assert up.arguments("Configure", "p")["args"]["region"] == "first-1"


# Invokes


def test_invokes_answer_in_previews_too(world: World) -> None:
    program = """
        a = Thing("a", value=fake.lookup("fire"))
        pulumi.export("later", fake.lookup_output(a.handle))
    """
    preview = world.preview(program)
    assert preview.ok, preview
    lookups = [call for call in preview.calls if call.method == "Invoke"]
    # The second one needs a value that is not known yet, so it waits for the update.
    assert [call.arguments for call in lookups] == [{"args": {"key": "fire"}}]
    assert preview.arguments("Check", "a")["news"] == {"value": "what fire means"}
    world.good_up()
    assert world.outputs() == {"later": "what a-1 means"}


def test_an_invoke_alone_makes_the_default_provider(world: World) -> None:
    run = world.up('pulumi.export("fire", fake.lookup("fire"))')
    assert run.ok, run
    assert run.changes == {"create": 1}
    assert world.outputs() == {"fire": "what fire means"}
    assert world.resource(DEFAULT) == provider_state()


@pytest.mark.parametrize(
    ("key", "told"), [("missing", "is not in the catalogue"), ("broken", "the catalogue is closed")]
)
def test_an_invoke_that_fails(world: World, key: str, told: str) -> None:
    run = world.up(f'fake.lookup("{key}")\nThing("a", value=1)')
    assert not run.ok
    assert told in run.messages
    assert run.cloud_calls == []


# Plugins


def test_a_plugin_of_the_project_comes_before_the_path(world: World) -> None:
    on_path = world.home.parent / "bin"
    on_path.rename(world.folder / "plugins")
    on_path.mkdir()
    wrong = on_path / "pulumi-resource-fake"
    wrong.write_text("#!/bin/sh\necho the wrong plugin >&2\nexit 3\n")
    wrong.chmod(0o755)
    failed = world.up('Thing("a", value=1)')
    assert not failed.ok
    assert failed.cloud_calls == []
    world.project(plugins={"providers": [{"name": "fake", "path": "./plugins"}]})
    run = world.up()
    assert run.ok, run
    assert run.cloud_calls == ["Create a"]


def test_a_missing_plugin(world: World) -> None:
    (world.home.parent / "bin" / "pulumi-resource-fake").unlink()
    run = world.up('Thing("a", value=1)')
    assert not run.ok
    assert "pulumi-resource-fake" in run.messages
    assert "Traceback" not in run.messages
    assert "a" not in world.names()


def test_a_plugin_that_dies_at_once(world: World) -> None:
    plugin = world.home.parent / "bin" / "pulumi-resource-fake"
    plugin.write_text("#!/bin/sh\necho no memory left >&2\nexit 3\n")
    run = world.up('Thing("a", value=1)')
    assert not run.ok
    assert "no memory left" in run.messages
    assert "a" not in world.names()
