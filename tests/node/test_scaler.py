"""Work starts places, and its end stops them: a real scheduler and real workers in this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from distributed import Scheduler

from tests.node.scaling import (
    GATE,
    WorkerFleet,
    connected,
    decisions,
    group,
    resource_work,
    scaling,
    scheduling,
    until,
    work,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    import pytest
    from distributed import Client


def on(
    fleet: Callable[[], WorkerFleet],
    patch: pytest.MonkeyPatch,
    act: Callable[[WorkerFleet, Scheduler, Client], Coroutine[Any, Any, None]],
    **config: object,
) -> None:
    async def run() -> None:
        made = fleet()
        async with scaling(made, patch, **config) as (scheduler, client):
            await act(made, scheduler, client)

    asyncio.run(run())


def test_work_starts_as_many_places_as_dask_wants(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(fleet: WorkerFleet, scheduler: Scheduler, client: Client) -> None:
        await fleet.registered(1)
        futures = client.map(work, range(20))
        await fleet.registered(4)  # 20 tasks of 1000 s in 5000 s
        await fleet.settle()
        assert fleet.calls == [("start", "worker", 1), ("start", "worker", 3)]
        assert scheduler.adaptive_target() == 4
        assert scheduler.extensions["dask_cluster_scaler"].describe() == {
            "groups": {
                "worker": {
                    "wanted": 4,
                    "running": 4,
                    "pending": 0,
                    "stopping": 0,
                    "limit": 8,
                    "workers": 1,
                    "scaled": True,
                }
            },
            "stopped": None,
            "stops_in": None,
        }
        assert decisions(caplog) == [
            "Group worker: 0 -> 1 workers (Dask wants 0; at least 1, at most 8; 0 pending)",
            "Group worker: 1 -> 4 workers (Dask wants 4; at least 1, at most 8; 0 pending)",
        ]
        GATE.set()
        assert await client.gather(futures) == list(range(20))

    on(lambda: WorkerFleet(group(workers=1, most=8)), monkeypatch, act)


def test_never_more_than_the_file_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(fleet: WorkerFleet, scheduler: Scheduler, client: Client) -> None:
        futures = client.map(work, range(100))
        await fleet.registered(3)
        await fleet.settle()
        described = scheduler.extensions["dask_cluster_scaler"].describe()
        assert described["groups"]["worker"]["wanted"] == 3
        fleet.groups["worker"] = group(workers=1, most=5)  # somebody edits the file
        await fleet.registered(5)
        await fleet.settle()
        assert sum(call[2] for call in fleet.calls if call[0] == "start") == 5
        assert {call[0] for call in fleet.calls} == {"start"}
        await client.cancel(futures)

    on(lambda: WorkerFleet(group(workers=1, most=3)), monkeypatch, act)


def test_the_first_places_of_many_threads_are_not_asked_for_thread_by_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def act(fleet: WorkerFleet, _: Scheduler, client: Client) -> None:
        futures = client.map(work, range(40))  # Dask wants 8 threads
        await fleet.registered(2)
        await fleet.settle()
        assert fleet.calls == [("start", "worker", 1)]
        await client.cancel(futures)

    on(lambda: WorkerFleet(group(most=8, threads=4, processes=2)), monkeypatch, act)


def test_each_task_asks_for_its_own_group(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(fleet: WorkerFleet, _: Scheduler, client: Client) -> None:
        gpu = client.map(resource_work, range(10), resources={"GPU": 1})
        await fleet.registered(3)
        await fleet.settle()
        assert fleet.names() == ["gpu-0-0", "gpu-1-0", "worker-0-0"]
        assert {call[:2] for call in fleet.calls} == {("start", "worker"), ("start", "gpu")}
        fleet.calls.clear()
        # Most of these are given to the workers with a GPU, which are three of four by then.
        plain = client.map(work, range(20))
        await until(lambda: fleet.calls, "more plain workers")
        await fleet.settle()
        assert {call[:2] for call in fleet.calls} == {("start", "worker")}
        await client.cancel(gpu + plain)

    groups = (group(workers=1, most=8), group("gpu", most=8, resources={"GPU": 1}))
    on(lambda: WorkerFleet(*groups), monkeypatch, act)


def test_plain_work_that_waits_on_other_workers_asks_for_plain_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def act(fleet: WorkerFleet, _: Scheduler, client: Client) -> None:
        await fleet.registered(1)
        fleet.calls.clear()
        # Without the queue all of it is given to the only worker at once.
        futures = client.map(work, range(20))
        await until(lambda: fleet.calls, "a plain worker")
        await fleet.settle()
        assert {call[:2] for call in fleet.calls} == {("start", "worker")}
        await client.cancel(futures)

    groups = (group(most=8), group("gpu", workers=1, most=8, resources={"GPU": 1}))
    saturation = {"distributed.scheduler.worker-saturation": float("inf")}
    on(lambda: WorkerFleet(*groups), monkeypatch, act, **saturation)


def test_what_no_group_can_run_is_said_once_and_asks_for_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(fleet: WorkerFleet, _: Scheduler, client: Client) -> None:
        futures = [
            client.submit(work, 1, key="two", resources={"GPU": 2}),
            client.submit(work, 2, key="two-again", resources={"GPU": 2}),
            client.submit(work, 3, key="both", resources={"GPU": 1, "BIG": 1}),
            client.submit(work, 4, key="elsewhere", workers=["10.1.2.3"]),
        ]
        await until(lambda: len(decisions(caplog)) == 2, "two warnings")
        alike = "like it can run on no worker"
        await fleet.settle()
        assert decisions(caplog) == [
            f"two and others {alike}: GPU: 2 needed, a worker process offers 1 at most",
            f"both and others {alike}: no group offers all of them together",
        ]
        assert fleet.calls == []
        await client.cancel(futures)

    groups = (group(most=8, resources={"BIG": 1}), group("gpu", most=8, resources={"GPU": 1}))
    on(lambda: WorkerFleet(*groups), monkeypatch, act)


def test_only_whole_places_without_data_go(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(fleet: WorkerFleet, scheduler: Scheduler, client: Client) -> None:
        await fleet.registered(8)
        fleet.calls.clear()
        holder = scheduler.workers[scheduler.aliases["worker-1-1"]]
        kept = await client.scatter(b"x" * 2**20, workers=[holder.address])
        fleet.groups["worker"] = group(workers=1, most=8, processes=2)
        await fleet.registered(2)
        await fleet.settle()
        assert fleet.names() == ["worker-1-0", "worker-1-1"]
        assert holder.has_what == {scheduler.tasks[kept.key]}  # it did not have to move
        [(what, name, places)] = fleet.calls
        assert (what, name, places) == ("stop", "worker", ["worker-0", "worker-2", "worker-3"])
        assert fleet.reasons == {"scale-in"}
        assert "Draining worker-0-0, worker-0-1: scale-in" in caplog.text
        assert "LOST" not in caplog.text
        assert scheduler.extensions["dask_cluster_drain"].reasons == {}

    on(lambda: WorkerFleet(group(workers=4, most=8, processes=2)), monkeypatch, act)


def test_a_place_with_one_busy_process_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(fleet: WorkerFleet, scheduler: Scheduler, client: Client) -> None:
        await fleet.registered(4)
        fleet.calls.clear()
        addresses = [scheduler.aliases[name] for name in ("worker-0-0", "worker-1-0")]
        futures = [client.submit(work, n, workers=[a]) for n, a in enumerate(addresses)]
        await until(lambda: all(scheduler.workers[a].processing for a in addresses), "both busy")
        fleet.groups["worker"] = group(workers=1, most=4, processes=2)
        await fleet.settle()
        assert fleet.calls == []
        GATE.set()
        assert await client.gather(futures) == [0, 1]
        del futures
        await fleet.registered(2)

    on(lambda: WorkerFleet(group(workers=2, most=4, processes=2)), monkeypatch, act)


def test_nothing_is_stopped_while_places_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(fleet: WorkerFleet, _: Scheduler, client: Client) -> None:
        await fleet.registered(2)
        fleet.opened.clear()
        futures = client.map(work, range(20))
        await until(lambda: len(fleet.calls) == 2, "a start")
        await client.cancel(futures)
        GATE.set()
        del futures
        await fleet.settle()
        # The same demand did not ask twice, and its end stops nothing yet.
        assert fleet.calls == [("start", "worker", 2), ("start", "worker", 2)]
        fleet.opened.set()
        await until(lambda: len(fleet.calls) == 3, "a stop")
        await fleet.registered(2)
        await fleet.settle()
        assert [call[0] for call in fleet.calls] == ["start", "start", "stop"]

    on(lambda: WorkerFleet(group(workers=2, most=4)), monkeypatch, act)


def test_a_fixed_group_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(fleet: WorkerFleet, _: Scheduler, client: Client) -> None:
        fleet.bring("worker", 1)
        futures = client.map(work, range(100))
        await fleet.registered(1)
        await fleet.settle()
        fleet.groups["worker"] = group(workers=0)
        await client.cancel(futures)
        await fleet.settle()
        assert fleet.calls == []

    on(lambda: WorkerFleet(group(workers=3)), monkeypatch, act)


def test_a_fleet_out_of_reach_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        fleet = WorkerFleet(group(workers=1, most=2))
        fleet.broken = ConnectionRefusedError("nobody there")
        async with scheduling(fleet, monkeypatch) as scheduler:
            await fleet.settle()
            fleet.broken = KeyError("a fault")
            await fleet.settle()
            fleet.broken = None
            await fleet.registered(1)
            async with connected(scheduler):
                pass
        seen = fleet.looks
        await asyncio.sleep(fleet.interval * 5)
        assert fleet.looks == seen  # it ended with the scheduler

    asyncio.run(run())
    assert decisions(caplog)[:3] == [
        "The fleet cannot be reached, trying again: ConnectionRefusedError: nobody there",
        "A fault in the scaler, which goes on",
        "Group worker: 0 -> 1 workers (Dask wants 0; at least 1, at most 2; 0 pending)",
    ]
    assert decisions(caplog)[3:] == ["The fleet answers again"]
    assert "Traceback" in caplog.text


def test_no_fleet_no_scaler(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        preloads = ["dask_node.drain", "dask_node.scaler"]
        async with Scheduler(
            protocol="inproc", dashboard_address=":0", preload=preloads
        ) as scheduler:
            assert "dask_cluster_scaler" not in scheduler.extensions

    monkeypatch.delenv("DASK_CLUSTER_FLEET", raising=False)
    asyncio.run(run())
