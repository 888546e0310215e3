"""Changes of what resources hang on: their dependencies, parents, providers and types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.engine.programs import thing_urn, urn

if TYPE_CHECKING:
    from tests.engine.programs import World


def test_a_dependency_is_given_up(world: World) -> None:
    world.good_up('a = Thing("a", value=1)\nb = Thing("b", value=a.handle)')
    run = world.up('b = Thing("b", value="alone")')
    assert run.ok, run
    assert run.cloud_calls == ["Update b", "Delete a"]
    assert "dependencies" not in world.resource("b")


def test_only_a_dependency_changes(world: World) -> None:
    """The resource is the same, and the state learns what it depends on now."""
    world.good_up('a = Thing("a", value=1)\nb = Thing("b", value=1)')
    run = world.up("""
        a = Thing("a", value=1)
        b = Thing("b", value=1, opts=pulumi.ResourceOptions(depends_on=[a]))
    """)
    assert run.changes == {"same": 3}, run
    assert world.resource("b")["dependencies"] == [thing_urn("a")]
    assert world.destroy().cloud_calls == ["Delete b", "Delete a"]


def test_a_dependent_goes_before_what_was_replaced(world: World) -> None:
    world.good_up('a = Thing("a", replaceMe=1)\nb = Thing("b", value=a.handle)')
    run = world.up('a = Thing("a", replaceMe=2)')
    assert run.ok, run
    assert run.cloud_calls == ["Create a", "Delete b", "Delete a"]
    assert run.arguments("Delete", "a")["id"] == "a-1"
    assert world.cloud.ids() == ["a-2"]


def test_a_chain_is_replaced_from_its_start_and_deleted_from_its_end(world: World) -> None:
    program = """
        a = Thing("a", replaceMe={value})
        b = Thing("b", replaceMe=a.handle)
        c = Thing("c", replaceMe=b.handle)
    """
    world.good_up(program.format(value=1))
    run = world.up(program.format(value=2))
    assert run.ok, run
    assert run.changes == {"replace": 3, "same": 1}
    assert run.cloud_calls == [
        *("Create a", "Create b", "Create c"),
        *("Delete c", "Delete b", "Delete a"),
    ]


def test_another_parent_is_another_resource(world: World) -> None:
    group = 'group = pulumi.ComponentResource("scen:index:Group", "group")\n'
    world.good_up(group + 'Thing("a", value=1)')
    run = world.up(group + 'Thing("a", value=1, opts=pulumi.ResourceOptions(parent=group))')
    assert run.ok, run
    assert run.changes == {"create": 1, "delete": 1, "same": 2}
    assert run.cloud_calls == ["Create a", "Delete a"]
    assert world.resource("a")["urn"] == urn("scen:index:Group$fake:index:Thing", "a")


def test_another_provider_that_can_take_over(world: World) -> None:
    """The new provider's DiffConfig says whether it can (stepGenerator.providerChanged)."""
    world.good_up('Thing("a", value=1)')
    program = """
        p = fake.Provider("p", {config})
        Thing("a", value=1, opts=pulumi.ResourceOptions(provider=p))
    """
    run = world.up(program.format(config='note="mine"'))
    assert run.ok, run
    assert run.changes == {"create": 1, "same": 2}
    assert run.cloud_calls == []
    assert "::p::" in world.resource("a")["provider"]
    # The default provider is no longer used, and gone without a word.
    assert [each["urn"] for each in world.state() if "default" in each["urn"]] == []

    world.good_up('Thing("a", value=1)')
    moved = world.up(program.format(config='region="there"'))
    assert moved.ok, moved
    assert moved.changes == {"create": 1, "replace": 1, "same": 1}
    assert moved.cloud_calls == ["Create a", "Delete a"]


def test_outputs_of_a_program_that_failed(world: World) -> None:
    """After an error old outputs are kept, since their absence means nothing then.

    The new ones are added to them (executeRegisterResourceOutputs, step_executor.go).
    """
    world.good_up('pulumi.export("one", 1)\npulumi.export("two", 2)')
    run = world.up('pulumi.export("two", 3)\nraise pulumi.RunError("too early")')
    assert not run.ok
    assert world.outputs() == {"one": 1, "two": 3}
    world.good_up('pulumi.export("two", 4)')
    assert world.outputs() == {"two": 4}


def test_a_component_that_fails_halfway(world: World) -> None:
    """A component without registered outputs is kept, and its children with it."""
    run = world.up("""
        group = pulumi.ComponentResource("scen:index:Group", "group")
        Thing("a", value=1, opts=pulumi.ResourceOptions(parent=group))
        Thing("b", failCreate="no", opts=pulumi.ResourceOptions(
            parent=group, depends_on=[Thing("first", value=1)]))
    """)
    assert not run.ok
    assert "group" in world.names()
    gone = world.destroy()
    assert gone.ok, gone
    assert world.cloud.ids() == []
