"""`Ready` waits for what fails now, not for what failed in an `up` before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pulumi
import pytest

from components import ready

if TYPE_CHECKING:
    from collections.abc import Sequence


class Reported:
    """A cluster of one group, as its parameter says at each look."""

    seconds = 0.2

    def __init__(self, failures: Sequence[int], *, comes_at: int | None = None) -> None:
        self._failures = iter(failures)
        self._last = 0
        self._looks = 0
        self._comes_at = comes_at

    def groups(self) -> list[str]:
        return ["scheduler"]

    def raise_stopped_groups(self) -> None: ...

    def stop_incomplete_groups(self) -> None: ...

    def missing(self) -> list[str]:
        self._looks += 1
        there = self._comes_at is not None and self._looks >= self._comes_at
        return [] if there else ["scheduler"]

    def failures(self, _group: str) -> int:
        self._last = next(self._failures, self._last)
        return self._last

    def reasons(self, groups: list[str]) -> list[str]:
        return [f"{group} failed {self._last} times" for group in groups]

    def looks(self) -> int:
        return self._looks


def wait(cluster: Reported, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "LOOK_SECONDS", (0.001, 0.001))
    ready._wait(cast("Any", cluster))


def test_three_failures_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Reported([0, 1, 2, 3])
    with pytest.raises(pulumi.RunError, match="scheduler failed 3 times"):
        wait(cluster, monkeypatch)
    assert cluster.looks() == 3


def test_failures_of_an_earlier_up_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed three times was mended since, and its machine still boots."""
    wait(Reported([3, 3, 3], comes_at=4), monkeypatch)


def test_one_more_failure_after_them_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine itself stops the relaunching then."""
    with pytest.raises(pulumi.RunError, match="scheduler failed 4 times"):
        wait(Reported([3, 3, 4]), monkeypatch)


def test_the_wait_ends_in_time_without_any_report(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pulumi.RunError, match="not ready after"):
        wait(Reported([0]), monkeypatch)
