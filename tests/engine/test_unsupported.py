"""What the embedded engine does not do is an error that names it, never ignored."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

if TYPE_CHECKING:
    from tests.engine.programs import World

HOOK = """
hook = pulumi.ResourceHook("hook", lambda args: None)
bound = pulumi.ResourceHookBinding(after_create=[hook])
"""

# option, how a program writes it
REFUSED = {
    "aliases": 'aliases=[pulumi.Alias(name="b")]',
    "deleted_with": "deleted_with=other",
    "env_var_mappings": 'env_var_mappings={"A": "B"}',
    "hide_diffs": 'hide_diffs=["value"]',
    "hooks": "hooks=bound",
    "id": 'id="x-1"',
    "import_": 'import_="x-1"',
    "replace_with": "replace_with=[other]",
    "replacement_trigger": "replacement_trigger=1",
    "transforms": "transforms=[lambda args: None]",
}
# Options that the engine carries out, or that never reach it: the scenarios have them all.
ACCEPTED = {
    "additional_secret_outputs",
    "custom_timeouts",
    "delete_before_replace",
    "depends_on",
    "ignore_changes",
    "parent",
    "plugin_download_url",
    "protect",
    "provider",
    "providers",
    "replace_on_changes",
    "retain_on_delete",
    "transformations",
    "urn",
    "version",
}


def test_every_option_of_the_sdk_is_known_here() -> None:
    """A new release of the SDK may bring an option that nobody has thought of."""
    given = set(inspect.signature(pulumi.ResourceOptions.__init__).parameters) - {"self"}
    assert given - ACCEPTED - {"state_migrations"} == set(REFUSED)


def told(option: str) -> tuple[str, ...]:
    """Any of these names the option: the SDK has its own words where it asks the engine first."""
    words: dict[str, tuple[str, ...]] = {
        "id": ("reading", "read", "ReadResource"),
        "deleted_with": ("deletedwith",),
        "replace_with": ("replacewith",),
        "hooks": ("hook",),
        "transforms": ("transform",),
    }
    return (option, *words.get(option, ()))


@pytest.mark.parametrize("option", REFUSED)
def test_an_option_is_refused(embedded_world: World, option: str) -> None:
    hook = HOOK if option == "hooks" else ""
    run = embedded_world.up(
        f"""
other = Thing("other", value=1)
{hook}
Thing("a", value=1, opts=pulumi.ResourceOptions({REFUSED[option]}))
"""
    )
    assert not run.ok, run
    assert any(word.lower() in run.messages.lower() for word in told(option)), run
    assert run.of("a") == []
    assert "a" not in embedded_world.names()


OTHER: dict[str, tuple[str, str]] = {
    "stack transforms": ("pulumi.runtime.register_resource_transform(lambda a: None)", "transform"),
    "assets": ('Thing("a", value=pulumi.StringAsset("x"))', "asset"),
    "archives": ('Thing("a", value=pulumi.FileArchive("."))', "archive"),
    "remote components": (
        'pulumi.ComponentResource("fake:index:Remote", "r", {}, None, True)',
        "remote component",
    ),
    "stack references": ('pulumi.StackReference("org/other/dev")', "StackReference"),
}


@pytest.mark.parametrize("what", OTHER)
def test_more_that_is_refused(embedded_world: World, what: str) -> None:
    program, word = OTHER[what]
    run = embedded_world.up(program)
    assert not run.ok, run
    assert word.lower() in run.messages.lower(), run
    assert run.cloud_calls == []


@pytest.mark.parametrize(
    ("project", "named"),
    [
        ({"options": {"surprise": True}}, "surprise"),
        ({"plugins": {"languages": [{"name": "x", "path": "."}]}}, "languages"),
        ({"runtime": "nodejs"}, "nodejs"),
        ({"stackConfigDirs": "stacks"}, "stackConfigDirs"),
        ({"requiredPulumiVersion": ">=3.0.0"}, "requiredPulumiVersion"),
        ({"backend": {"url": "file://~"}}, "backend"),
        ({"main": "__main__.py"}, "main"),
        ({"runtime": {"name": "python", "options": {"typechecker": "mypy"}}}, "typechecker"),
    ],
)
def test_a_project_that_is_refused(
    embedded_world: World, project: dict[str, Any], named: str
) -> None:
    embedded_world.project(**project)
    run = embedded_world.up('Thing("a", value=1)')
    assert not run.ok
    assert named in run.messages
    assert run.calls == []


RENAMED = """
class Renamed(pulumi.CustomResource):
    def __init__(self, name, opts):
        super().__init__("fake:index:Thing", name, {"value": 1}, opts)

former = [pulumi.Alias(type_="fake:index:Gadget")]
Renamed("a", pulumi.ResourceOptions(version=fake.VERSION, aliases=former))
"""


def test_the_former_name_of_a_type_that_no_state_has_is_no_option(embedded_world: World) -> None:
    """SDKs list the names that their types had before: nobody has chosen that."""
    run = embedded_world.up(RENAMED)
    assert run.ok, run
    assert run.cloud_calls == ["Create a"]
    assert embedded_world.up(RENAMED).cloud_calls == []


def test_a_state_with_the_former_name_of_a_type_is_refused(embedded_world: World) -> None:
    assert embedded_world.up(RENAMED.replace("Thing", "Gadget")).ok
    run = embedded_world.up(RENAMED)
    assert not run.ok
    assert "the state holds it as a fake:index:Gadget" in run.messages
    assert embedded_world.names() == ["a"]
