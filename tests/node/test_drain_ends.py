"""Workers that end otherwise than planned: dead, told twice, named by a number, restarted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from distributed.core import Status

from dask_node.drain import nanny
from tests.node.draining import GATES, RUNS, Lab, in_lab, read_counters, until

if TYPE_CHECKING:
    from pathlib import Path


@in_lab("a", "b")
async def test_a_death_is_counted_and_named(lab: Lab) -> None:
    held = await lab.finished("a", range(3))
    await lab.die("a")
    assert lab.counted() == {"died_workers": 1, "lost_keys computed": 3}
    assert lab.said("a ended without a drain").startswith("WARNING")
    assert lab.said("LOST with a: 3 results").endswith("Why: it ended without a drain")
    assert await lab.client.gather(held) == [0, 1, 2]


@in_lab("a", "b", "c")
async def test_one_of_a_place_dies_while_both_are_drained(lab: Lab) -> None:
    kept = await lab.finished("b", range(5))
    await lab.finished("a", range(5, 8))
    lost = await lab.compute("a", range(8, 9), "gate")
    await lab.begun("gate")
    drain = asyncio.create_task(lab.drain("a", "b", seconds=4))
    await until(lambda: bool(lab.drains.going), "the drain")
    await lab.die("a")
    GATES["gate"].set()
    assert (await drain)["keys"] == 5
    assert await lab.client.gather(kept) == list(range(5))
    assert all(RUNS[n] == 1 for n in range(5))
    assert lab.counted()["died_workers"] == 1
    assert lab.counted()["drained_workers test"] == 1
    assert lab.said("a ended before its drain was done")
    assert await lab.client.gather(lost) == [8]


@in_lab("a", "b")
async def test_a_worker_that_is_told_to_end_in_its_lifetime_drain(lab: Lab) -> None:
    held = await lab.finished("a", range(3))
    await lab.pause("b")
    first = asyncio.create_task(lab.drain("a", seconds=2, reason="lifetime", must_end=False))
    await until(lambda: any(d.why for d in lab.drains.going.values()), "a first attempt")
    second = asyncio.create_task(lab.drain("a", seconds=60))
    assert not (await first)["ended"]
    assert lab.workers["a"].status is Status.closing_gracefully  # the first did not wake it
    assert lab.drains.going.keys() == {"a"}
    lab.workers["b"].status = Status.running
    assert (await second)["keys"] == 3
    assert await lab.client.gather(held) == [0, 1, 2]
    assert set(RUNS.values()) == {1}
    assert "lost_keys computed" not in lab.counted()


@in_lab(7, "b")
async def test_a_name_may_be_a_number(lab: Lab) -> None:
    """`dask worker --name 7` makes one of it, and the nanny says it as it is."""
    futures = await lab.finished(7, range(3))
    lab.drains.reasons["7"] = "scale-in"
    answer = await lab.drain(7)
    assert (answer["ended"], answer["keys"]) == (True, 3)
    assert lab.counted()["drained_workers scale-in"] == 1
    assert await lab.client.gather(futures) == [0, 1, 2]


@in_lab("a")
async def test_a_worker_that_never_came_is_no_drained_one(lab: Lab) -> None:
    answer = await lab.drains.drain(["nobody"], 600, "test")
    assert answer["ended"]
    assert lab.counted() == {}


@in_lab("a", "b")
async def test_a_restart_of_all_workers_in_mid_drain(lab: Lab) -> None:
    """`Client.restart` forgets all tasks and ends workers that have no nanny."""
    running = await lab.compute("a", range(1), "gate")
    await lab.begun("gate")
    drain = asyncio.create_task(lab.drain("a", seconds=60))
    await until(lambda: bool(lab.drains.going), "the drain")
    GATES["gate"].set()
    with pytest.raises(TimeoutError):
        await lab.client.restart(timeout=0.5)
    answer = await drain
    assert (answer["ended"], answer["lost"]) == (True, 0)
    assert lab.drains.going == {}
    del running


@in_lab("a", "b")
async def test_the_counters_are_on_the_metrics_page(lab: Lab) -> None:
    held = await lab.finished("a", range(3))
    await lab.drain("a", reason="on the page")
    server: Any = lab.scheduler.http_server
    port = server.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
    found = read_counters((await reader.read()).decode())
    writer.close()
    await writer.wait_closed()
    assert found["drained_workers on the page"] == 1
    assert found["drained_keys"] >= 3
    for name in ("lost_keys computed", "lost_keys scattered", "lost_keys actor", "died_workers"):
        assert name in found
    del held


NOTICES = {
    '{"reason": "spot notice", "seconds": 100}': ("spot notice", 100),
    '{"seconds": "20"}': ("SIGTERM", 20),
    '{"reason": "idle stop", "by": "the scaler"}': ("idle stop", 900),
    "": ("SIGTERM", 900),
    '{"seconds": 12': ("SIGTERM", 900),
    '["a", "list"]': ("SIGTERM", 900),
    '{"seconds": null}': ("SIGTERM", 900),
    '{"seconds": NaN}': ("SIGTERM", 900),
    '{"seconds": -1}': ("SIGTERM", 900),
    "\0\xff": ("SIGTERM", 900),
}


@pytest.mark.parametrize("text", NOTICES)
def test_a_notice_is_used_or_survived(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = tmp_path / "notice.json"
    notice.write_bytes(text.encode("latin-1"))
    monkeypatch.setenv(nanny.NOTICE_VARIABLE, str(notice))
    monkeypatch.delenv(nanny.DRAIN_VARIABLE, raising=False)
    reason, seconds = NOTICES[text]
    assert nanny._notice() == {"reason": reason, "seconds": seconds}


def test_without_a_notice_the_signal_is_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(nanny.DRAIN_VARIABLE, "30")
    monkeypatch.delenv(nanny.NOTICE_VARIABLE, raising=False)
    expected = {"reason": "SIGTERM", "seconds": 30}
    assert nanny._notice() == expected
    monkeypatch.setenv(nanny.NOTICE_VARIABLE, str(tmp_path / "none.json"))
    assert nanny._notice() == expected
    monkeypatch.setenv(nanny.NOTICE_VARIABLE, str(tmp_path))  # a folder
    assert nanny._notice() == expected
