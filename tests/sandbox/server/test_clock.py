"""The account's time: it may pass faster than ours, and its speed may change on the way."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from sandbox.aws.server.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clock() -> Iterator[Clock]:
    made = Clock()
    made.start()
    yield made
    made.end()


def test_time_goes_on_from_where_it_was(clock: Clock) -> None:
    before, at = clock.now(), time.monotonic()
    clock.speed = 1000
    assert 0 <= clock.now() - before <= 1000 * (time.monotonic() - at)
    time.sleep(0.1)
    assert clock.now() - before >= 100
    clock.speed = 0.001
    slow = clock.now()
    time.sleep(0.1)
    assert clock.now() - slow < 0.1


def test_what_waits_waits_for_the_rest_at_the_new_speed(clock: Clock) -> None:
    done = {name: threading.Event() for name in ("account", "real", "slow")}
    clock.after(600, done["account"].set)
    clock.soon(600, done["real"].set)
    clock.speed = 6000
    assert done["account"].wait(30)
    assert not done["real"].is_set()
    clock.after(600, done["slow"].set)
    clock.speed = 0.001
    assert not done["slow"].wait(0.3)
    clock.speed = 60_000_000
    assert done["slow"].wait(30)
    assert not done["real"].is_set()
    assert clock.failed == 0
