"""What runs at the same time, and what never does."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.engine.programs import World

DIAMOND = """
top = Thing("top", value=1)
left = Thing("left", value=top.handle)
right = Thing("right", value=top.handle)
bottom = Thing("bottom", value=[left.handle, right.handle])
"""


def test_independent_resources_are_made_at_the_same_time(world: World) -> None:
    # Each create waits until all three are there: one after the other would never end well.
    run = world.up("for name in 'abc': Thing(name, meet=3)")
    assert run.ok, run
    creates = [call for call in run.calls if call.method == "Create"]
    assert all(one.overlaps(other) for one, other in combinations(creates, 2))


def test_dependent_resources_never_overlap(world: World) -> None:
    run = world.up(DIAMOND)
    assert run.ok, run
    for first, second in [
        ("top", "left"),
        ("top", "right"),
        ("left", "bottom"),
        ("right", "bottom"),
    ]:
        before, after = run.only("Create", first).end, run.only("Create", second).start
        assert before is not None
        assert before <= after


def test_one_at_a_time_if_asked(world: World) -> None:
    run = world.up("for name in 'abcd': Thing(name, value=1)", parallel=1)
    assert run.ok, run
    creates = [call for call in run.calls if call.method == "Create"]
    assert len(creates) == 4
    assert not any(one.overlaps(other) for one, other in pairwise(creates))


def test_destroy_goes_backwards(world: World) -> None:
    world.good_up(DIAMOND)
    # A program that cannot even start must not stand in the way of its end.
    world.program("raise RuntimeError")
    run = world.destroy()
    assert run.ok, run
    assert run.changes == {"delete": 5}
    calls = run.cloud_calls
    assert (calls[0], calls[-1]) == ("Delete bottom", "Delete top")
    assert sorted(calls[1:3]) == ["Delete left", "Delete right"]
    assert [call.method for call in run.calls if call.name in {"top", "bottom"}] == ["Delete"] * 2
    assert world.state() == []
    assert world.cloud.ids() == []
    assert world.outputs() == {}
    # The embedded engine also removes the stack, as `pulumi destroy --remove` does, so that nothing
    # at all is left; the CLI by itself keeps an empty one.
    again = world.destroy()
    assert again.changes == {}
    assert again.ok or "no stack named 'test' found" in again.messages


def test_a_chain_is_destroyed_link_by_link(world: World) -> None:
    world.good_up("""
        last = None
        for name in "abcde":
            last = Thing(name, value=last.handle if last else 1)
    """)
    run = world.destroy()
    assert run.cloud_calls == [f"Delete {name}" for name in "edcba"], run
    assert run.steps[:5] == [f"delete {name}" for name in "edcba"]


def test_an_end_that_fails_keeps_what_is_left(world: World) -> None:
    """What the undeleted resource stands on is not touched (performPostSteps)."""
    world.good_up(DIAMOND)
    world.cloud.refuse("Delete left")
    run = world.destroy()
    assert not run.ok
    assert "the cloud refuses" in run.messages
    assert sorted(run.cloud_calls) == ["Delete bottom", "Delete left", "Delete right"]
    assert world.names() == ["top", "left"]
    world.cloud.release()
    assert world.destroy().cloud_calls == ["Delete left", "Delete top"]
    assert world.cloud.ids() == []
