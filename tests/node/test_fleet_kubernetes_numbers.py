"""Deployments as a fleet: which numbers a decision sets, and which pods end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dask_node.fleet import Places
from tests.node.kube_fleet import FIRST, NONE, Seen, names, resized
from tests.node.kube_objects import COST, deployment
from tests.node.scaling import group

if TYPE_CHECKING:
    from tests.node.kube_server import FakeKubernetes


def test_more_is_asked_for_by_number(kubernetes: FakeKubernetes) -> None:
    one = deployment(group("worker", 0, 6), 2)
    seen = Seen(kubernetes, one)
    seen.running(one, 2)
    assert seen.start("worker", 2) == resized(4)
    # What is asked for counts at once, and nothing is asked for beyond the group's limit.
    assert seen.start("worker", 1) == resized(5)
    assert seen.start("worker", 9) == resized(6)
    assert seen.start("worker", 1) == []


def test_a_start_does_not_add_up_where_nothing_starts(kubernetes: FakeKubernetes) -> None:
    one = deployment(group("worker", 0, 6), 3)
    seen = Seen(kubernetes, one)
    for pod in seen.running(one, 3)[:2]:
        pod.wait("ImagePullBackOff")
    seen.look()
    assert seen.start("worker", 2) == []
    assert seen.start("worker", 3) == resized(4)


def test_exactly_the_chosen_ones_end(kubernetes: FakeKubernetes) -> None:
    one = deployment(group("worker", 0, 9), 6)
    seen = Seen(kubernetes, one)
    pods = seen.running(one, 6)
    pods[0].annotations[COST] = "-5"  # somebody else's
    chosen = sorted(pod.name for pod in (pods[2], pods[5]))
    mark = {"metadata": {"annotations": {COST: FIRST}}}
    assert seen.stop(*chosen) == [*((f"pods/{name}", mark) for name in chosen), *resized(4)]
    assert seen.ended() == chosen
    assert seen.look().places["worker"].stopping == set(chosen)
    assert seen.costs() == {pods[0].name: "-5"}


def test_those_that_never_came_up_end_with_chosen_ones(kubernetes: FakeKubernetes) -> None:
    one = deployment(group("worker", 0, 9), 4)
    seen = Seen(kubernetes, one)
    pods = seen.running(one, 3)
    [late] = seen.kubernetes.add(one)
    seen.look()
    assert seen.stop(pods[1].name, late.name)[-1:] == resized(2)
    assert seen.ended() == sorted([pods[1].name, late.name])


def test_all_end_with_one_call(kubernetes: FakeKubernetes) -> None:
    one = deployment(group("worker", 3))
    seen = Seen(kubernetes, one)
    pods = seen.running(one, 2)
    running = seen.look().places["worker"].running
    assert len(running) == 3
    assert seen.stop(*running) == resized(0)
    assert set(seen.ended()) == names(pods)
    assert seen.look().places["worker"] == Places(NONE, names(pods), NONE)
    assert seen.start("worker", 3) == resized(3)


def test_what_is_awaited_is_asked_for_no_more(kubernetes: FakeKubernetes) -> None:
    one = deployment(group("worker", 0, 9), 5)
    seen = Seen(kubernetes, one)
    pods = seen.running(one, 2)
    assert seen.stop("worker-awaited-0", "worker-awaited-1", pods[1].name)[1:] == resized(2)
    # One that runs, and one that is still awaited. The other went although there were too few.
    assert seen.look().places["worker"].running == names(pods)


def test_no_more_end_when_another_is_not_ready_meanwhile(kubernetes: FakeKubernetes) -> None:
    one = deployment(group("worker", 0, 9), 4)
    seen = Seen(kubernetes, one)
    pods = seen.running(one, 4)

    def die() -> None:
        pods[3].ready = False

    seen.kubernetes.meanwhile = die
    seen.stop(pods[0].name, pods[1].name)
    assert seen.ended() == sorted([pods[0].name, pods[3].name])
    places = seen.look().places["worker"]
    assert places.running == names([pods[1], pods[2]])
    # The one that was spared is not the first to go the next time.
    assert seen.costs() == {}
    seen.stop(pods[2].name)
    assert pods[2].name in seen.ended()
    assert pods[1].active


def test_chosen_ones_are_stopping_before_they_are_told(kubernetes: FakeKubernetes) -> None:
    one = deployment(group("worker", 0, 9), 3)
    seen = Seen(kubernetes, one)
    pods = seen.running(one, 3)
    one.prompt = False
    seen.stop(pods[1].name)
    for _ in range(2):
        places = seen.look().places["worker"]
        assert places == Places(names([pods[0], pods[2]]), names([pods[1]]), NONE)
    assert seen.costs() == {pods[1].name: FIRST}
    seen.stop(pods[0].name)
    one.prompt = True
    assert seen.ended() == sorted([pods[0].name, pods[1].name])


def test_marks_of_a_scheduler_that_died_are_taken_off(kubernetes: FakeKubernetes) -> None:
    one = deployment(group("worker", 0, 9), 3)
    seen = Seen(kubernetes, one)
    pods = seen.running(one, 3)
    pods[0].annotations[COST] = FIRST
    assert seen.look().places["worker"].running == names(pods)
    assert seen.costs() == {}


def test_a_pod_that_is_gone_is_not_marked(kubernetes: FakeKubernetes) -> None:
    one = deployment(group("worker", 0, 9), 3)
    seen = Seen(kubernetes, one)
    pods = seen.running(one, 3)
    del seen.kubernetes.pods[pods[1].name]
    assert seen.stop(pods[1].name)[1:] == resized(2)
    assert seen.ended() == []


def test_a_number_that_somebody_else_changed_is_not_lost(kubernetes: FakeKubernetes) -> None:
    one = deployment(group("worker", 0, 9), 4)
    seen = Seen(kubernetes, one)
    pods = seen.running(one, 4)

    def grow() -> None:
        one.replicas, one.version = 7, one.version + 1

    seen.kubernetes.meanwhile = grow
    assert seen.stop(pods[1].name)[1:] == [*resized(3), *resized(6)]
    assert one.replicas == 6


def test_nothing_is_taken_away_while_a_version_is_rolled_out(kubernetes: FakeKubernetes) -> None:
    one, fixed = deployment(group("worker", 1, 9), 3), deployment(group("fixed", 3))
    seen = Seen(kubernetes, one, fixed)
    for each in (one, fixed):
        seen.running(each, 3)
        each.template = "t2"
        seen.running(each, 1)
    state = seen.look()
    assert [(g.workers, g.limit) for g in state.groups.values()] == [(4, 9), (3, 3)]
    for pod in list(seen.kubernetes.pods.values()):
        if "-t1-" in pod.name:
            pod.end()
    assert seen.look().groups["worker"].workers == 1
