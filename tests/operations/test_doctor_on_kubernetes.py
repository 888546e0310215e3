"""What `doctor` finds in a cluster on Kubernetes: pods that are not well, and what holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.operations.kubernetes import (
    IDENTITY,
    Kubernetes,
    crashed,
    stamp,
    starting,
)

if TYPE_CHECKING:
    from tests.operations.project import Project

BUDGETS = (
    "disruption budgets: as they should be; dask-dev-scheduler stays where it is when a node is "
    "emptied"
)
UNKNOWN = "Whether they hold is up to the cluster's network plugin, and cannot be asked"


UNPLACED: dict[str, Any] = {
    "phase": "Pending",
    "containerStatuses": [],
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "message": "0/2 nodes are available: 2 Insufficient memory.",
        }
    ],
}


def test_doctor(project: Project, kubernetes: Kubernetes) -> None:
    printed, errors = project.command("doctor", "dev")
    assert errors == ""
    *lines, certificates, way_in = printed.splitlines()
    assert lines == [
        "  ok  Kubernetes v1.33.5-eks-113cf36",
        "  ok  scheduler: answers, with 2 worker processes",
        "  ok  group scheduler: 1 of 1 pods ready, 1 registered",
        "  ok  group worker: 2 of 2 pods ready, 2 registered",
        "  ok  JupyterLab: 1 of 1 pods ready",
        "  ok  restarts: no crash in the last hour",
        "  ok  evictions: none that Kubernetes remembers",
        f"  ok  environment {IDENTITY}: the same on all 3 processes",
        "  ok  clocks: the same everywhere",
        "  ok  logs: without a known sign of trouble in the last hour, of 4 of 4 pods",
        f"  ok  {BUDGETS}",
        f"  ok  network policies: 1. {UNKNOWN}",
    ]
    assert certificates.startswith("  ok  certificates: 36")
    assert way_in == f"  ok  the way in, for `run`: {project.outside}/bin/kubectl"
    assert len(kubernetes.calls) == 12


def test_doctor_of_an_old_kubernetes(project: Project, kubernetes: Kubernetes) -> None:
    kubernetes.version = "v1.29.15+k3s1"
    printed, _ = project.command("doctor", "dev", code=1)
    line = "Kubernetes v1.29.15+k3s1: this is made for 1.30 and newer. Upgrade the cluster."
    assert printed.startswith(f"  no  {line}\n")
    kubernetes.version = "v1.30.0"
    printed, _ = project.command("doctor", "dev")
    assert printed.startswith("  ok  Kubernetes v1.30.0\n")


@pytest.mark.parametrize(
    ("status", "line", "remedy"),
    [
        (
            UNPLACED,
            "Pending: 0/2 nodes are available: 2 Insufficient memory",
            ". No node has room: lower `cpu` or `memory`, or let there be more nodes.",
        ),
        (
            starting(reason="ImagePullBackOff", message="Back-off pulling image x"),
            "ImagePullBackOff: Back-off pulling image x",
            ". The node cannot get the image: may it pull from `imageRepository`?",
        ),
        (
            crashed("Error", 1),
            "CrashLoopBackOff: Error, exit code 1, started 3 times again",
            ". Its last lines say why.",
        ),
        (
            crashed("OOMKilled", 137),
            "CrashLoopBackOff: OOMKilled, exit code 137, started 3 times again",
            ". It took more than its limit: raise `memory`, or make the partitions smaller.",
        ),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "low on ephemeral-storage"},
            "Evicted: low on ephemeral-storage",
            ". It or its node ran short: raise `disk`, or see the node's own conditions.",
        ),
        (
            {
                "phase": "Succeeded",
                "containerStatuses": [
                    {
                        **crashed("Error", 1)["containerStatuses"][0],
                        "ready": False,
                        "state": {"terminated": {"reason": "Completed", "exitCode": 0}},
                    }
                ],
            },
            "ended: Completed, exit code 0",
            "",
        ),
    ],
)
def test_a_pod_that_is_not_well(
    project: Project, kubernetes: Kubernetes, status: dict[str, Any], line: str, remedy: str
) -> None:
    kubernetes.objects["pods"] = kubernetes.objects["pods"][:2]
    for number in range(2):
        kubernetes.put_pod(f"dask-dev-worker-{number}", "worker", **status)
    kubernetes.report["workers"] = []
    printed, _ = project.command("status", "dev", code=1)
    said = f"Group worker: 2 of 2 pods {line}"
    assert f"  {said}" in printed
    printed, _ = project.command("doctor", "dev", code=1)
    assert f"  no  {said}{remedy}\n" in printed


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_pod_whose_place_another_one_has(
    project: Project, kubernetes: Kubernetes, phase: str
) -> None:
    """Kubernetes keeps the one that was evicted; only an event says of each of them why."""
    for number in range(3):
        pod = kubernetes.put_pod(f"dask-dev-worker-9{number}", "worker", phase=phase)
        pod["metadata"]["creationTimestamp"] = stamp(seconds=3600)
    scratch = 'Usage of EmptyDir volume "scratch" exceeds the limit "1Gi".'
    for name, kind, reason in (
        ("dask-dev-worker-90", "Pod", "Evicted"),
        ("dask-dev-worker-91", "Pod", "Killing"),
        ("notes-1", "Pod", "Evicted"),
    ):
        kubernetes.put(
            "events",
            f"{name}.1",
            type="Warning",
            involvedObject={"name": name, "kind": kind},
            reason=reason,
            message=f"{scratch} ",
        )
    printed, _ = project.command("status", "dev")
    assert "running" in printed
    assert "start" not in printed
    printed, _ = project.command("doctor", "dev", code=1)
    (line,) = [line for line in printed.splitlines() if line.startswith("  no")]
    assert line == (
        f"  no  pod dask-dev-worker-90: Evicted, with what it held: {scratch} It or its node ran "
        "short: raise `disk`, or see the node's own conditions."
    )
    # One more that is wanted is no matter of theirs.
    kubernetes.objects["pods"].remove(kubernetes.named("pods", "dask-dev-worker-1"))
    printed, _ = project.command("status", "dev")
    assert "  group worker: 1 start\n" in printed
    # Nor is it when none is wanted.
    kubernetes.named("deployments", "dask-dev-worker")["spec"]["replicas"] = 0
    kubernetes.objects["pods"].remove(kubernetes.named("pods", "dask-dev-worker-0"))
    kubernetes.report["workers"] = []
    printed, _ = project.command("status", "dev")
    assert "  stopped: group worker has none of its 2 workers" in printed


def test_doctor_of_a_container_that_was_started_again(
    project: Project, kubernetes: Kubernetes
) -> None:
    kubernetes.objects["pods"] = kubernetes.objects["pods"][:3]
    kubernetes.put_pod("dask-dev-worker-1", "worker", **crashed("OOMKilled", 137, ready=True))
    kubernetes.logs["dask-dev-worker-1 previous"] = "one\nKilled\n"
    printed, _ = project.command("doctor", "dev", code=1)
    assert (
        "  no  pod dask-dev-worker-1 was started 3 times again; the last one ended by OOMKilled, "
        "exit code 137. It took more than its limit: raise `memory`, or make the partitions "
        "smaller.\n"
        "      last lines of dask-dev-worker-1 before that:\n"
        "      one\n"
        "      Killed\n"
    ) in printed


def test_doctor_of_a_worker_whose_scheduler_was_away(
    project: Project, kubernetes: Kubernetes
) -> None:
    kubernetes.objects["pods"] = kubernetes.objects["pods"][:3]
    kubernetes.put_pod("dask-dev-worker-1", "worker", **crashed("Error", 75, ready=True))
    printed, _ = project.command("doctor", "dev")
    assert "  ok  restarts: no crash in the last hour\n" in printed
    # Before it is started again the kubelet waits some seconds.
    kubernetes.objects["pods"] = kubernetes.objects["pods"][:3]
    pod = kubernetes.put_pod("dask-dev-worker-1", "worker", **crashed("Error", 75))
    pod["metadata"]["creationTimestamp"] = stamp(seconds=60)
    kubernetes.report["workers"] = kubernetes.report["workers"][:1]
    printed, _ = project.command("doctor", "dev")
    assert "  ok  restarts: no crash in the last hour\n" in printed


def test_doctor_reads_logs(project: Project, kubernetes: Kubernetes) -> None:
    """A worker of the former environment was refused before it was replaced: that is no fault."""
    before = "2026-11-22 01:02:03 - distributed.dask_node.identity - ERROR - Refused worker"
    gone = f"{before} dask-dev-worker-0123-0 at tls://10.0.0.9:9000: pandas 2 and 3\n"
    kubernetes.logs["dask-dev-worker-1"] = gone
    printed, _ = project.command("doctor", "dev")
    assert "  ok  logs: without a known sign of trouble in the last hour" in printed

    line = f"{before} dask-dev-worker-1-0 at tls://10.0.0.1:9000: pandas 2 and 3"
    kubernetes.logs["dask-dev-worker-1"] = f"all is well\n{line}\n{gone}{line}\n{gone}"
    printed, _ = project.command("doctor", "dev", code=1)
    assert (
        "  no  logs: a worker was not admitted (2 lines in the last hour). The line names the "
        "packages that differ, or the address that did not answer.\n"
        f"      dask-dev-worker-1: {line}\n"
    ) in printed


def test_doctor_of_what_moves_and_holds(project: Project, kubernetes: Kubernetes) -> None:
    kubernetes.named("deployments", "dask-dev-worker")["metadata"]["annotations"] |= {
        "dask-cluster/max-workers": "5",
        "dask-cluster/autoscaler": "hpa",
    }
    why = "the HPA was unable to compute the replica count: no metrics returned"
    condition = {"type": "ScalingActive", "status": "False", "message": why}
    hpa = kubernetes.put(
        "horizontalpodautoscalers", "dask-dev-worker", status={"conditions": [condition]}
    )
    kubernetes.named("poddisruptionbudgets", "dask-dev-worker")["status"] |= {
        "currentHealthy": 0,
        "disruptionsAllowed": 0,
    }
    kubernetes.objects["networkpolicies"].clear()
    printed, _ = project.command("doctor", "dev", code=1)
    for line in (
        (
            f"no  autoscaler dask-dev-worker cannot move its group: {why}. It needs the metrics "
            "server of Kubernetes."
        ),
        (
            "no  disruption budget dask-dev-worker holds up whoever empties a node: 0 pods are "
            "healthy, and 1 have to be"
        ),
        f"ok  {BUDGETS}",
        f"no  network policies: 0. {UNKNOWN}",
    ):
        assert f"  {line}\n" in printed
    hpa["status"] = {"conditions": [{**condition, "status": "True"}], "desiredReplicas": 3}
    printed, _ = project.command("doctor", "dev", code=1)
    assert "  ok  autoscaler dask-dev-worker: wants 3 pods\n" in printed


def test_a_pod_that_cannot_be_made(project: Project, kubernetes: Kubernetes) -> None:
    """Only an event says why; of its JupyterLab here, which has no row of its own."""
    kubernetes.objects["pods"].remove(kubernetes.named("pods", "dask-dev-jupyter-1"))
    kubernetes.put_pod("dask-dev-jupyter-1", "jupyter", **starting(reason="ContainerCreating"))
    for pod, message in (("dask-dev-worker-1", "other"), ("dask-dev-jupyter-1", "no such Secret")):
        about: dict[str, Any] = {
            "involvedObject": {"name": pod},
            "reason": "FailedMount",
            "message": message,
        }
        kubernetes.put("events", f"{pod}.1", type="Warning", **about)
    printed, _ = project.command("doctor", "dev", code=1)
    mount = "Something that it mounts is not there: `up` makes it again."
    for line in (
        "JupyterLab: 1 of 1 pods are not ready, dask-dev-jupyter-1: ContainerCreating",
        f"pod dask-dev-jupyter-1: FailedMount: no such Secret. {mount}",
    ):
        assert f"  no  {line}\n" in printed
    assert "other" not in printed
