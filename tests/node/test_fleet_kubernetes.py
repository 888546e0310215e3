"""Deployments as a fleet: what a look finds."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from dask_node import fleet
from dask_node.fleet import Places
from dask_node.kubernetes import clients
from dask_node.kubernetes.fleet import KubernetesFleet
from tests.node.kube_fleet import NONE, Seen, names
from tests.node.kube_objects import deployment
from tests.node.kube_server import WHERE
from tests.node.scaling import group

if TYPE_CHECKING:
    from tests.node.kube_server import FakeKubernetes


def test_the_variable_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_CLUSTER_FLEET", WHERE)
    ours = fleet.load()
    assert isinstance(ours, KubernetesFleet)
    assert (ours.namespace, ours.cluster, ours.interval) == ("science", "dev", 5.0)


@pytest.mark.parametrize("where", ["kubernetes:", "kubernetes:n", "kubernetes:/c", "kubernetes:n/"])
def test_a_variable_that_is_not_whole_is_refused(where: str) -> None:
    with pytest.raises(ValueError, match="is not of the form kubernetes:<namespace>/<cluster>"):
        KubernetesFleet(where)


def test_a_look_reads_all_annotations(
    kubernetes: FakeKubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "PAGE", 1)
    big = group("big", 1, 6, processes=2, threads=4, resources={"GPU": 1.0, "disk": 2.5})
    hands_off = dataclasses.replace(group("auto", 2, 5), hands_off=True)
    seen = Seen(
        kubernetes,
        deployment(big, idle_stop="900"),
        deployment(hands_off, idle_stop="900"),
        deployment(group("worker", 3), idle_stop="900"),
    )
    state = seen.look()
    assert state.groups == {"worker": group("worker", 3), "auto": hands_off, "big": big}
    assert list(state.groups) == ["worker", "auto", "big"]  # the default group first
    assert (state.idle_stop, state.no_client_stop) == (900.0, None)
    assert [(g.scaled, g.limit) for g in state.groups.values()] == [
        (False, 3),
        (False, 5),
        (True, 6),
    ]


def test_a_look_is_two_calls(kubernetes: FakeKubernetes) -> None:
    one, two = deployment(group("worker", 3)), deployment(group("big", 300))
    seen = Seen(kubernetes, one, two)
    seen.kubernetes.control()
    seen.look()
    assert seen.kubernetes.looks == ["deployments", "pods"]


def test_what_is_no_group_of_workers_is_left_out(kubernetes: FakeKubernetes) -> None:
    scheduler, foreign = deployment(group("scheduler", 1)), deployment(group("foreign", 1))
    scheduler.labels["app.kubernetes.io/component"] = "scheduler"
    foreign.labels["app.kubernetes.io/instance"] = "prod"
    gone, bare = deployment(group("gone", 1)), deployment(group("bare", 1))
    gone.deleted = True
    bare.annotations.clear()
    seen = Seen(kubernetes, scheduler, foreign, gone, bare, deployment(group("worker", 3)))
    seen.kubernetes.control()
    state = seen.look()
    assert state.groups == {"worker": group("worker", 3)}
    assert len(state.places["worker"].running) == 3


def test_pods_by_their_states(kubernetes: FakeKubernetes) -> None:
    one = deployment(group("worker", 6))
    seen = Seen(kubernetes, one)
    unassigned, pending, unready, ready, ending, lost, evicted, done = seen.kubernetes.add(one, 8)
    pending.node = "n1"
    unready.run(ready=False)
    ready.run()
    ending.run().end()
    lost.run().end(since=timedelta(seconds=930 + 61))
    evicted.phase, done.phase = "Failed", "Succeeded"
    awaited = frozenset({"worker-awaited-0", "worker-awaited-1"})
    running = names([unassigned, pending, unready, ready]) | awaited
    assert seen.look().places == {"worker": Places(running, names([ending]), NONE)}


@pytest.mark.parametrize(
    ("reason", "restarts", "code", "failed"),
    [
        ("ContainerCreating", 0, None, False),
        ("ErrImagePull", 0, None, True),
        ("ImagePullBackOff", 0, None, True),
        ("CreateContainerConfigError", 0, None, True),
        ("CrashLoopBackOff", 2, 1, False),
        ("CrashLoopBackOff", 3, 1, True),
        # Its scheduler was away, or its lifetime is over: `dask_node.worker` wants to begin again.
        ("CrashLoopBackOff", 9, 75, False),
        ("CrashLoopBackOff", 9, 0, False),
    ],
)
def test_what_does_not_start_has_failed(
    kubernetes: FakeKubernetes,
    reason: str,
    restarts: int,
    code: int | None,
    failed: bool,  # noqa: FBT001
) -> None:
    one = deployment(group("worker", 2))
    seen = Seen(kubernetes, one)
    good, bad = seen.kubernetes.add(one, 2)
    good.run()
    bad.wait(reason, restarts, code)
    places = seen.look().places["worker"]
    assert places.failed == (names([bad]) if failed else NONE)
    assert places.running == names([good]) | (NONE if failed else names([bad]))


def test_what_crashes_has_failed_until_it_registers(kubernetes: FakeKubernetes) -> None:
    one = deployment(group("worker", 1))
    seen = Seen(kubernetes, one)
    [pod] = seen.kubernetes.add(one)
    pod.wait("CrashLoopBackOff", 3, 1)
    for _ in range(2):
        assert seen.look().places["worker"].failed == names([pod])
        pod.run(ready=False)  # for the seconds until it crashes again
    pod.ready = True
    assert seen.look().places["worker"] == Places(names([pod]), NONE, NONE)


def test_what_no_quota_allows_has_failed(kubernetes: FakeKubernetes) -> None:
    one = deployment(group("worker", 3))
    one.room = 1
    seen = Seen(kubernetes, one)
    seen.kubernetes.control()
    places = seen.look().places["worker"]
    assert places.failed == {"worker-awaited-0", "worker-awaited-1"}
    assert len(places.running) == 1
    one.room = None
    assert seen.look().places["worker"].failed == NONE
