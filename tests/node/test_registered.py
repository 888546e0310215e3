"""What the scheduler tells AWS of itself: who has registered, and that it lives."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from distributed import Scheduler, Worker

from dask_node.aws.registered import EXTENSION, Registered
from tests.node.auto_scaling import error
from tests.node.aws_calls import REGION, Calls
from tests.node.scaling import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

INSTANCE, IDENTITY = "i-0123456789abcdef0", "0123456789abcdef"
PRELOAD = ["dask_node.aws.registered"]
LOOK = 0.05


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()
    monkeypatch.setattr("dask_node.aws.registered.client", calls.client)
    monkeypatch.setenv("DASK_CLUSTER_FLEET", f"aws:{REGION}/dev")
    monkeypatch.setenv("DASK_CLUSTER_PLACE", INSTANCE)
    monkeypatch.setenv("DASK_CLUSTER_ENVIRONMENT", IDENTITY)
    return calls


@asynccontextmanager
async def scheduling() -> AsyncIterator[Scheduler]:
    # Loaded again, so that its numbers are those of this test.
    async with Scheduler(
        protocol="inproc", port=0, dashboard_address=":0", preload=PRELOAD
    ) as scheduler:
        ours: Registered = scheduler.extensions[EXTENSION]
        ours.look = LOOK
        yield scheduler


async def bring(
    stack: AsyncExitStack,
    scheduler: Scheduler,
    name: str,
    group: str | None,
    patch: pytest.MonkeyPatch,
) -> Worker:
    """Start a worker, which is closed with the stack: one that is cancelled instead never ends."""
    if group is None:
        patch.delenv("DASK_CLUSTER_GROUP", raising=False)
    else:
        patch.setenv("DASK_CLUSTER_GROUP", group)
    worker = Worker(scheduler.address, name=name, nthreads=1, preload=PRELOAD, dashboard=False)
    return await stack.enter_async_context(worker)


def written(aws: Calls) -> list[dict[str, Any]]:
    return [json.loads(given["Value"]) for given in aws.of("PutParameter")]


def test_places_are_counted_and_written_when_they_change(
    aws: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with scheduling() as scheduler, AsyncExitStack() as stack:
            await until(lambda: written(aws), "the first word")
            workers = [
                await bring(stack, scheduler, name, group, monkeypatch)
                # Two processes of one instance, an instance of each of two groups, and a
                # worker that somebody started by hand.
                for name, group in (
                    ("i-1-0", "worker"),
                    ("i-1-1", "worker"),
                    ("i-2-0", "worker"),
                    ("i-3-0", "gpu"),
                    ("mine", None),
                )
            ]
            await until(lambda: written(aws)[-1]["workers"] == {"gpu": 1, "worker": 2}, "all")
            seen = len(written(aws))
            await asyncio.sleep(10 * LOOK)
            assert len(written(aws)) == seen  # nothing has changed
            await workers[2].close()
            await until(lambda: written(aws)[-1]["workers"] == {"gpu": 1, "worker": 1}, "the end")

    asyncio.run(run())
    first, *_, last = written(aws)
    assert first["workers"] == {}
    assert (first["scheduler"], first["environment"]) == (INSTANCE, IDENTITY)
    assert first["started"] == last["started"] <= first["at"] <= last["at"]
    assert datetime.fromisoformat(first["at"]).utcoffset() is not None
    assert set(first) == {"scheduler", "environment", "started", "workers", "at"}
    for given in aws.of("PutParameter"):
        assert given["Name"] == "/dask-cluster/dev/registered"
        assert given["Overwrite"] is True


def test_a_heartbeat_is_sent_once_a_minute(aws: Calls) -> None:
    async def run() -> None:
        async with scheduling() as scheduler:
            await until(lambda: aws.of("PutMetricData"), "a heartbeat")
            await asyncio.sleep(10 * LOOK)
            assert len(aws.of("PutMetricData")) == 1
            scheduler.extensions[EXTENSION].beat = 4 * LOOK
            await until(lambda: len(aws.of("PutMetricData")) == 3, "more heartbeats")

    asyncio.run(run())
    metric = {
        "MetricName": "Heartbeat",
        "Dimensions": [{"Name": "Cluster", "Value": "dev"}],
        "Value": 1.0,
    }
    given = aws.of("PutMetricData")[0]
    assert given == {"Namespace": "DaskCluster", "MetricData": [metric]}


def test_it_ends_with_the_scheduler(aws: Calls) -> None:
    async def run() -> None:
        async with scheduling() as scheduler:
            ours: Registered = scheduler.extensions[EXTENSION]
            ours.beat = 0.0
            await until(lambda: len(aws.of("PutMetricData")) > 2, "heartbeats")
        seen = len(aws.made)
        await asyncio.sleep(5 * LOOK)
        assert len(aws.made) == seen

    asyncio.run(run())


def test_what_aws_refuses_is_said_once_and_tried_again(
    aws: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    aws.broken["PutParameter"] = error("PutParameter", "Rate exceeded")

    async def run() -> None:
        async with scheduling():
            await until(lambda: len(aws.of("PutParameter")) > 3, "some attempts")
            # One thing that fails keeps nothing else from being done.
            assert aws.of("PutMetricData")
            del aws.broken["PutParameter"]
            seen = len(aws.of("PutParameter"))
            await until(lambda: len(aws.of("PutParameter")) > seen, "one more")
            await asyncio.sleep(5 * LOOK)
            assert len(aws.of("PutParameter")) == seen + 1

    asyncio.run(run())
    said = [r.getMessage() for r in caplog.records if "Rate exceeded" in r.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("AWS: saying who has registered: ")


def test_a_fault_of_ours_does_not_end_the_heartbeat(
    aws: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    """Twenty minutes without one, and an alarm stops all workers."""
    aws.broken["PutParameter"] = RuntimeError("a fault of ours")

    async def run() -> None:
        async with scheduling() as scheduler:
            scheduler.extensions[EXTENSION].beat = LOOK
            await until(lambda: len(aws.of("PutMetricData")) > 3, "heartbeats")
            assert len(aws.of("PutParameter")) > 1

    asyncio.run(run())
    said = [r for r in caplog.records if "a fault of ours" in r.getMessage()]
    assert len(said) == 1
    assert said[0].exc_info


def test_it_looks_every_5_seconds_and_no_more_often() -> None:
    async def run() -> None:
        async with Scheduler(protocol="inproc", port=0, dashboard_address=":0") as scheduler:
            ours = Registered(scheduler, f"aws:{REGION}/dev")
            assert (ours.look, ours.beat) == (5.0, 60.0)

    asyncio.run(run())
