"""The state file: taken out, put in elsewhere, broken."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.engine.programs import World

PROGRAM = """
group = pulumi.ComponentResource("scen:index:Group", "group")
below = pulumi.ResourceOptions(parent=group)
a = Thing("a", value=[1, 0.5, None, "ü"], secretOut="x", opts=below)
b = Thing("b", value=a.token, opts=pulumi.ResourceOptions(depends_on=[group], protect=True))
pulumi.export("token", a.token)
pulumi.export("handle", b.handle)
"""


def test_a_state_moves_to_a_fresh_stack(world: World) -> None:
    world.good_up(PROGRAM)
    exported = world.export(show_secrets=True)
    twin = world.twin(world.home.parent / "twin")
    twin.backend.import_(json.loads(json.dumps(exported)))
    run = twin.preview(PROGRAM)
    assert run.ok, run
    assert run.changes == {"same": 4}
    assert twin.state() == world.state()
    assert twin.outputs(show_secrets=True) == {"token": "token of a: x", "handle": "b-1"}
    assert twin.outputs() == {"token": "[secret]", "handle": "b-1"}


def test_the_form_of_an_export(world: World) -> None:
    """What `pulumi stack import` wants (apitype.UntypedDeployment, DeploymentV3)."""
    world.good_up(PROGRAM)
    exported = world.export()
    assert exported["version"] == 3
    deployment = exported["deployment"]
    assert deployment["secrets_providers"]["type"] == "passphrase"
    assert set(deployment["manifest"]) >= {"time", "magic", "version"}
    seen: set[str] = set()
    for resource in deployment["resources"]:
        # Whatever a resource refers to stands before it (Snapshot.VerifyIntegrity).
        provider = resource.get("provider", "").rpartition("::")[0]
        named = [
            *resource.get("dependencies", []),
            *chain.from_iterable((resource.get("propertyDependencies") or {}).values()),
            *[each for each in (resource.get("parent"), provider) if each],
        ]
        assert seen.issuperset(named), resource["urn"]
        seen.add(resource["urn"])
        assert resource["type"] == resource["urn"].split("::")[2].rsplit("$", 1)[-1]
        assert ("id" in resource) == resource["custom"]


def test_a_state_for_another_stack_is_refused(embedded_world: World) -> None:
    world = embedded_world
    world.good_up('Thing("a", value=1)')
    text = json.dumps(world.export(show_secrets=True)).replace(
        "urn:pulumi:test:", "urn:pulumi:prod:"
    )
    run = world.twin(world.home.parent / "twin")
    try:
        run.backend.import_(json.loads(text))
    except Exception as error:  # noqa: BLE001 - any error will do if it says what is wrong
        assert "prod" in str(error)  # noqa: PT017
    else:
        raise AssertionError("a state of another stack was taken")


def test_a_broken_state_file_is_told_and_kept(embedded_world: World) -> None:
    world = embedded_world
    world.good_up('Thing("a", value=1)')
    (path,) = world.home.rglob("stack.json")
    path.write_text(path.read_text()[:-40])
    broken = path.read_bytes()
    for run in (world.up(), world.destroy(), world.refresh()):
        assert not run.ok
        assert str(path) in run.messages
        assert run.calls == []
    assert path.read_bytes() == broken


def test_the_key_is_for_its_owner_only(embedded_world: World) -> None:
    world = embedded_world
    world.good_up('Thing("a", value=pulumi.Output.secret(1))')
    (path,) = world.home.rglob("passphrase")
    assert path.stat().st_mode & 0o077 == 0


def test_a_run_leaves_the_project_alone(embedded_world: World) -> None:
    world = embedded_world
    world.program('Thing("a", value=pulumi.Output.secret(1))')
    before = {path: path.read_bytes() for path in world.folder.rglob("*") if path.is_file()}
    assert world.up().ok
    assert world.destroy().ok
    after = {path: path.read_bytes() for path in world.folder.rglob("*") if path.is_file()}
    assert after == before
