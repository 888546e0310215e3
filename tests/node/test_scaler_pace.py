"""When the scaler acts, by a clock that the test turns on; the reckoning is Dask's own."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from tests.node.scaling import decisions, group
from tests.node.simulation import FakeFleet, Task

if TYPE_CHECKING:
    import pytest

    from dask_node.fleet import Group


def ready(facts: Group) -> FakeFleet:
    """A fleet whose places are all registered, long after they started; at second 1,000."""
    fleet = FakeFleet(facts)
    fleet.tick(0)
    fleet.register(facts.name)
    fleet.tick(1)
    return fleet


def test_a_group_shrinks_at_the_third_look_in_a_row() -> None:
    fleet = ready(group(workers=3, most=8))
    fleet.groups["worker"] = group(workers=1, most=8)
    assert [fleet.tick(1000), fleet.tick(1001)] == [[], []]
    fleet.scheduler.ask(fleet.groups["worker"], 30)  # wanted after all
    assert fleet.tick(1002) == [("start", "worker", 3)]
    fleet.scheduler.queued.clear()
    fleet.register("worker")
    later = [fleet.tick(2000 + n) for n in range(3)]
    assert [len(calls) for calls in later] == [0, 0, 1]
    [(what, _, places)] = later[2]
    assert (what, len(places)) == ("stop", 5)


def test_a_group_does_not_shrink_right_after_it_grew() -> None:
    fleet = ready(group(workers=1, most=8))
    fleet.scheduler.ask(fleet.groups["worker"], 20)
    assert fleet.tick(1000) == [("start", "worker", 3)]
    fleet.register("worker")
    fleet.scheduler.queued.clear()
    assert [fleet.tick(1000 + n) for n in range(1, 10)] == [[]] * 9
    assert [what for what, *_ in fleet.tick(1010)] == ["stop"]


def test_places_that_fail_are_named_and_the_next_start_waits_longer_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fleet = FakeFleet(group(workers=2, most=4))
    starts: list[int] = []
    now = 0
    while len(starts) < 8:
        for _ in fleet.tick(now):
            starts.append(now)
            for place in sorted(fleet.running["worker"]):
                fleet.fail("worker", place)
        now += 1
    waits = [later - earlier for earlier, later in pairwise(starts)]
    # A second until it is seen, then 30 s, doubled up to 10 minutes.
    assert waits == [31, 61, 121, 241, 481, 601, 601]
    failures = [said for said in decisions(caplog) if "did not start" in said]
    assert failures[0] == (
        "Group worker: did not start: worker-1, worker-2. The next start waits 30 s"
    )
    assert len(failures) == 7
    fleet.tick(now)
    for place in sorted(fleet.failed["worker"]):  # what was wrong is mended, by hand
        fleet.failed["worker"].discard(place)
        fleet.running["worker"].add(place)
    fleet.register("worker")
    fleet.scheduler.ask(fleet.groups["worker"], 20)
    assert fleet.tick(now + 1) == [("start", "worker", 2)]


def test_a_place_that_never_registers_is_named_and_is_the_first_to_go(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fleet = FakeFleet(group(workers=3, most=3))
    fleet.tick(0)
    fleet.register("worker", "worker-1")
    fleet.groups["worker"] = group(workers=2, most=3)
    assert [fleet.tick(now) for now in range(1, 301)] == [[]] * 300
    assert decisions(caplog)[1:] == []
    assert fleet.tick(302) == [("stop", "worker", ["worker-2"])]
    failure, decision = decisions(caplog)[1:]
    assert failure == "Group worker: did not start: worker-2, worker-3. The next start waits 30 s"
    assert decision == (
        "Group worker: 3 -> 2 workers (Dask wants 0; at least 2, at most 3; 2 pending): "
        "worker-2 can go"
    )


def test_nothing_is_stopped_while_a_place_starts() -> None:
    fleet = ready(group(workers=3, most=8))
    fleet.groups["worker"] = group(workers=1, most=8)
    fleet.running["worker"].add("worker-9")
    assert [fleet.tick(now) for now in range(1000, 1020)] == [[]] * 20
    fleet.register("worker")
    [(what, _, places)] = fleet.tick(1020)
    assert (what, len(places)) == ("stop", 3)


def test_a_place_whose_task_has_gone_its_own_way_stays() -> None:
    """Dask leaves out single workers with such tasks, not their places."""
    fleet = ready(group(workers=3, most=3, processes=2))
    workers = fleet.scheduler.workers
    for name in ("worker-1-0", "worker-2-0"):
        task = Task("worker", {})
        workers[name].processing.add(task)
        workers[name].long_running = frozenset({task})
    fleet.groups["worker"] = group(workers=1, most=3, processes=2)
    assert [fleet.tick(1000), fleet.tick(1001)] == [[], []]
    assert fleet.tick(1002) == [("stop", "worker", ["worker-3"])]


def test_a_place_that_drains_by_itself_is_not_chosen() -> None:
    fleet = ready(group(workers=3, most=3))
    fleet.scheduler.drains.going = {"worker-1-0": "its lifetime is over"}
    fleet.groups["worker"] = group(workers=1, most=3)
    assert [fleet.tick(1000), fleet.tick(1001)] == [[], []]
    [(what, _, [place])] = fleet.tick(1002)
    assert (what, place in {"worker-2", "worker-3"}) == ("stop", True)


def test_groups_take_turns() -> None:
    fleet = FakeFleet(group(workers=1, most=9), group("gpu", 1, 9, resources={"GPU": 1}))
    did = []
    for now in range(6):  # more is wanted at each look
        fleet.scheduler.ask(fleet.groups["worker"], 5)
        fleet.scheduler.ask(fleet.groups["gpu"], 5)
        did.append([name for _, name, _ in fleet.tick(now)])
    assert did == [["worker"], ["gpu"]] * 3


def test_places_that_end_count_up_to_the_limit() -> None:
    fleet = ready(group(workers=4, most=4))
    fleet.stopping["worker"] = {"worker-1", "worker-2"}
    fleet.running["worker"] -= fleet.stopping["worker"]
    assert fleet.tick(1000) == []
    fleet.end("worker", "worker-1")
    assert fleet.tick(1001) == [("start", "worker", 1)]


def test_above_a_lowered_limit_nothing_starts_and_nothing_is_taken_twice() -> None:
    fleet = ready(group(workers=4, most=4))
    for worker in fleet.scheduler.workers.values():
        worker.processing.update(_tasks(fleet, 5))
    fleet.groups["worker"] = group(workers=1, most=2)
    assert [fleet.tick(now) for now in range(1000, 1020)] == [[]] * 20


def _tasks(fleet: FakeFleet, count: int) -> list[object]:
    fleet.scheduler.ask(fleet.groups["worker"], count)
    tasks = list(fleet.scheduler.queued)
    fleet.scheduler.queued.clear()
    return tasks


def test_the_time_without_work_counts_from_the_start_of_the_places() -> None:
    fleet = FakeFleet(group(workers=1), idle_stop=100)
    described = []
    for now in range(1000):
        if now == 500:  # somebody starts one
            fleet.running["worker"] = {"worker-1"}
        if now == 550:  # and has it work for a moment between two looks
            fleet.scheduler.transition_counter += 1
        if fleet.tick(now):
            break
        described.append(fleet.scaler.describe()["stops_in"])
    assert now == 650
    # None when nothing counts: before there is anything to stop, and at each sign of work.
    assert described[:501] == [None] * 500 + [99]
    assert described[549:552] == [50, None, 99]


def test_a_group_that_still_ends_is_woken_as_a_whole() -> None:
    """By a scheduler that was started anew in the middle of an idle stop."""
    fleet = FakeFleet(group(workers=2), idle_stop=100)
    fleet.stopping["worker"] = {"worker-1"}
    fleet.scheduler.ask(fleet.groups["worker"], 5)
    assert [fleet.tick(0), fleet.tick(1)] == [[], []]
    fleet.end("worker", "worker-1")
    assert [fleet.tick(2), fleet.tick(3)] == [[("start", "worker", 2)], []]
