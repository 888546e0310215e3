"""The scaler on Auto Scaling groups that are dry, slow, suspended and edited, by a turned clock."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from dask_node.aws.fleet import AwsFleet
from dask_node.scaler.loop import Scaler
from tests.node.auto_scaling import CLUSTER, FakeAutoScaling, FakeGroup, fake
from tests.node.scaling import decisions, group
from tests.node.simulation import FakeScheduler, FakeWorker

INTERVAL = 15.0
TERMINATE = "TerminateInstanceInAutoScalingGroup"


class World:
    """A scheduler, its scaler and the Auto Scaling groups; a step is one look of the scaler."""

    def __init__(self, patch: pytest.MonkeyPatch, *groups: FakeGroup) -> None:
        self.aws = FakeAutoScaling(*groups)
        patch.setattr("dask_node.aws.fleet.client", self.aws.client)
        self.fleet = AwsFleet(f"aws:eu-west-1/{CLUSTER}")
        self.scheduler = FakeScheduler()
        self.scaler = Scaler(self.scheduler, self.fleet)  # type: ignore[arg-type]
        self.now = 0.0

    def step(self) -> list[tuple[str, dict[str, Any]]]:
        """Let AWS go on, instances in service register and those that are gone leave; look once."""
        self.aws.turn()
        self.register()
        self.aws.calls.clear()
        self.now += INTERVAL
        asyncio.run(self.scaler.tick(self.now))
        return list(self.aws.calls)

    def steps(self, count: int) -> list[tuple[str, dict[str, Any]]]:
        return [call for _ in range(count) for call in self.step()]

    def register(self) -> None:
        there = {
            instance
            for one in self.aws.groups.values()
            for instance, state in one.instances.items()
            if state == "InService"
        }
        workers = self.scheduler.workers
        for name in [name for name in workers if name.removesuffix("-0") not in there]:
            del workers[name]
        for instance in there:
            workers.setdefault(f"{instance}-0", FakeWorker(f"{instance}-0", 1, 2**30))


def numbers(calls: list[tuple[str, dict[str, Any]]]) -> list[int]:
    return [given["DesiredCapacity"] for name, given in calls if name == "SetDesiredCapacity"]


def test_a_group_grows_and_shrinks_by_what_dask_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = group("worker", 1, 4)
    one = fake(facts)
    world = World(monkeypatch, one)
    assert world.steps(3) == []
    world.scheduler.ask(facts, 100)
    assert numbers(world.steps(2)) == [4]
    assert world.steps(5) == []
    assert len(one.alive()) == 4
    world.scheduler.queued.clear()
    calls = world.steps(20)
    assert {name for name, _ in calls} == {TERMINATE}
    assert sum(len(given["InstanceIds"]) for _, given in calls) == 3
    assert (one.desired, len(one.alive())) == (1, 1)


def test_a_dry_pool_is_asked_once_and_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    facts = group("worker", 1, 4)
    one = fake(facts)
    one.room = 2
    world = World(monkeypatch, one)
    world.steps(2)
    world.scheduler.ask(facts, 100)
    assert numbers(world.steps(60)) == [4]
    late = [line for line in decisions(caplog) if "did not start" in line]
    assert late[0].startswith("Group worker: did not start: worker-awaited-0, worker-awaited-1.")
    one.room = None
    world.steps(3)
    assert len(one.alive()) == 4


def test_an_idle_stop_of_a_fixed_group_lasts_until_there_is_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    facts = group("worker", 3)
    one = fake(facts, idle_stop="120")
    world = World(monkeypatch, one)
    world.steps(4)
    assert len(one.alive()) == 3
    stops = world.steps(10)
    assert numbers(stops) == [0]
    assert len(stops) == 1
    assert world.steps(20) == []
    assert one.instances == {}
    world.scheduler.ask(facts, 5)
    assert numbers(world.steps(1)) == [3]
    world.steps(3)
    assert len(one.alive()) == 3


def test_a_group_that_may_launch_nothing_is_not_asked_in_vain(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    facts = group("worker", 1, 4)
    one = fake(facts)
    world = World(monkeypatch, one)
    world.steps(2)
    one.suspended = ("Launch",)
    world.scheduler.ask(facts, 100)
    assert numbers(world.steps(100)) == [4]
    assert any("did not start: worker-awaited-0" in line for line in decisions(caplog))


@pytest.mark.parametrize("seed", range(3))
def test_no_limit_is_passed_and_aws_chooses_nobody(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(seed)  # noqa: S311  # the same dice each time
    worker, gpu = group("worker", 1, 6), group("gpu", 0, 3, resources={"GPU": 1})
    fixed = group("big", 2, resources={"BIG": 1})
    groups = [fake(facts) for facts in (worker, gpu, fixed)]
    world = World(monkeypatch, *groups)
    ended = started = 0
    for _ in range(400):
        before = {one.name: one.desired for one in groups}
        if dice.random() < 0.3:
            world.scheduler.ask(dice.choice([worker, gpu]), dice.randrange(1, 60))
        if dice.random() < 0.3:
            world.scheduler.queued.clear()
            world.scheduler.unrunnable.clear()
        if dice.random() < 0.1:
            groups[0].room = dice.choice([None, 1, 3])
        if dice.random() < 0.1:
            _reclaim(dice, groups)
        calls = world.step()
        for name, given in calls:
            one = world.aws.groups[given["AutoScalingGroupName"]]
            if name == TERMINATE:
                ended += 1
                continue
            started += given["DesiredCapacity"] > before[one.name]
            # A lower number leaves AWS no choice if so many are not there, or all are to end.
            assert given["DesiredCapacity"] == 0 or given["DesiredCapacity"] >= len(one.alive())
        assert len({given["AutoScalingGroupName"] for _, given in calls}) <= 1
        assert all(one.desired <= one.most for one in groups)
        assert groups[2].desired == 2
    assert ended > 5
    assert started > 5


def _reclaim(dice: random.Random, groups: list[FakeGroup]) -> None:
    """Take an instance, as EC2 does with spot instances; the group replaces it."""
    one = dice.choice(groups)
    if alive := one.alive():
        one.instances[dice.choice(alive)] = "Terminating:Wait"
