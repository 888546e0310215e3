"""`Ready` waits for what fails now, not for what failed in an `up` before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pulumi
import pytest

from components import ready
from tests.node.aws_calls import answered

if TYPE_CHECKING:
    from collections.abc import Sequence


class Reported:
    """A cluster of one group, as its parameter says at each look."""

    seconds = 0.2

    def __init__(
        self,
        failures: Sequence[int],
        *,
        comes_at: int | None = None,
        alarmed: int = 0,
        stopped: bool = False,
    ) -> None:
        self._failures = iter(failures)
        self._last = 0
        self._looks = 0
        self._comes_at = comes_at
        self.alarmed = alarmed
        self._stopped = stopped

    def groups(self) -> list[str]:
        return ["scheduler"]

    def raise_stopped_groups(self) -> None: ...

    def stop_incomplete_groups(self) -> None: ...

    def missing(self) -> list[str]:
        self._looks += 1
        there = self._comes_at is not None and self._looks >= self._comes_at
        return [] if there else ["scheduler"]

    def alarms(self) -> list[str]:
        self.alarmed -= 1
        return [] if self.alarmed < 0 else [ready.ALARM]

    def failures(self, _group: str) -> int:
        self._last = next(self._failures, self._last)
        return self._last

    def is_stopped(self, _group: str) -> bool:
        return self._stopped

    def reasons(self, groups: list[str]) -> list[str]:
        return [f"{group} failed {self._last} times" for group in groups]

    def looks(self) -> int:
        return self._looks


def wait(cluster: Reported, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "LOOK_SECONDS", (0.001, 0.001))
    ready._wait(cast("Any", cluster))


def test_three_failures_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Reported([0, 1, 2, 3])
    with pytest.raises(pulumi.RunError, match="not ready: scheduler failed 3 times"):
        wait(cluster, monkeypatch)
    assert cluster.looks() == 3


def test_failures_of_an_earlier_up_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed three times was mended since, and its machine still boots."""
    wait(Reported([3, 3, 3], comes_at=4), monkeypatch)


def test_one_more_failure_after_them_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine itself stops the relaunching then."""
    with pytest.raises(pulumi.RunError, match="not ready: scheduler failed 4 times"):
        wait(Reported([3, 3, 4]), monkeypatch)


def test_failures_before_the_wait_end_it_where_the_group_launches_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Machines may fail three times between their group's creation and the wait."""
    with pytest.raises(pulumi.RunError, match="not ready: scheduler failed 3 times"):
        wait(Reported([3], stopped=True), monkeypatch)


def test_a_stopped_group_alone_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may stop launches by hand; nothing has failed then."""
    wait(Reported([2], comes_at=4, stopped=True), monkeypatch)


def test_the_wait_ends_in_time_without_any_report(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pulumi.RunError, match="not ready after"):
        wait(Reported([0]), monkeypatch)


def test_it_waits_for_the_alarm_that_would_stop_the_workers_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The alarm sees a scheduler that is back later than its first worker does."""
    cluster = Reported([0], comes_at=1, alarmed=3)
    wait(cluster, monkeypatch)
    assert cluster.alarmed == -1
    assert cluster.looks() == 4


def test_an_alarm_that_stays_on_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Reported([0], comes_at=1, alarmed=10**9)
    with pytest.raises(pulumi.RunError, match=f"not ready after .*{ready.ALARM}"):
        wait(cluster, monkeypatch)


@pytest.mark.parametrize(
    ("states", "found"),
    [([], []), (["OK", "INSUFFICIENT_DATA"], []), (["OK", "ALARM"], [ready.ALARM])],
)
def test_the_alarms_of_this_cluster_are_asked_for(
    states: list[str], found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def answer(operation: str, given: dict[str, Any]) -> dict[str, Any]:
        asked.append((operation, given))
        return {"MetricAlarms": [{"StateValue": state} for state in states]}

    monkeypatch.setattr("components.aws.client", lambda service, _: answered(service, answer))
    props = {
        "environment": "0123456789abcdef",
        "scheduler": "dask-cluster-dev-scheduler",
        "cluster": "dev",
        "workers": {},
        "seconds": 1,
        "region": "eu-west-1",
    }
    cluster = ready._Cluster(props)
    assert cluster.alarms() == found
    dimensions = [{"Name": "Cluster", "Value": "dev"}]
    assert asked == [
        ("DescribeAlarmsForMetric", ready.HEARTBEAT | {"Dimensions": dimensions}),
    ]
    assert "heartbeat" in cluster.reasons([ready.ALARM])[0]


@pytest.mark.parametrize(("group", "name"), [("scheduler", "s-group"), ("worker", "w-group")])
@pytest.mark.parametrize("suspended", [[], ["AZRebalance"], ["AZRebalance", "Launch"]])
def test_a_group_that_launches_no_more_is_stopped(
    group: str, name: str, suspended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(operation: str, given: dict[str, Any]) -> dict[str, Any]:
        assert (operation, given) == (
            "DescribeAutoScalingGroups",
            {"AutoScalingGroupNames": [name]},
        )
        return {
            "AutoScalingGroups": [
                {
                    "AutoScalingGroupName": name,
                    "MinSize": 0,
                    "MaxSize": 1,
                    "DesiredCapacity": 1,
                    "DefaultCooldown": 300,
                    "AvailabilityZones": [],
                    "HealthCheckType": "EC2",
                    "CreatedTime": "2026-11-22T00:00:00Z",
                    "Instances": [],
                    "SuspendedProcesses": [{"ProcessName": each} for each in suspended],
                    "Tags": [],
                }
            ]
        }

    monkeypatch.setattr("components.aws.client", lambda service, _: answered(service, answer))
    props = {
        "environment": "0123456789abcdef",
        "scheduler": "s-group",
        "cluster": "dev",
        "workers": {"worker": {"autoscaling_group": "w-group", "workers": 1}},
        "seconds": 1,
        "region": "eu-west-1",
    }
    assert ready._Cluster(props).is_stopped(group) is ("Launch" in suspended)
