"""A fleet that was stopped starts when work arrives: real workers in this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.node.scaling import (
    WorkerFleet,
    connected,
    decisions,
    group,
    resource_work,
    scheduling,
    until,
    work,
)
from tests.node.stopping import LIMIT, STOP_ALL, idle, on, told

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from distributed import Client, Scheduler


async def by_submit(client: Client) -> None:
    assert await client.gather(client.map(abs, [-1, -2])) == [1, 2]


async def by_scatter(client: Client) -> None:
    # The client gives up after `timeout`; the scheduler holds the call for longer.
    [future] = await client.scatter([b"data"], timeout=0.01)
    assert await future == b"data"


async def by_direct_scatter(client: Client) -> None:
    [future] = await client.scatter([b"data"], direct=True)
    assert await client.gather(future, direct=False) == b"data"


@pytest.mark.parametrize("arriving", [by_submit, by_scatter, by_direct_scatter])
def test_work_that_arrives_starts_every_group(
    arriving: Callable[[Client], Coroutine[Any, Any, None]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fleet() -> WorkerFleet:
        return WorkerFleet(
            group(workers=2), group("gpu", 1, 3), group("none", 0, 3), idle_stop=LIMIT
        )

    async def act(fleet: WorkerFleet, scheduler: Scheduler) -> None:
        await until(lambda: not fleet.there(), "the end of all places")
        await fleet.settle()
        fleet.calls.clear()
        caplog.clear()
        async with connected(scheduler) as client:
            await arriving(client)
            assert fleet.calls == [("start", "worker", 2), ("start", "gpu", 1)]
            await until(lambda: told(scheduler)["stopped"] is None, "the report")
        [said] = decisions(caplog)
        assert said.endswith(
            "wait for a worker, and none runs. Starting 2 of group worker, 1 of group gpu"
        )
        await until(lambda: not fleet.there(), "the next stop")

    on(fleet, monkeypatch, act)


def test_a_scheduler_that_was_started_anew_wakes_the_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        fleet = idle()
        async with scheduling(fleet, monkeypatch) as scheduler:
            await fleet.settle()
            assert fleet.calls == []  # it does not know why nothing runs, and does not ask
            assert told(scheduler)["stopped"] == "idle stop: workers start when work arrives"
            async with connected(scheduler) as client:
                await by_submit(client)
            assert fleet.calls[0] == ("start", "worker", 2)

    asyncio.run(run())


def test_work_that_needs_more_than_the_least_gets_it_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fleet() -> WorkerFleet:
        return WorkerFleet(group(), group("gpu", 1, 4, resources={"GPU": 1}), idle_stop=LIMIT)

    async def act(fleet: WorkerFleet, scheduler: Scheduler) -> None:
        await until(lambda: not fleet.there(), "the end of all places")
        fleet.calls.clear()
        async with connected(scheduler) as client:
            futures = client.map(resource_work, range(15), resources={"GPU": 1})
            await fleet.registered(3)
            assert fleet.calls == [("start", "gpu", 3)]
            await client.cancel(futures)

    on(fleet, monkeypatch, act)


def test_what_no_group_can_run_wakes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(fleet: WorkerFleet, scheduler: Scheduler) -> None:
        await until(lambda: not fleet.there(), "the end of all places")
        async with connected(scheduler) as client:
            future = client.submit(work, 1, resources={"GPU": 1})
            await until(lambda: scheduler.unrunnable, "the task")
            await fleet.settle()
            assert fleet.calls == STOP_ALL
            await client.cancel(future)

    on(idle, monkeypatch, act)


def test_work_that_arrives_during_a_stop_waits_for_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def act(fleet: WorkerFleet, scheduler: Scheduler) -> None:
        fleet.may_end.clear()
        await until(lambda: fleet.calls, "the stop")
        async with connected(scheduler) as client:
            future = client.submit(abs, -1)
            await until(lambda: scheduler.tasks, "the task")
            await fleet.settle()
            assert fleet.calls == STOP_ALL
            fleet.may_end.set()
            assert await future == 1
            assert fleet.calls == [*STOP_ALL, ("start", "worker", 2)]

    on(idle, monkeypatch, act)


def two_groups() -> WorkerFleet:
    return WorkerFleet(group(workers=2), group("gpu", 1), idle_stop=LIMIT)


def test_a_stop_that_fails_half_way_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(fleet: WorkerFleet, _: Scheduler) -> None:
        fleet.broken_group = "gpu"
        await until(lambda: fleet.there() == ["gpu-0"], "half of the stop")
        await fleet.settle()
        fleet.broken_group = ""
        await until(lambda: not fleet.there(), "the other half")
        await fleet.settle()
        assert fleet.calls == [*STOP_ALL, ("stop", "gpu", ["gpu-0"])]

    on(two_groups, monkeypatch, act)


def test_a_stop_that_fails_half_way_is_taken_back_if_work_comes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(fleet: WorkerFleet, scheduler: Scheduler) -> None:
        fleet.broken_group = "gpu"
        await until(lambda: fleet.there() == ["gpu-0"], "half of the stop")
        async with connected(scheduler) as client:
            future = client.submit(abs, -1)
            assert await future == 1
            await fleet.registered(3)
            fleet.broken_group = ""
            await fleet.settle()
            assert fleet.calls == [*STOP_ALL, ("start", "worker", 2)]
            assert decisions(caplog).count("Idle stop: given up, there is work again") == 1
            drains = scheduler.extensions["dask_cluster_drain"]
            assert (drains.dropping, drains.reasons) == ("", {})

    on(two_groups, monkeypatch, act)


@pytest.mark.parametrize("limit", [LIMIT, None], ids=["another group runs", "no idle stop"])
def test_places_that_a_person_stopped_stay_stopped(
    limit: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fleet() -> WorkerFleet:
        return WorkerFleet(group(workers=0), group("big", 1), idle_stop=limit)

    async def act(fleet: WorkerFleet, scheduler: Scheduler) -> None:
        if limit is None:
            await fleet.end("big-0")
        fleet.groups["worker"] = group(workers=2)
        async with connected(scheduler) as client:
            futures = client.map(work, range(50))
            await until(lambda: len(scheduler.tasks) == 50, "the tasks")
            fleet.armed = True
            await fleet.settle()
            assert fleet.calls == []
            await client.cancel(futures)

    on(fleet, monkeypatch, act, armed=False)
