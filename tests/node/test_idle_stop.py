"""A fleet that nobody wants stops, and only then: real workers in this process."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from distributed import Client, Queue, Scheduler, Variable, fire_and_forget, get_client

from dask_node import metrics
from tests.node.scaling import (
    GATE,
    WorkerFleet,
    connected,
    decisions,
    group,
    until,
    work,
)
from tests.node.stopping import LIMIT, STOP_ALL, idle, no_client, on, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from prometheus_client import Counter


def value(counter: Counter) -> float:
    [family] = counter.collect()
    return sum(s.value for s in family.samples if s.name.endswith("_total"))


async def well_past_the_limit() -> None:
    await asyncio.sleep(LIMIT * 3)


def test_an_idle_fleet_stops_in_all_groups(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fleet() -> WorkerFleet:
        return WorkerFleet(group(workers=2), group("gpu", 1, 3), idle_stop=LIMIT)

    async def act(fleet: WorkerFleet, scheduler: Scheduler) -> None:
        async with connected(scheduler):  # a client that wants nothing is no reason to stay
            await fleet.registered(0)
            await until(lambda: not fleet.there(), "the end of all places")
            await fleet.settle()
        assert sorted(fleet.calls) == [("stop", "gpu", ["gpu-0"]), *STOP_ALL]
        assert fleet.reasons == {"idle stop"}
        assert scheduler.extensions["dask_cluster_drain"].dropping == ""
        why = "no work and nobody who held a result for 0.2 s"
        assert told(scheduler)["stopped"] == f"idle stop: {why}"
        assert told(scheduler)["stops_in"] is None
        assert told(scheduler)["groups"]["gpu"] == {
            "wanted": 0,
            "running": 0,
            "pending": 0,
            "stopping": 0,
            "limit": 3,
            "workers": 1,
            "scaled": True,
        }
        said = f"Idle stop: {why}. Stopping all 3 workers; 0 results of 0 bytes are dropped"
        assert decisions(caplog)[1:] == [said]  # the first is about the places it started

    on(fleet, monkeypatch, act)


@asynccontextmanager
async def a_result(client: Client) -> AsyncIterator[None]:
    future = client.submit(abs, -1)
    assert await future == 1
    yield
    future.release()


@asynccontextmanager
async def a_dataset(client: Client) -> AsyncIterator[None]:
    future = client.submit(abs, -1)
    await client.publish_dataset(future, name="numbers")
    future.release()
    yield
    await client.unpublish_dataset("numbers")


@asynccontextmanager
async def a_variable(client: Client) -> AsyncIterator[None]:
    variable = Variable("number", client=client)
    future = client.submit(abs, -1)
    await future
    await variable.set(future)
    future.release()
    yield
    variable.delete()


@asynccontextmanager
async def a_queue(client: Client) -> AsyncIterator[None]:
    queue = await Queue("numbers", client=client)
    future = client.submit(abs, -1)
    await future
    await queue.put(future)
    future.release()
    yield
    (await queue.get()).release()


@asynccontextmanager
async def running_work(client: Client) -> AsyncIterator[None]:
    fire_and_forget(client.submit(work, 1))
    yield
    GATE.set()


@asynccontextmanager
async def waiting_work(client: Client) -> AsyncIterator[None]:
    future = client.submit(work, 1, resources={"GPU": 1})
    fire_and_forget(future)
    yield
    await client.cancel(future, force=True)


@pytest.mark.parametrize(
    "holding", [a_result, a_dataset, a_variable, a_queue, running_work, waiting_work]
)
def test_an_idle_stop_waits_for_whoever_wants_something(
    holding: Callable[[Client], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(fleet: WorkerFleet, scheduler: Scheduler) -> None:
        async with connected(scheduler) as client:
            async with holding(client):
                fleet.armed = True
                await well_past_the_limit()
                assert fleet.calls == []
                assert told(scheduler)["stops_in"] is None
            await until(lambda: fleet.calls, "the stop")
            assert fleet.calls == STOP_ALL

    on(idle, monkeypatch, act, armed=False)


def test_without_a_client_what_is_published_goes_and_is_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(fleet: WorkerFleet, scheduler: Scheduler) -> None:
        dropped, lost = value(metrics.DROPPED_KEYS), value(metrics.LOST_KEYS)
        async with connected(scheduler) as client:
            futures = await client.scatter([b"x" * 1000, b"y" * 1000])
            await client.publish_dataset(futures, name="letters")
            size = sum(task.nbytes for task in scheduler.tasks.values())
            fleet.armed = True
            await well_past_the_limit()
            assert fleet.calls == []
        await until(lambda: not fleet.there(), "the end of all places")
        await fleet.settle()
        assert fleet.calls == STOP_ALL
        why = "no work and no client for 0.2 s"
        assert (
            f"Idle stop: {why}. Stopping all 2 workers; 2 results of {size} bytes are dropped"
            in (decisions(caplog))
        )
        assert "LOST" not in caplog.text
        assert value(metrics.DROPPED_KEYS) == dropped + 2
        assert value(metrics.LOST_KEYS) == lost

    on(no_client, monkeypatch, act, armed=False)


def test_work_that_outlives_its_client_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(fleet: WorkerFleet, scheduler: Scheduler) -> None:
        async with connected(scheduler) as client:
            fire_and_forget(client.submit(work, 1))
            await until(lambda: scheduler.tasks, "the task")
        fleet.armed = True
        await well_past_the_limit()
        assert fleet.calls == []
        GATE.set()
        await until(lambda: fleet.calls, "the stop")
        assert fleet.calls == STOP_ALL

    on(no_client, monkeypatch, act, armed=False)


def test_what_was_fired_and_forgotten_is_held_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(fleet: WorkerFleet, scheduler: Scheduler) -> None:
        async with connected(scheduler) as client:
            future = client.submit(abs, -1)
            assert await future == 1
            fire_and_forget(future)
            future.release()
            await until(lambda: not client.futures, "the release")
            fleet.armed = True
            await until(lambda: fleet.calls, "the stop")
        assert scheduler.tasks  # Dask would keep it for ever

    on(idle, monkeypatch, act, armed=False)


def test_a_call_that_waits_for_a_worker_is_work(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(fleet: WorkerFleet, scheduler: Scheduler) -> None:
        fleet.opened.clear()
        fleet.bring("worker", 1)
        async with connected(scheduler) as client:
            scattering = asyncio.create_task(client.scatter([b"data"]))
            await until(lambda: scheduler.extensions["dask_cluster_scaler"].callers.waiting, "it")
            fleet.armed = True
            await well_past_the_limit()
            assert fleet.calls == []
            fleet.opened.set()
            [future] = await scattering
            assert await future == b"data"

    on(lambda: WorkerFleet(group(), idle_stop=LIMIT), monkeypatch, act, armed=False)


def _ask_for_more() -> int:
    return int(get_client().submit(abs, -7).result())


def test_a_client_inside_a_worker_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(fleet: WorkerFleet, scheduler: Scheduler) -> None:
        async with connected(scheduler) as client:
            assert await client.submit(_ask_for_more) == 7
            fleet.armed = True
        await until(lambda: not fleet.there(), "the end of all places")
        assert fleet.calls == STOP_ALL

    on(no_client, monkeypatch, act, armed=False)


def test_a_place_that_has_not_registered_is_stopped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(fleet: WorkerFleet, scheduler: Scheduler) -> None:
        fleet.opened.clear()
        fleet.bring("worker", 1)
        fleet.armed = True
        await until(lambda: not fleet.there(), "the end of all places")
        assert fleet.calls == [("stop", "worker", ["worker-0", "worker-1", "worker-2"])]
        assert scheduler.workers == {}

    on(idle, monkeypatch, act, armed=False)
