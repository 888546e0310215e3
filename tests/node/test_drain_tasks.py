"""What a worker runs when it ends: finished where there is time, and nothing runs twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import dask.config
import dask.dataframe as dd
import pandas as pd
from dask.distributed import secede
from distributed.core import Status

from dask_node.drain.worker import STOPPED_OPERATION
from tests.node.draining import GATES, RUNS, Lab, in_lab, until, work

if TYPE_CHECKING:
    from collections.abc import Collection


@in_lab("a", "b")
async def test_a_running_task_may_finish_and_its_result_is_kept(lab: Lab) -> None:
    [future] = await lab.compute("a", range(1), "gate")
    await lab.begun("gate")
    drain = asyncio.create_task(lab.drain("a", seconds=60))
    await until(lambda: lab.workers["a"].status is Status.closing_gracefully, "the pause")
    GATES["gate"].set()
    assert (await drain)["keys"] == 1
    assert await future == 0
    assert RUNS == {0: 1}
    assert lab.holds("b") == {"work-0"}
    assert "interrupted_tasks" not in lab.counted()


@in_lab("a", "b")
async def test_a_task_that_takes_too_long_starts_again_elsewhere_and_only_that(lab: Lab) -> None:
    finished = await lab.finished("a", range(1, 20))
    [slow] = await lab.compute("a", range(1), "gate")
    await lab.begun("gate")
    GATES["gate begun"].clear()
    answer = await lab.drains.drain(["a"], 2, "test")
    assert (answer["keys"], answer["lost"]) == (19, 0)
    await lab.begun("gate")  # elsewhere
    GATES["gate"].set()
    await lab.end("a")
    assert await slow == 0
    assert await lab.client.gather(finished) == list(range(1, 20))
    expected = {0: 2} | dict.fromkeys(range(1, 20), 1)
    assert expected == RUNS
    assert lab.state(0).suspicious == 0
    assert lab.counted()["interrupted_tasks"] == 1
    assert lab.said("ends with") == (
        "WARNING a ends with 1 running tasks, which start again elsewhere: work-0"
    )


@in_lab("a", "b")
async def test_what_has_not_begun_is_given_away_at_once_and_runs_once(lab: Lab) -> None:
    running = await lab.compute("a", range(1), "gate")
    await lab.begun("gate")
    waiting = await lab.compute("a", range(1, 50))
    state = lab.scheduler.workers[lab.workers["a"].address]
    await until(lambda: len(state.processing) == 50, "the tasks on their worker")
    drain = asyncio.create_task(lab.drain("a", seconds=60))
    assert await lab.client.gather(waiting) == list(range(1, 50))
    assert not drain.done()
    assert lab.workers["a"].address in lab.scheduler.workers
    GATES["gate"].set()
    await drain
    assert await lab.client.gather(running) == [0]
    assert set(RUNS.values()) == {1}


@in_lab("a", "b")
async def test_a_task_that_ends_as_its_worker_is_paused_does_not_run_again(lab: Lab) -> None:
    """Its result is on its way while the worker says that it runs no more."""
    futures = await lab.compute("a", range(200))
    await until(lambda: len(RUNS) > 20, "tasks that finish one after the other")
    await lab.drain("a")
    assert await lab.client.gather(futures) == list(range(200))
    assert set(RUNS.values()) == {1}


@in_lab("a", "b")
async def test_a_result_whose_report_is_under_way_is_waited_for(lab: Lab) -> None:
    """The same in slow motion: the worker's stream is held up, its other connections are not."""
    [future] = await lab.compute("a", range(1), "gate")
    await lab.begun("gate")
    stream: Any = lab.workers["a"].batched_stream
    held: list[Any] = []
    send, stream.send = stream.send, lambda *messages: held.extend(messages)
    GATES["gate"].set()
    await until(lambda: any(m["op"] == "task-finished" for m in held), "the result")
    drain = asyncio.create_task(lab.drain("a", seconds=60))
    await asyncio.sleep(0.5)
    assert lab.state(0).state == "processing"
    stream.send = send
    send(*held)
    await drain
    assert await future == 0
    assert RUNS == {0: 1}


@in_lab("a", "b")
async def test_a_result_that_arrives_while_data_is_moved_is_moved_too(lab: Lab) -> None:
    finished = await lab.finished("a", range(1, 5))
    [slow] = await lab.compute("a", range(1), "gate")
    await lab.begun("gate")
    answer = lab.workers["a"].handlers["get_data"]

    async def then(comm: Any, **what: Any) -> Any:  # noqa: ANN401
        GATES["gate"].set()
        await until(lambda: lab.state(0).state == "memory", "the result")
        return await answer(comm, **what)

    lab.workers["a"].handlers["get_data"] = then
    drained = await lab.drain("a", seconds=3)
    assert (drained["keys"], drained["lost"]) == (5, 0)
    assert await lab.client.gather([slow, *finished]) == list(range(5))
    assert set(RUNS.values()) == {1}
    assert "interrupted_tasks" not in lab.counted()


@in_lab("a", "b")
async def test_the_last_look_and_the_end_are_one(lab: Lab) -> None:
    """A result may arrive at any moment; not between the two."""
    [slow] = await lab.compute("a", range(1), "gate")
    await lab.begun("gate")
    look = lab.drains.at_risk

    def looked(workers: Any) -> Any:  # noqa: ANN401
        found = look(workers)
        if lab.drains.going and lab.drains.going["a"].phase == "handing over data":
            # What the scheduler is told from here on comes after the worker's end.
            asyncio.get_running_loop().call_soon(lambda: seen.append(len(lab.scheduler.workers)))
        return found

    seen: list[int] = []
    lab.drains.at_risk = looked  # type: ignore[method-assign]
    await lab.drain("a", seconds=1)
    await asyncio.sleep(0)
    GATES["gate"].set()
    assert seen == [1]
    assert await slow == 0


@in_lab("a", "b")
async def test_a_task_that_is_stolen_for_a_leaving_worker_goes_back(lab: Lab) -> None:
    [running] = await lab.compute("a", range(1), "gate")
    await lab.begun("gate")
    drain = asyncio.create_task(lab.drain("a", seconds=60))
    await until(lambda: bool(lab.drains.going), "the drain")
    await asyncio.sleep(0.5)
    [late] = await lab.compute("b", range(1, 2), "other gate")
    await lab.begun("other gate")
    # What the scheduler does when a victim confirms (`WorkStealing.move_task_confirm`).
    [waiting] = await lab.compute("b", range(2, 3))
    await until(lambda: "work-2" in lab.workers["b"].state.tasks, "the victim to have it")
    task = lab.state(2)
    victim, thief = task.processing_on, lab.scheduler.workers[lab.workers["a"].address]
    lab.scheduler.worker_send(
        victim.address, {"op": "free-keys", "keys": ["work-2"], "stimulus_id": "steal"}
    )
    task.processing_on = thief
    victim.remove_from_processing(task)
    thief.add_to_processing(task)
    lab.scheduler.send_task_to_worker(thief.address, task)
    await until(lambda: "work-2" not in lab.workers["b"].state.tasks, "the victim to forget it")
    GATES["other gate"].set()
    assert await waiting == 2
    assert not drain.done()
    GATES["gate"].set()
    await drain
    assert await lab.client.gather([running, late]) == [0, 1]
    assert set(RUNS.values()) == {1}


@in_lab("a", "b")
async def test_a_task_that_has_seceded_is_waited_for(lab: Lab) -> None:
    def seceded() -> int:
        secede()
        return work(0, "gate")

    future = lab.client.submit(seceded, workers=["a"], allow_other_workers=True)
    await lab.begun("gate")
    drain = asyncio.create_task(lab.drain("a", seconds=60))
    await asyncio.sleep(0.5)
    assert not drain.done()
    GATES["gate"].set()
    await drain
    assert await future == 0
    assert RUNS == {0: 1}


def _partition(number: int) -> pd.DataFrame:
    work(number, "" if number else "gate")
    return pd.DataFrame({"key": range(number, 1000, 7), "value": number})


def _merge() -> Any:  # noqa: ANN401  # a dask collection
    with dask.config.set({"dataframe.shuffle.method": "p2p", "dataframe.convert-string": False}):
        left = dd.from_map(_partition, range(7), meta=pd.DataFrame({"key": [0], "value": [0]}))
        right = dd.from_pandas(pd.DataFrame({"key": range(1000), "other": range(1000)}), 5)
        return left.merge(right, on="key", how="inner")[["key", "other"]].sum().optimize()


TOTAL = {"key": 499500, "other": 499500}


@in_lab("a", "b", "c")
async def test_a_shuffle_begins_again_once_for_each_worker_of_it_that_ends(lab: Lab) -> None:
    merged = lab.client.compute(_merge())
    plugin: Any = lab.scheduler.plugins["shuffle"]
    await until(lambda: len(plugin.active_shuffles) == 2, "both sides of the merge")
    await lab.begun("gate")
    busy = next(n for n, w in lab.workers.items() if w.state.executing)
    first, second = lab.workers.keys() - {busy}
    await lab.drain(first)
    assert lab.counted()["shuffle_restarts"] == 2
    GATES["gate"].set()
    assert (await merged).to_dict() == TOTAL
    await lab.drain(second)  # when all is done, nothing begins again
    assert lab.counted()["shuffle_restarts"] == 2
    assert lab.scheduler.tasks
    assert "lost_keys computed" not in lab.counted()


@in_lab("a", "b")
async def test_a_barrier_that_has_not_begun_does_not_stop_its_shuffle(lab: Lab) -> None:
    """Released without its worker's end, it would never be reached again."""
    keys: list[Any] = []
    free = asyncio.Event()

    async def held(**what: Any) -> Any:  # noqa: ANN401
        keys.append(what["id"])
        await free.wait()
        await barrier(**what)

    GATES["gate"].set()
    barrier = lab.scheduler.handlers["shuffle_barrier"]
    lab.scheduler.handlers["shuffle_barrier"] = held
    merged = lab.client.compute(_merge())
    await until(lambda: len(keys) > 0, "a barrier")
    lab.scheduler.handlers["shuffle_barrier"] = barrier
    name = next(
        n
        for n, w in lab.workers.items()
        if any("barrier" in str(task.key) for task in w.state.executing)
    )
    worker: Any = lab.workers[name]
    send = worker.batched_send

    def as_if_waiting(message: dict[str, Collection[Any]]) -> None:
        if message["op"] == STOPPED_OPERATION:
            message["running"] = []
        send(message)

    worker.batched_send = as_if_waiting
    await lab.drains.drain([name], 2, "test")
    free.set()
    await lab.end(name)
    assert (await merged).to_dict() == TOTAL
