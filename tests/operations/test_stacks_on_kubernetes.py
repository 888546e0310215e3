"""What the commands do with a stack on Kubernetes, and what they leave to Pulumi."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from components.kubernetes import configuration, names
from operations import kube, pods_look
from tests.operations.kubernetes import (
    IDENTITY,
    OUTPUTS,
    SETTINGS,
    WORKER,
    Kubernetes,
    crashed,
    labels_of,
    stamp,
    starting,
    write_kubeconfig,
)
from tests.operations.project import COMMAND

if TYPE_CHECKING:
    from tests.operations.project import Project

HEAD = f"""
  Scheduler    tls://dask-dev-scheduler.dask-dev.svc:8786
  Runs on      dask-dev-scheduler-1 on node-1
  Environment  {IDENTITY}
  Namespace    dask-dev, by context kind-kind

  Group      wanted  max  running  ready  registered  ending  moved by
"""


def shown(printed: str) -> str:
    return "\n".join(map(str.rstrip, printed.splitlines()))


def test_the_marks_are_those_of_the_program() -> None:
    assert kube.labels_of("dev") == ",".join(
        f"{key}={value}" for key, value in names.Names("dev", "n").selector().items()
    )
    assert labels_of("dev", "worker").items() <= names.Names("dev", "n").labels("worker").items()
    for mark in ("GROUP", "WORKERS", "MAX_WORKERS", "AUTOSCALER"):
        assert getattr(pods_look, mark) == getattr(names, mark)
    assert str(configuration.CERTIFICATES) == pods_look.CERTIFICATES


def test_up_is_left_to_pulumi(project: Project) -> None:
    project.edit(**SETTINGS)
    assert project.refused("up", "dev", "--yes", code=2) == (
        "stack `dev` is on Kubernetes, and belongs to Pulumi itself. Type:\n"
        "  pulumi up -s dev\n"
        "To try the stack on this machine, without a cluster of yours:\n"
        f"  {COMMAND} rehearse dev up"
    )


def test_outputs_are_pulumis(project: Project, kubernetes: Kubernetes) -> None:
    printed, _ = project.command("outputs", "dev", "--json", "--show-secrets")
    assert json.loads(printed) == OUTPUTS
    project.remove("pulumi")
    assert project.refused("status", "dev", code=1) == (
        "stack `dev` is on Kubernetes and its outputs are in Pulumi's backend, but there is no "
        "`pulumi` on PATH. Install it: https://www.pulumi.com/docs/install/"
    )
    assert kubernetes.calls == []


def test_status(project: Project, kubernetes: Kubernetes) -> None:
    printed, errors = project.command("status", "dev")
    assert errors == ""
    assert shown(printed) == (
        f"\nDask cluster dev  running{HEAD}"
        "  scheduler       1    1        1      1           1       0  up\n"
        "  worker          2    2        2      2           2       0  up\n"
        "  2 workers, 2 processes, 2 threads, 2.00 GiB of memory"
    )
    (words,) = kubernetes.executed
    assert words[-5:] == ["python", "-m", "dask_node.report", "--timeout", "20"]
    assert "DASK_SCHEDULER_ADDRESS=tls://127.0.0.1:8786" in words
    assert "secrets" not in " ".join(kubernetes.calls)


def test_status_as_json(project: Project, kubernetes: Kubernetes) -> None:
    kubernetes.report["identity"] = "fedcba9876543210"
    printed, _ = project.command("status", "dev", "--json", code=1)
    found = json.loads(printed)
    assert found["faults"] == [
        (
            "The scheduler runs environment fedcba9876543210, and the stack's is 0123456789abcdef. "
            "`up` puts it right."
        )
    ]
    assert (found["stack"], found["outputs"]) == ("dev", OUTPUTS)
    assert [pod["name"] for pod in found["groups"][0]["pods"]] == [
        "dask-dev-worker-0",
        "dask-dev-worker-1",
    ]


def test_status_of_many(project: Project, kubernetes: Kubernetes) -> None:
    """More pods than an answer has; another cluster's are not ours."""
    kubernetes.page = 3
    kubernetes.objects.clear()
    kubernetes.put_cluster(
        10, **{"dask-cluster/max-workers": "20", "dask-cluster/autoscaler": "scaler"}
    )
    theirs = kubernetes.put_pod("dask-other-worker-0", "worker")
    theirs["metadata"]["labels"]["app.kubernetes.io/instance"] = "other"
    ending = kubernetes.named("pods", "dask-dev-worker-9")
    ending["metadata"]["deletionTimestamp"] = stamp(seconds=5)
    drain = {
        "reason": "the pod ends",
        "phase": "moving",
        "seconds": 5.0,
        "limit": 900.0,
        "results": 12,
        "bytes": 2**21,
    }
    kubernetes.report["workers"][9]["draining"] = drain
    kubernetes.report["fleet"] = {"groups": {"worker": {"wanted": 10}}, "stopped": None}
    printed, _ = project.command("status", "dev")
    assert shown(printed).endswith(
        "  scheduler       1    1        1      1           1       0  up\n"
        "  worker         10   20        9      9           9       1  scaler\n"
        "  10 workers, 10 processes, 10 threads, 10.00 GiB of memory\n"
        "  group worker: 1 end, and hand over their data first\n"
        "  group worker: 1 start\n"
        "  dask-dev-worker-9-0 is draining: the pod ends; moving, 5 s of at most 900 s, 12 results "
        "(2.0 MiB) left\n"
        "  group worker: 10 to 20 workers, 10 wanted"
    )


def test_status_of_a_stop(project: Project, kubernetes: Kubernetes) -> None:
    kubernetes.named("deployments", "dask-dev-worker")["spec"]["replicas"] = 0
    kubernetes.objects["pods"] = kubernetes.objects["pods"][:2]
    kubernetes.report |= {
        "workers": [],
        "fleet": {"groups": {}, "stopped": "idle for 1800 s"},
    }
    printed, _ = project.command("status", "dev")
    assert "Dask cluster dev  stopped\n" in printed
    assert shown(printed).endswith(
        "  worker          0    2        0      0           0       0  up\n"
        "  0 workers, 0 processes, 0 threads, 0.00 GiB of memory\n"
        "  stopped: idle for 1800 s. Work that arrives, or `up`, starts them."
    )
    printed, _ = project.command("doctor", "dev")
    assert "  ok  group worker: stopped, of 2: idle for 1800 s\n" in printed


def test_pods_that_start(project: Project, kubernetes: Kubernetes) -> None:
    """One is being made, one is not there yet; neither is a fault for two minutes."""
    kubernetes.objects["pods"] = kubernetes.objects["pods"][:2]
    pod = kubernetes.put_pod("dask-dev-worker-0", "worker", **starting(reason="ContainerCreating"))
    pod["metadata"]["creationTimestamp"] = stamp(seconds=10)
    kubernetes.report["workers"] = []
    printed, _ = project.command("status", "dev")
    assert "  group worker: 2 start\n" in printed
    pod["metadata"]["creationTimestamp"] = stamp(seconds=150)
    printed, _ = project.command("status", "dev", code=1)
    assert (
        "  Group worker: 1 of 2 pods are not ready, dask-dev-worker-0: ContainerCreating\n"
        in printed
    )


def test_pods_that_are_replaced(project: Project, kubernetes: Kubernetes) -> None:
    """Of an environment before this one: the new scheduler refuses it, and nobody minds."""
    revision, template = "deployment.kubernetes.io/revision", "pod-template-hash"
    deployment = kubernetes.named("deployments", "dask-dev-worker")
    deployment["metadata"]["annotations"][revision] = "2"
    for number in ("1", "2"):
        made = kubernetes.put(
            "replicasets",
            f"dask-dev-worker-{number}",
            labels={template: f"hash-{number}"},
            annotations={revision: number},
        )
        made["metadata"]["ownerReferences"] = [{"uid": deployment["metadata"]["uid"]}]
    old = kubernetes.named("pods", "dask-dev-worker-1")
    old["status"] = crashed("Error", 1)
    kubernetes.report["workers"] = kubernetes.report["workers"][:1]
    old["metadata"]["labels"][template] = "hash-1"
    kubernetes.named("pods", "dask-dev-worker-0")["metadata"]["labels"][template] = "hash-2"
    printed, _ = project.command("status", "dev")
    assert "  group worker: 1 of an earlier template, replaced one after another\n" in printed
    assert "Dask cluster dev  running\n" in printed
    # The same of the present template is a fault.
    old["metadata"]["labels"][template] = "hash-2"
    printed, _ = project.command("status", "dev", code=1)
    assert "earlier template" not in printed
    assert "  Group worker: 1 of 2 pods CrashLoopBackOff: Error, exit code 1" in printed


def test_a_pod_that_runs_and_has_not_registered(project: Project, kubernetes: Kubernetes) -> None:
    pod = kubernetes.named("pods", "dask-dev-worker-1")
    pod["status"]["containerStatuses"][0]["ready"] = False
    kubernetes.report["workers"] = kubernetes.report["workers"][:1]
    printed, _ = project.command("status", "dev", code=1)
    assert shown(printed).splitlines()[-3:] == [
        "  worker          2    2        2      1           1       0  up",
        "  1 workers, 1 processes, 1 threads, 1.00 GiB of memory",
        "  Group worker: 1 of 2 pods are not ready, dask-dev-worker-1: runs, and is not ready",
    ]


def test_without_jupyter(project: Project, kubernetes: Kubernetes) -> None:
    """Pulumi has no output where the program says None."""
    project.answer({key: value for key, value in OUTPUTS.items() if key != "jupyter"})
    kubernetes.objects["deployments"].remove(kubernetes.named("deployments", "dask-dev-jupyter"))
    assert "Dask cluster dev  running\n" in project.command("status", "dev")[0]
    assert "JupyterLab" not in project.command("doctor", "dev")[0]


def test_what_is_not_there(project: Project, kubernetes: Kubernetes) -> None:
    kubernetes.objects.clear()
    printed, _ = project.command("status", "dev", code=1)
    said = "Kubernetes has no Deployment dask-dev-"
    assert shown(printed).endswith(
        "  scheduler       0    0        0      0           0       0  up\n"
        "  worker          0    0        0      0           0       0  up\n"
        f"  Group scheduler: {said}scheduler. `up` makes it.\n"
        f"  Group worker: {said}worker. `up` makes it.\n"
        f"  JupyterLab: {said}jupyter. `up` makes it."
    )
    project.remove("kubectl")
    project.environ["PATH"] = f"{project.outside}/bin"
    printed, _ = project.command("doctor", "dev", code=1)
    assert "  no  the way in, for `run`: there is no `kubectl` on PATH: it reads" in printed


def test_pods_that_are_refused(project: Project, kubernetes: Kubernetes) -> None:
    """A quota is full: there are no pods to say so."""
    deployment = kubernetes.named("deployments", "dask-dev-worker")
    kubernetes.objects["pods"] = kubernetes.objects["pods"][:2]
    kubernetes.report["workers"] = []
    deployment["status"]["conditions"] = [
        {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small"}
    ]
    printed, _ = project.command("status", "dev", code=1)
    assert "  Group worker gets no more pods: exceeded quota: small\n" in printed


def test_a_scheduler_that_gives_no_report(project: Project, kubernetes: Kubernetes) -> None:
    kubernetes.report = {"error": "Timed out"}
    printed, _ = project.command("status", "dev", code=1)
    assert "  The scheduler gives no report: Timed out\n" in printed
    kubernetes.refusals["GET", "pods"] = (403, "pods is forbidden: User ada cannot list pods")
    assert project.refused("status", "dev", code=1) == (
        "Kubernetes, looking at the pods: pods is forbidden: User ada cannot list pods"
    )


def test_a_report_is_not_for_everybody(project: Project, kubernetes: Kubernetes) -> None:
    """Whoever may not run something in a pod sees what the API says."""
    kubernetes.refusals["GET", "exec"] = (403, "pods/exec is forbidden")
    printed, _ = project.command("status", "dev", code=1)
    assert shown(printed).splitlines()[-2:] == [
        "  worker          2    2        2      2           0       0  up",
        "  The scheduler gives no report: Kubernetes, asking the scheduler: pods/exec is forbidden",
    ]


def test_no_such_context(project: Project, kubernetes: Kubernetes) -> None:
    project.answer({**OUTPUTS, "context": "elsewhere"})
    assert project.refused("status", "dev", code=1).startswith(
        f"context `elsewhere` of {project.environ['KUBECONFIG']}: Invalid kube-config file. "
    )
    assert kubernetes.calls == []


def test_an_api_that_does_not_answer(project: Project, kubernetes: Kubernetes) -> None:
    write_kubeconfig(project.outside / "home" / ".kube" / "config", "http://127.0.0.1:1")
    said = project.refused("status", "dev", code=1)
    assert said.startswith(
        "Kubernetes, looking at the Deployments: the API server of context `kind-kind` does not "
        "answer: "
    )
    assert kubernetes.calls == []


def test_another_process_of_a_pod(project: Project, kubernetes: Kubernetes) -> None:
    """Of several processes each has the pod's name, and a pod is counted once."""
    kubernetes.report["workers"] = [
        {**WORKER, "name": f"dask-dev-worker-{pod}-{process}"}
        for pod in range(2)
        for process in range(2)
    ]
    printed, _ = project.command("status", "dev")
    assert shown(printed).splitlines()[-2:] == [
        "  worker          2    2        2      2           2       0  up",
        "  2 workers, 4 processes, 4 threads, 4.00 GiB of memory",
    ]


def test_jupyter_is_for_kubernetes(project: Project) -> None:
    assert project.refused("jupyter", "dev", code=2) == (
        "stack `dev` is not on Kubernetes, and has no JupyterLab of its own. Here: add "
        f'`"jupyterlab>=4"` to `packages`, and then {COMMAND} run dev -- jupyter lab'
    )
