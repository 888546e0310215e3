"""What a worker holds when it ends: handed over, or lost aloud."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from distributed.core import Status

from tests.node.draining import GATES, RUNS, Actor, Lab, in_lab, until

if TYPE_CHECKING:
    from distributed import Worker


@in_lab("a", "b", "c")
async def test_results_and_scattered_data_go_to_others(lab: Lab) -> None:
    computed = await lab.finished("a", range(20))
    scattered = await lab.client.scatter(list(range(20, 40)), workers=["a"], hash=False)
    answer = await lab.drain("a", reason="a notice")
    assert answer == {"ended": True, "keys": 40, "bytes": answer["bytes"], "lost": 0, "why": ""}
    assert await lab.client.gather(computed + scattered) == list(range(40))
    assert set(RUNS.values()) == {1}
    assert lab.counted() == {
        "drained_workers a notice": 1,
        "drained_keys": 40,
        "drained_bytes": answer["bytes"],
    }
    assert "40 results" in lab.said("INFO Drained a in")


@in_lab("a", "b", "c", "d")
async def test_copies_on_leaving_workers_are_none(lab: Lab) -> None:
    futures = await lab.client.scatter(list(range(50)), workers=["a"], hash=False)
    addresses = [lab.workers[name].address for name in "ab"]
    await lab.client.replicate(futures, workers=addresses)
    assert lab.holds("a") == lab.holds("b")
    place = lab.drain("a", "b")
    answers = await asyncio.gather(place, lab.drain("c"))
    assert [answer["lost"] for answer in answers] == [0, 0]
    assert lab.holds("d") == {future.key for future in futures}
    assert await lab.client.gather(futures) == list(range(50))
    assert "lost_keys scattered" not in lab.counted()


@in_lab("a", "b", "c")
async def test_data_that_went_to_a_worker_that_is_told_next_goes_on(lab: Lab) -> None:
    futures = await lab.client.scatter(list(range(50)), workers=["a"], hash=False)
    first = asyncio.create_task(lab.drain("a"))
    await until(lambda: bool(lab.holds("b")), "data on b")
    await lab.drain("b")
    await first
    assert await lab.client.gather(futures) == list(range(50))
    assert lab.holds("c") == {future.key for future in futures}


@in_lab("a")
async def test_the_last_worker_ends_at_once_and_says_what_is_lost(lab: Lab) -> None:
    held = await lab.finished("a", range(3))
    scattered = await lab.client.scatter([bytes(1000)], workers=["a"], hash=False)
    size = sum(task.nbytes for task in lab.scheduler.tasks.values())
    answer = await lab.drain("a", seconds=600)
    assert answer["ended"]
    assert (answer["keys"], answer["lost"], answer["why"]) == (0, 4, "no other worker is left")
    counted = lab.counted()
    assert counted == {"lost_keys computed": 3, "lost_keys scattered": 1, "drained_workers test": 1}
    line = lab.said("LOST")
    assert line.startswith(f"ERROR LOST with a: 4 results of {size} bytes ({scattered[0].key}, ")
    assert "work-0" in line
    assert line.endswith(
        "1 were scattered and are gone, 3 are computed again, 0 were actors and are gone. "
        "Why: no other worker is left"
    )
    del held


@in_lab("a", "b")
async def test_no_time_at_all_is_a_deadline_too(lab: Lab) -> None:
    [running] = await lab.compute("a", range(1), "gate")
    await lab.begun("gate")
    held = await lab.client.scatter([1], workers=["a"], hash=False)
    answer = await lab.drains.drain(["a"], 0, "test")
    assert (answer["ended"], answer["lost"]) == (True, 1)
    assert answer["why"] == "the deadline of 0 s has passed"
    GATES["gate"].set()
    assert await running == 0
    del held


@in_lab("a", "b")
async def test_paused_peers_are_waited_for_until_the_deadline(lab: Lab) -> None:
    held = await lab.finished("a", range(3))
    await lab.pause("b")
    answer = await lab.drain("a", seconds=2)
    assert (answer["lost"], answer["why"]) == (3, "no other worker has room")
    assert lab.counted()["lost_keys computed"] == 3
    assert lab.said("LOST").endswith("Why: no other worker has room")
    del held


@in_lab("a", "b")
async def test_a_peer_that_has_room_again_takes_the_data(lab: Lab) -> None:
    futures = await lab.finished("a", range(3))
    await lab.pause("b")
    drain = asyncio.create_task(lab.drain("a", seconds=60))
    await until(lambda: any(d.why for d in lab.drains.going.values()), "an attempt")
    assert not drain.done()
    lab.workers["b"].status = Status.running
    assert (await drain)["lost"] == 0
    assert await lab.client.gather(futures) == [0, 1, 2]
    assert set(RUNS.values()) == {1}


@in_lab("a", "b")
async def test_a_transfer_that_is_too_slow_is_cut_off(lab: Lab) -> None:
    futures = await lab.client.scatter(list(range(5)), workers=["a"], hash=False)
    never = _hold_back(lab.workers["a"])
    answer = await lab.drain("a", seconds=1.5)
    assert (answer["keys"], answer["lost"]) == (0, 5)
    assert answer["why"] == "the deadline of 1.5 s has passed"
    assert lab.counted()["lost_keys scattered"] == 5
    never.set()
    del futures


@in_lab("a", "b", "c")
async def test_what_was_moved_before_the_deadline_is_kept(lab: Lab) -> None:
    quick = await lab.client.scatter(list(range(5)), workers=["a"], hash=False)
    slow = await lab.client.scatter(list(range(5, 9)), workers=["b"], hash=False)
    never = _hold_back(lab.workers["b"])
    answer = await lab.drain("a", "b", seconds=3)
    assert (answer["keys"], answer["lost"]) == (5, 4)
    assert await lab.client.gather(quick) == list(range(5))
    assert lab.counted()["drained_keys"] == 5
    never.set()
    del slow


@in_lab("a", "b")
async def test_a_worker_that_stays_after_all_is_left_alone(lab: Lab) -> None:
    held = await lab.client.scatter(list(range(5)), workers=["a"], hash=False)
    never = _hold_back(lab.workers["a"])
    answer = await lab.drain("a", seconds=1.5, must_end=False)
    assert not answer["ended"]
    assert lab.counted() == {}
    assert lab.scheduler.extensions["amm"].policies == _policies(lab)
    never.set()
    state = lab.scheduler.workers[lab.workers["a"].address]
    await until(lambda: state in lab.scheduler.running, "the worker to go on")
    assert await lab.finished("a", range(3))
    del held


def _policies(lab: Lab) -> set[Any]:
    """Return Dask's own policies, of which none empties a worker."""
    every = lab.scheduler.extensions["amm"].policies
    return {policy for policy in every if type(policy).__name__ == "ReduceReplicas"}


@in_lab("a")
async def test_the_last_worker_stays_where_it_may(lab: Lab) -> None:
    held = await lab.finished("a", range(3))
    answer = await lab.drain("a", reason="lifetime", must_end=False)
    assert answer == {
        "ended": False,
        "keys": 0,
        "bytes": 0,
        "lost": 0,
        "why": "no other worker is left",
    }
    assert lab.said("stays") == "WARNING a stays: its data cannot be saved, no other worker is left"
    # It works on, also at what waited meanwhile.
    assert await lab.client.gather(await lab.compute("a", range(3, 6))) == [3, 4, 5]
    assert await lab.client.gather(held) == [0, 1, 2]
    assert set(RUNS.values()) == {1}
    assert lab.counted() == {}


@in_lab("a", "b")
async def test_actors_are_lost_and_nothing_beside_them(lab: Lab) -> None:
    futures = await lab.finished("a", range(20))
    actor = await lab.client.submit(Actor, actor=True, workers=["a"])
    assert await actor.number == 1
    answer = await lab.drain("a")
    assert (answer["lost"], answer["why"]) == (1, "actors cannot be moved")
    assert await lab.client.gather(futures) == list(range(20))
    assert set(RUNS.values()) == {1}
    counted = lab.counted()
    assert counted.pop("drained_bytes") > 0
    assert counted == {"lost_keys actor": 1, "drained_keys": 20, "drained_workers test": 1}
    assert "1 were actors and are gone. Why: actors cannot be moved" in lab.said("LOST with a")


@in_lab("a", "b")
async def test_nothing_is_saved_while_the_fleet_is_stopped_on_purpose(lab: Lab) -> None:
    held = await lab.finished("a", range(3))
    lab.drains.dropping = "idle stop: no work for 5 s"
    lab.drains.reasons["a"] = "idle stop"
    answer = await lab.drain("a", seconds=600, reason="SIGTERM")
    assert (answer["lost"], answer["keys"]) == (0, 0)
    assert lab.counted() == {"dropped_keys": 3, "drained_workers idle stop": 1}
    assert "no work for 5 s" in lab.said("INFO Dropped 3 results with a")
    assert lab.drains.reasons == {}
    del held


def _hold_back(worker: Worker) -> asyncio.Event:
    """Let a worker answer nobody that wants its data until the event is set."""
    event = asyncio.Event()
    answer = worker.handlers["get_data"]

    async def slow(comm: Any, **what: Any) -> Any:  # noqa: ANN401
        await event.wait()
        return await answer(comm, **what)

    worker.handlers["get_data"] = slow
    return event
