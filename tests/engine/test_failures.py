"""Whatever fails, the state tells what exists, and the next update goes on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.engine.states import thing_state

if TYPE_CHECKING:
    from tests.engine.programs import World


def test_check_failures_are_all_told(world: World) -> None:
    run = world.up("""
        faults = {"value": "is not a colour", "size": "is below zero"}
        a = Thing("a", value="mud", size=-1, checkFail=faults)
        b = Thing("b", value=a.handle)
    """)
    assert not run.ok
    # GetResourcePropertyInvalidValueError, sdk/go/common/diag/errors.go
    for key, reason in (("value", "is not a colour"), ("size", "is below zero")):
        assert f"fake:index:Thing resource 'a': property {key} value" in run.messages
        assert f"has a problem: {reason}" in run.messages
    assert run.of("a") == ["Check"]
    assert run.of("b") == []
    assert world.names() == []


def test_a_create_that_fails_midway(world: World) -> None:
    program = """
        a = Thing("a", value=1)
        b = Thing("b", value=a.handle)
        c = Thing("c", value=b.handle)
    """
    world.cloud.refuse("Create b")
    run = world.up(program)
    assert not run.ok
    assert "the cloud refuses: Create b" in run.messages
    assert run.cloud_calls == ["Create a", "Create b"]
    assert run.of("c") == []
    assert world.names() == ["a"]
    assert world.pending() == []
    assert world.cloud.ids() == ["a-1"]

    world.cloud.release()
    again = world.up()
    assert again.ok, again
    assert again.changes == {"create": 2, "same": 2}
    assert again.cloud_calls == ["Create b", "Create c"]


def test_others_in_flight_are_kept(world: World) -> None:
    """A failure elsewhere must not lose what a neighbour was just making."""
    run = world.up("""
        Thing("slow", meet=2)
        Thing("bad", meet=2, failCreate="no room")
    """)
    assert not run.ok
    assert "no room" in run.messages
    assert world.names() == ["slow"]
    assert world.cloud.ids() == ["slow-1"]
    assert world.pending() == []


def test_a_partial_create_is_finished_by_an_update(world: World) -> None:
    world.program('Thing("a", value=1, partialCreate=["it is cold", "it is dark"])')
    run = world.up()
    assert not run.ok
    assert "it is cold" in run.messages
    assert "it is dark" in run.messages
    inputs = {"value": 1, "partialCreate": ["it is cold", "it is dark"]}
    assert world.resource("a") == thing_state("a", inputs, initErrors=["it is cold", "it is dark"])

    # Nothing differs, but the errors ask for an update (continueStepsFromDiff).
    again = world.up()
    assert again.ok, again
    assert again.changes == {"update": 1, "same": 1}
    assert again.of("a") == ["Check", "Diff", "Update"]
    assert world.resource("a") == thing_state("a", inputs)
    assert world.up().changes == {"same": 2}


def test_an_update_that_fails(world: World) -> None:
    world.good_up('Thing("a", value=1)')
    run = world.up('Thing("a", value=2, failUpdate="try later")')
    assert not run.ok
    assert "try later" in run.messages
    assert world.resource("a") == thing_state("a", {"value": 1})
    again = world.up('Thing("a", value=2)')
    assert again.cloud_calls == ["Update a"], again
    assert world.resource("a") == thing_state("a", {"value": 2})


def test_a_partial_update_keeps_the_old_inputs(world: World) -> None:
    """What exists was not made with the new inputs, so only the outputs are new (update.go)."""
    world.good_up('Thing("a", value=1)')
    run = world.up('Thing("a", value=2, partialUpdate=["it is late"])')
    assert not run.ok
    assert "it is late" in run.messages
    a = world.resource("a")
    assert a["inputs"] == {"value": 1}
    assert a["outputs"]["value"] == 2
    assert a["initErrors"] == ["it is late"]
    again = world.up('Thing("a", value=2)')
    assert again.cloud_calls == ["Update a"], again
    assert world.resource("a") == thing_state("a", {"value": 2})


def test_a_failure_deletes_nothing(world: World) -> None:
    """Deletes come last, and only after a good end of everything else."""
    world.good_up('Thing("old", value=1)\nThing("a", value=1)')
    run = world.up('Thing("a", value=2, failUpdate="try later")')
    assert not run.ok
    assert run.cloud_calls == ["Update a"]
    assert sorted(world.names()) == ["a", "old"]


FAULTS = [
    # program, what is told, what is not
    ('raise pulumi.RunError("write workers: 4")', "write workers: 4", "Traceback"),
    ("1 / 0", "ZeroDivisionError: division by zero", "RunError"),
    ("import no_such_module", "No module named 'no_such_module'", "RunError"),
    ("def broken(:", "SyntaxError", "RunError"),
]


def test_a_program_that_fails(world: World) -> None:
    world.good_up('Thing("old", value=1)')
    for fault, told, untold in FAULTS:
        for run in (world.preview(fault), world.up()):
            assert not run.ok, fault
            assert told in run.messages
            assert untold not in run.messages
            # Where it happened is told as well, unless the message is meant to be enough.
            assert ("__main__.py" in run.messages) is ("RunError" not in fault)
            assert run.cloud_calls == []
    assert world.names() == ["old"]
    assert world.up('Thing("old", value=1)').changes == {"same": 2}


def test_a_program_that_fails_after_its_first_resources(world: World) -> None:
    world.good_up('Thing("old", value=1)')
    run = world.up("""
        a = Thing("a", value=1)

        def fail(_):
            raise pulumi.RunError("cannot go on")

        a.handle.apply(fail)
    """)
    assert not run.ok
    assert "cannot go on" in run.messages
    assert sorted(world.names()) == ["a", "old"]
    assert world.cloud.ids() == ["a-1", "old-1"]


def test_a_failed_delete_keeps_the_resource(world: World) -> None:
    world.good_up('Thing("a", value=1)\nThing("b", value=1)')
    world.cloud.refuse("Delete b")
    run = world.up('Thing("a", value=1)')
    assert not run.ok
    assert "the cloud refuses: Delete b" in run.messages
    assert sorted(world.names()) == ["a", "b"]
    world.cloud.release()
    assert world.up().cloud_calls == ["Delete b"]


def test_what_a_program_says_is_passed_on(world: World) -> None:
    run = world.up("""
        pulumi.log.info("all is well")
        pulumi.log.warn("it will rain")
        print("printed by the program")
    """)
    assert run.ok, run
    assert "info: all is well" in run.messages
    assert "warning: it will rain" in run.messages
    assert "printed by the program" in run.messages


def test_an_unknown_value_in_an_update_spares_the_rest(embedded_world: World) -> None:
    """Only a preview may have unknown values; a provider that gives one anyway is refused."""
    world = embedded_world
    run = world.up("""
        a = Thing("a", value=1)
        bad = {"inside": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}
        b = Thing("b", value=bad, opts=pulumi.ResourceOptions(depends_on=[a]))
    """)
    assert not run.ok
    assert "unknown value" in run.messages
    assert world.names() == ["a"]
    assert world.pending() == []
    assert world.destroy().ok
