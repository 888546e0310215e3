"""`Ready` on Kubernetes: what is missing, why it will never come, and when that is known."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from components.kubernetes import pod_states, ready
from tests.graph.kubernetes.api_server import (
    CONTEXT,
    NAMESPACE,
    ApiServer,
    Group,
    Object,
    pod,
    unplaced,
    waiting,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WORKER = "dask-test-worker"


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    monkeypatch.setattr(ready, "LOOK_SECONDS", (0.01, 0.02))
    monkeypatch.setattr(pod_states, "BROKEN_SECONDS", 0.1)
    with ApiServer(Group(WORKER, least=2)) as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        yield server


def props(pods: int = 1, seconds: float = 0.3, context: str = CONTEXT) -> dict[str, Any]:
    wanted = {"deployment": WORKER, "pods": pods, "revision": "r"}
    return {
        "context": context,
        "namespace": NAMESPACE,
        "wanted": {"worker": wanted},
        "seconds": seconds,
        "missing": [],
    }


def missing(api: ApiServer) -> list[str]:
    del api  # its address is in the kubeconfig
    outs = ready._ReadyProvider().read("id", props()).outs
    return list((outs or {})["missing"])


def refused(seconds: float = 0.3) -> str:
    """Wait in vain, and return what is said of it."""
    with pytest.raises(pulumi.RunError) as told:
        ready._ReadyProvider().create(props(seconds=seconds))
    return str(told.value)


def later(api: ApiServer, seconds: float, change: Callable[[], object]) -> None:
    """Change something so many seconds after the first look, however late that comes."""

    def run() -> None:
        if api.looked.wait(60):
            time.sleep(seconds)
            change()

    threading.Thread(target=run, daemon=True).start()


def test_one_ready_pod_of_the_present_template_is_enough(api: ApiServer) -> None:
    api.groups[WORKER].pods = [waiting("ContainerCreating"), pod()]
    assert missing(api) == []
    assert (ready._ReadyProvider().create(props()).outs or {})["missing"] == []
    assert api.changes == []


def test_pods_of_the_last_template_do_not_count(api: ApiServer) -> None:
    api.groups[WORKER].pods = [waiting("ContainerCreating")]
    assert missing(api) == ["worker"]


def test_an_edit_that_its_controller_has_not_seen_does_not_count(api: ApiServer) -> None:
    api.groups[WORKER].pods = [pod()]
    api.groups[WORKER].observed = False
    assert missing(api) == ["worker"]


def test_a_deployment_that_was_deleted_is_missing_and_named(api: ApiServer) -> None:
    api.groups.clear()
    assert missing(api) == ["worker"]
    assert f"there is no Deployment {WORKER} in {NAMESPACE}" in refused()


def test_it_waits(api: ApiServer) -> None:
    began = time.monotonic()
    later(api, 0.3, lambda: api.groups[WORKER].pods.append(pod()))
    ready._ReadyProvider().create(props(seconds=60))
    assert 0.3 <= time.monotonic() - began < 30


def test_a_group_that_an_idle_stop_stopped_is_started(api: ApiServer) -> None:
    api.groups[WORKER].replicas = 0
    later(api, 0.2, lambda: api.groups[WORKER].pods.append(pod()))
    ready._ReadyProvider().update("id", {}, props(seconds=60))
    assert api.changes == [(WORKER, {"spec": {"replicas": 2}})]


def test_a_group_that_is_larger_is_left_alone(api: ApiServer) -> None:
    api.groups[WORKER].replicas = 9
    refused()
    assert api.changes == []


def test_what_the_scheduler_of_kubernetes_says_is_told(api: ApiServer) -> None:
    said = "0/3 nodes are available: 3 Insufficient cpu."
    api.groups[WORKER].pods = [unplaced(said) for _ in range(40)]
    told = refused()
    assert told.startswith("not ready after 0.3 s: worker: 0 of 1 pods are ready\n")
    first = api.groups[WORKER].pods[0]["metadata"]["name"]
    assert f"{first} and 39 more: Pending: {said}" in told


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("ImagePullBackOff", 'Back-off pulling image "ghcr.io/me/dask@sha256:00"'),
        ("InvalidImageName", "couldn't parse image name"),
        ("CreateContainerConfigError", 'secret "dask-test-tls-worker" not found'),
    ],
)
def test_a_pod_that_will_never_start_ends_the_wait(
    api: ApiServer, reason: str, message: str
) -> None:
    later(api, 0.1, lambda: api.groups[WORKER].pods.append(waiting(reason, message)))
    began = time.monotonic()
    told = refused(seconds=60)
    assert time.monotonic() - began < 30
    assert told.startswith("not ready: worker")
    assert f"{reason}: {message}" in told


def test_one_that_was_so_before_this_up_ends_it_too(api: ApiServer) -> None:
    """The kubelet looks for a Secret again within seconds: it is still not there."""
    api.groups[WORKER].pods = [waiting("CreateContainerConfigError", "no secret")]
    assert "CreateContainerConfigError: no secret" in refused(seconds=60)


def test_a_broken_pod_beside_one_that_starts_does_not(api: ApiServer) -> None:
    """One node that cannot pull must not fail a fleet."""
    group = api.groups[WORKER]
    later(api, 0.1, lambda: group.pods.extend([waiting("ImagePullBackOff"), waiting("Starting")]))
    later(api, 0.6, lambda: group.pods.append(pod()))
    ready._ReadyProvider().create(props(seconds=60))


def test_what_was_broken_before_may_have_been_mended(api: ApiServer) -> None:
    """The kubelet waits for minutes before it pulls again what was pushed since."""
    group = api.groups[WORKER]
    group.pods = [waiting("ImagePullBackOff")]
    later(api, 0.6, lambda: group.pods.append(pod()))
    ready._ReadyProvider().create(props(seconds=60))


def test_a_new_attempt_that_fails_ends_the_wait(api: ApiServer) -> None:
    group = api.groups[WORKER]
    group.pods = [waiting("ImagePullBackOff", "not found")]
    states = group.pods[0]["status"]["containerStatuses"][0]["state"]["waiting"]
    later(api, 0.3, lambda: states.update(reason="ErrImagePull"))
    later(api, 0.5, lambda: states.update(reason="ImagePullBackOff"))
    assert "ImagePullBackOff: not found" in refused(seconds=60)


def test_three_crashes_end_the_wait_with_the_last_lines_of_the_log(api: ApiServer) -> None:
    api.log = "\n".join(f"line {number}" for number in range(30))
    crashed = waiting("CrashLoopBackOff", "back-off 20s", 3, reason="OOMKilled", exitCode=137)
    later(api, 0.1, lambda: api.groups[WORKER].pods.append(crashed))
    told = refused(seconds=60)
    assert "CrashLoopBackOff: OOMKilled, exit code 137, started 3 times again" in told
    assert told.endswith("    line 29")
    assert "line 19" not in told


def test_crashes_before_this_up_do_not(api: ApiServer) -> None:
    group = api.groups[WORKER]
    group.pods = [waiting("CrashLoopBackOff", "", 5, exitCode=1)]
    later(api, 0.4, lambda: group.pods.append(pod()))
    ready._ReadyProvider().create(props(seconds=60))


def test_one_more_after_them_does(api: ApiServer) -> None:
    group = api.groups[WORKER]
    group.pods = [waiting("CrashLoopBackOff", "", 5, exitCode=1)]
    container = group.pods[0]["status"]["containerStatuses"][0]
    later(api, 0.2, lambda: container.update(restartCount=6))
    assert "exit code 1, started 6 times again" in refused(seconds=60)


@pytest.mark.parametrize("code", [0, 75])
def test_a_worker_that_asks_to_be_started_again_has_not_crashed(api: ApiServer, code: int) -> None:
    group = api.groups[WORKER]
    later(api, 0.05, lambda: group.pods.append(waiting("CrashLoopBackOff", "", 4, exitCode=code)))
    later(api, 0.5, lambda: group.pods.append(pod()))
    ready._ReadyProvider().create(props(seconds=60))


def test_an_evicted_pod_is_told(api: ApiServer) -> None:
    evicted = pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
    del evicted["status"]["containerStatuses"]
    api.groups[WORKER].pods = [evicted]
    assert "Evicted: The node was low on resource: memory." in refused()


def test_a_pod_that_runs_and_does_not_register_is_told_with_its_last_end(api: ApiServer) -> None:
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    it = {"ready": False, "restartCount": 1, "lastState": ended}
    api.groups[WORKER].pods = [pod(it=it)]
    api.log = "distributed.nanny - gone"
    told = refused()
    assert "runs, and is not ready: OOMKilled, exit code 137, started 1 times again" in told
    assert "    distributed.nanny - gone" in told


def test_a_volume_that_cannot_be_mounted_is_told(api: ApiServer) -> None:
    api.groups[WORKER].pods = [waiting("ContainerCreating")]
    api.events = [_event("FailedMount", 'secret "dask-test-tls-worker" not found')]
    assert 'FailedMount: secret "dask-test-tls-worker" not found' in refused()


def _event(reason: str, message: str) -> Object:
    about = {"kind": "Pod", "name": "p"}
    return {
        "metadata": {"name": "e"},
        "involvedObject": about,
        "reason": reason,
        "message": message,
    }


def test_a_quota_is_told(api: ApiServer) -> None:
    message = 'pods "w" is forbidden: exceeded quota: cpu'
    api.groups[WORKER].conditions = [
        {"type": "ReplicaFailure", "status": "True", "message": message}
    ]
    assert message in refused()


def test_a_context_that_is_not_there_is_named(api: ApiServer) -> None:
    del api
    with pytest.raises(pulumi.RunError, match=r"context: 'other' cannot be read from .*kubeconfig"):
        ready._ReadyProvider().create(props(context="other"))


def test_who_may_not_look_is_told(api: ApiServer) -> None:
    api.refuses = 403
    with pytest.raises(
        pulumi.RunError, match=r"refuses: looking at the Deployments: 403 Forbidden"
    ):
        missing(api)


def test_nothing_has_changed_between_two_ups() -> None:
    provider = ready._ReadyProvider()
    assert not provider.diff("id", props(), props() | {"__provider": "pickled"}).changes
    assert provider.diff("id", props() | {"missing": ["worker"]}, props()).changes
    assert provider.diff("id", props(), props(pods=2)).changes
