"""Auto Scaling groups as a fleet: what a look finds, and which calls a decision makes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.parsers import ResponseParserError

from dask_node import fleet
from dask_node.aws.fleet import AwsFleet
from dask_node.fleet import Places
from tests.node.auto_scaling import CLUSTER, FakeAutoScaling, FakeGroup, error, fake
from tests.node.scaling import group

if TYPE_CHECKING:
    from dask_node.fleet import State

WHERE = f"aws:eu-west-1/{CLUSTER}"


class Seen:
    """A fleet on fake groups."""

    def __init__(self, patch: pytest.MonkeyPatch, *groups: FakeGroup, page: int = 100) -> None:
        self.aws = FakeAutoScaling(*groups, page=page)
        patch.setattr("dask_node.aws.fleet.client", self.aws.client)
        self.fleet = AwsFleet(WHERE)

    def look(self) -> State:
        return asyncio.run(self.fleet.look())

    def start(self, name: str, count: int) -> list[tuple[str, dict[str, Any]]]:
        self.aws.calls.clear()
        asyncio.run(self.fleet.start(name, count))
        return self.aws.calls

    def stop(self, name: str, *places: str) -> list[tuple[str, dict[str, Any]]]:
        self.aws.calls.clear()
        asyncio.run(self.fleet.stop(name, places, "test"))
        return self.aws.calls


def desired(number: int, name: str = "worker") -> list[tuple[str, dict[str, Any]]]:
    asked = {"AutoScalingGroupName": f"{CLUSTER}-{name}", "DesiredCapacity": number}
    return [("SetDesiredCapacity", asked | {"HonorCooldown": False})]


def test_the_variable_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_CLUSTER_FLEET", WHERE)
    ours = fleet.load()
    assert isinstance(ours, AwsFleet)
    assert (ours.region, ours.cluster, ours.interval) == ("eu-west-1", CLUSTER, 15.0)


@pytest.mark.parametrize("where", ["aws:", "aws:eu-west-1", "aws:/dev", "aws:eu-west-1/"])
def test_a_variable_that_is_not_whole_is_refused(where: str) -> None:
    with pytest.raises(ValueError, match="is not of the form aws:<region>/<cluster>"):
        AwsFleet(where)


def test_a_look_reads_all_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    big = group("big", 1, 6, processes=2, threads=4, resources={"GPU": 1.0, "disk": 2.5})
    seen = Seen(monkeypatch, fake(big), fake(group("worker", 3), idle_stop="900"), page=1)
    state = seen.look()
    assert state.groups == {"worker": group("worker", 3), "big": big}
    assert list(state.groups) == ["worker", "big"]  # the default group first
    assert (state.idle_stop, state.no_client_stop) == (900.0, None)


def test_stops_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen(monkeypatch, fake(group("worker", 3), idle_stop="", no_client_stop="60"))
    assert (seen.look().idle_stop, seen.look().no_client_stop) == (None, 60.0)


def test_what_is_no_group_of_workers_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = FakeGroup("s", 1, 1, {"dask-cluster": CLUSTER, "dask-cluster:group": "scheduler"})
    going = fake(group("gone", 1))
    going.status = "Delete in progress"
    foreign = fake(group("worker", 9))
    foreign.name, foreign.tags["dask-cluster"] = "foreign", "prod"
    seen = Seen(monkeypatch, scheduler, going, fake(group("worker", 3)), foreign)
    assert seen.look().groups == {"worker": group("worker", 3)}


def test_instances_by_their_states(monkeypatch: pytest.MonkeyPatch) -> None:
    one = fake(group("worker", 5))
    one.instances = {
        "i-1": "Pending",
        "i-2": "Pending:Wait",
        "i-3": "InService",
        "i-4": "Terminating:Wait",
        "i-5": "Terminating:Proceed",
        "i-6": "Standby",
        "i-7": "Warmed:Stopped",
        "i-8": "ReplacingRootVolume:Wait",
        "i-9": "Terminated",
    }
    running = frozenset({"i-1", "i-2", "i-3", "i-8", "worker-awaited-0"})
    stopping = frozenset({"i-4", "i-5"})
    seen = Seen(monkeypatch, one)
    assert seen.look().places == {"worker": Places(running, stopping, frozenset())}


def test_what_is_awaited_where_nothing_is_launched_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = fake(group("worker", 3))
    one.instances, one.suspended = {"i-1": "InService"}, ("AZRebalance",)
    seen = Seen(monkeypatch, one)
    assert seen.look().places["worker"].failed == frozenset()
    one.suspended = ("Launch",)
    awaited = frozenset({"worker-awaited-0", "worker-awaited-1"})
    assert seen.look().places["worker"] == Places(frozenset({"i-1"}), frozenset(), awaited)


def test_more_is_asked_for_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    one = fake(group("worker", 0, 6), 2)
    seen = Seen(monkeypatch, one)
    one.instances = {"i-1": "InService", "i-2": "InService", "i-3": "Terminating:Wait"}
    seen.look()
    assert seen.start("worker", 2) == desired(4)
    # What is asked for counts at once, and nothing is asked for beyond the group's limit.
    assert seen.start("worker", 1) == desired(5)
    assert seen.start("worker", 9) == desired(6)
    assert seen.start("worker", 1) == []


def test_where_nothing_is_launched_a_start_does_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    one = fake(group("worker", 0, 6), 1)
    one.instances, one.suspended = {"i-1": "InService"}, ("Launch",)
    seen = Seen(monkeypatch, one)
    seen.look()
    assert seen.start("worker", 2) == desired(3)
    seen.look()
    assert seen.start("worker", 2) == []
    # Nor does a smaller one take anything back.
    assert seen.start("worker", 1) == []


def test_some_end_by_their_ids_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    one = fake(group("worker", 0, 300), 251)
    ids = [f"i-{n:03}" for n in range(251)]
    one.instances = dict.fromkeys(ids, "InService")
    seen = Seen(monkeypatch, one)
    seen.look()
    calls = seen.stop("worker", *reversed(ids[:250]))
    assert [name for name, _ in calls] == ["TerminateInstanceInAutoScalingGroup"] * 3
    assert [call["InstanceIds"] for _, call in calls] == [ids[:100], ids[100:200], ids[200:250]]
    assert all(call["ShouldDecrementDesiredCapacity"] is True for _, call in calls)
    assert (one.desired, one.alive()) == (1, ["i-250"])


def test_all_end_with_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    one = fake(group("worker", 3))
    one.instances = {"i-1": "InService", "i-2": "Pending", "i-3": "Terminating:Wait"}
    seen = Seen(monkeypatch, one)
    running = seen.look().places["worker"].running
    assert seen.stop("worker", *running) == desired(0)


def test_what_is_awaited_is_asked_for_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    one = fake(group("worker", 0, 9), 5)
    one.instances = {"i-1": "InService", "i-2": "InService"}
    seen = Seen(monkeypatch, one)
    seen.look()
    calls = seen.stop("worker", "worker-awaited-0", "worker-awaited-1", "i-2")
    terminated = {
        "AutoScalingGroupName": "dev-worker",
        "InstanceIds": ["i-2"],
        "ShouldDecrementDesiredCapacity": True,
    }
    assert calls == [*desired(3), ("TerminateInstanceInAutoScalingGroup", terminated)]
    assert one.desired == 2  # one that runs, and one that is still awaited


def test_those_that_are_awaited_still_come_when_all_others_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = fake(group("worker", 0, 9), 3)
    one.instances = {"i-1": "InService", "i-2": "InService"}
    seen = Seen(monkeypatch, one)
    seen.look()
    assert [name for name, _ in seen.stop("worker", "i-1", "i-2")] == [
        "TerminateInstanceInAutoScalingGroup"
    ]
    assert one.desired == 1


@pytest.mark.parametrize(
    "broken",
    [
        error("DescribeAutoScalingGroups", "Rate exceeded"),
        EndpointConnectionError(endpoint_url="https://autoscaling.eu-west-1.amazonaws.com"),
        ResponseParserError("Unable to parse response"),
    ],
)
def test_what_aws_does_not_do_is_an_os_error(
    broken: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = fake(group("worker", 0, 3), 1)
    one.instances = {"i-1": "InService", "i-2": "InService"}
    seen = Seen(monkeypatch, one)
    seen.look()
    seen.aws.broken = broken
    for act in (seen.look, lambda: seen.start("worker", 1), lambda: seen.stop("worker", "i-1")):
        with pytest.raises(OSError, match=r"^AWS: .*(Rate exceeded|endpoint URL|Unable to parse)"):
            act()
