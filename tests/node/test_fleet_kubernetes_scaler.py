"""The scaler on Deployments that grow, shrink, are refused and edited, by a turned clock."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from typing import TYPE_CHECKING, Any

import pytest

from dask_node.kubernetes.fleet import KubernetesFleet
from dask_node.scaler.loop import Scaler
from tests.node.kube_objects import COST, deployment
from tests.node.kube_server import WHERE
from tests.node.scaling import decisions, group
from tests.node.simulation import FakeScheduler, FakeWorker

if TYPE_CHECKING:
    from tests.node.kube_objects import FakeDeployment
    from tests.node.kube_server import FakeKubernetes

INTERVAL = 5.0


class World:
    """A scheduler, its scaler and the Deployments; a step is one look of the scaler."""

    def __init__(self, kubernetes: FakeKubernetes, *deployments: FakeDeployment) -> None:
        kubernetes.hold(*deployments)
        self.kubernetes = kubernetes
        self.scheduler = FakeScheduler()
        self.scaler = Scaler(self.scheduler, KubernetesFleet(WHERE))  # type: ignore[arg-type]
        self.now = 0.0

    def step(self) -> list[int]:
        """Let pods go on, and look; return the numbers that were asked for."""
        self.kubernetes.turn()
        self.register()
        self.kubernetes.calls.clear()
        self.now += INTERVAL
        asyncio.run(self.scaler.tick(self.now))
        return [asked for path, asked in self.kubernetes.calls if path.endswith("/scale")]

    def steps(self, count: int) -> list[int]:
        return [number for _ in range(count) for number in self.step()]

    def register(self) -> None:
        there = {pod.name for pod in self.kubernetes.pods.values() if pod.ready and not pod.ends}
        workers = self.scheduler.workers
        for name in [name for name in workers if name.removesuffix("-0") not in there]:
            del workers[name]
        for pod in there:
            workers.setdefault(f"{pod}-0", FakeWorker(f"{pod}-0", 1, 2**30))


def test_a_group_grows_and_shrinks_by_what_dask_wants(kubernetes: FakeKubernetes) -> None:
    facts = group("worker", 1, 4)
    one = deployment(facts)
    ours = World(kubernetes, one)
    assert ours.steps(4) == []
    ours.scheduler.ask(facts, 100)
    assert ours.steps(2) == [4]
    assert ours.steps(6) == []
    assert len(ours.kubernetes.active(one)) == 4
    ours.scheduler.queued.clear()
    first = next(pod.name for pod in ours.kubernetes.active(one))
    busy = ours.scheduler.workers[f"{first}-0"]
    ours.scheduler.ask(facts, 1)
    busy.processing = {ours.scheduler.queued.pop()}
    assert ours.steps(25) == [1]
    # Dask chose, and not Kubernetes: the one that works is the oldest.
    assert [pod.name for pod in ours.kubernetes.active(one)] == [first]


def test_pods_that_do_not_start_are_asked_for_once_and_told_of(
    kubernetes: FakeKubernetes, caplog: pytest.LogCaptureFixture
) -> None:
    facts = group("worker", 1, 4)
    one = deployment(facts)
    one.room = 2
    ours = World(kubernetes, one)
    ours.steps(3)
    ours.scheduler.ask(facts, 100)
    assert ours.steps(100) == [4]
    told = [line for line in decisions(caplog) if "did not start" in line]
    names = "worker-awaited-0, worker-awaited-1"
    assert told[0] == f"Group worker: did not start: {names}. The next start waits 30 s"
    one.room = None
    ours.steps(4)
    assert len(ours.kubernetes.active(one)) == 4


@pytest.mark.parametrize("hands_off", [False, True])
def test_an_idle_stop_lasts_until_there_is_work(
    kubernetes: FakeKubernetes,
    hands_off: bool,  # noqa: FBT001
) -> None:
    facts = group("worker", 3, 9 if hands_off else None)
    facts = dataclasses.replace(facts, hands_off=hands_off)
    one = deployment(facts, idle_stop="60")
    ours = World(kubernetes, one)
    ours.steps(4)
    if hands_off:
        one.replicas = 7  # its HPA wants more
        ours.steps(4)
    assert len(ours.kubernetes.active(one)) == one.replicas
    assert ours.steps(15) == [0]
    assert ours.steps(20) == []
    assert ours.kubernetes.pods == {}
    ours.scheduler.ask(facts, 50)
    assert ours.steps(1) == [3]
    assert ours.steps(30) == []
    assert len(ours.kubernetes.active(one)) == 3


def test_a_rollout_is_left_alone(kubernetes: FakeKubernetes) -> None:
    facts = group("worker", 2, 9)
    one = deployment(facts, 4)
    ours = World(kubernetes, one)
    ours.scheduler.ask(facts, 100)
    ours.steps(4)
    ours.scheduler.queued.clear()
    one.prompt = False
    one.template = "t2"
    ours.kubernetes.add(one, 1)  # one more than there are to be, for the time of the rollout
    asked = ours.steps(40)
    assert asked == []
    for pod in list(ours.kubernetes.pods.values()):
        if "-t1-" in pod.name:
            pod.end()
    one.prompt = True
    ours.steps(20)
    assert one.replicas == 2


@pytest.mark.parametrize("seed", range(3))
def test_no_limit_is_passed_and_nobody_else_ends(seed: int, kubernetes: FakeKubernetes) -> None:
    dice = random.Random(seed)  # noqa: S311  # the same dice each time
    worker, gpu = group("worker", 1, 6), group("gpu", 0, 3, resources={"GPU": 1})
    fixed = group("big", 2, resources={"BIG": 1})
    groups = [deployment(facts) for facts in (worker, gpu, fixed)]
    ours = World(kubernetes, *groups)
    ended = started = 0
    for _ in range(200):
        before = {one.name: one.replicas for one in groups}
        _happen(dice, ours, worker, gpu)
        calls = ours.step()
        assert len(calls) <= 1
        started += any(one.replicas > before[one.name] for one in groups)
        marked = {p.name for p in ours.kubernetes.pods.values() if COST in p.annotations}
        ready = {p.name for p in ours.kubernetes.pods.values() if p.ready and p.active}
        shrunk = sum(max(0, before[one.name] - one.replicas) for one in groups)
        _all_or_chosen(ours, groups, marked, ready)
        ended += shrunk
        assert all(
            one.replicas <= facts.limit
            for one, facts in zip(groups, (worker, gpu, fixed), strict=True)
        )
        assert groups[2].replicas == 2
    assert ended > 5
    assert started > 5


def _happen(dice: random.Random, ours: World, *facts: Any) -> None:  # noqa: ANN401
    """Let work come and go, and pods fail."""
    if dice.random() < 0.3:
        ours.scheduler.ask(dice.choice(facts), dice.randrange(1, 60))
    if dice.random() < 0.3:
        ours.scheduler.queued.clear()
        ours.scheduler.unrunnable.clear()
    pods = [pod for pod in ours.kubernetes.pods.values() if pod.active]
    if pods and dice.random() < 0.1:
        dice.choice(pods).end()  # its node is emptied
    if pods and dice.random() < 0.1:
        dice.choice(pods).ready = False  # its worker process has died


def _all_or_chosen(
    ours: World, groups: list[FakeDeployment], marked: set[str], ready: set[str]
) -> None:
    """Let the ReplicaSets act: a pod that works ends only if it was chosen, or with all others."""
    ours.kubernetes.control()
    for one in groups:
        mine = [
            p
            for p in ours.kubernetes.pods.values()
            if p.labels == {**one.labels, "pod-template-hash": "t1"}
        ]
        told = {pod.name for pod in mine if pod.ends} & ready
        assert told <= marked or one.replicas == 0
