"""How a cluster on Kubernetes is looked at: what its API says, and what its scheduler reports.

Any number of workers is the same few calls, and a page more for each 500 pods.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from components.kubernetes.pod_states import REVISION, TEMPLATE, seen
from components.settings import ports
from operations import kube
from operations.kube import KubeError
from operations.pods import JUPYTER, SCHEDULER, Group, Pod, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from components.kubernetes.pod_states import Seen
    from operations.kube import Api

# As the program writes them (components/kubernetes/names.py).
GROUP = "dask-cluster/group"
COMPONENT = "app.kubernetes.io/component"
WORKERS = "dask-cluster/workers"
MAX_WORKERS = "dask-cluster/max-workers"
AUTOSCALER = "dask-cluster/autoscaler"
CERTIFICATES = "/run/dask/certificates"
# Of a scheduler that has half a CPU, and work. Of that, Dask gives its first attempt a fifth.
REPORT_SECONDS = 20


def look(outputs: Mapping[str, Any], api: Api) -> View:
    """Look at the cluster of a stack.

    Args:
        outputs: The stack's outputs.
        api: The API server of its context.

    Raises:
        CommandError: Kubernetes refused a call, or does not answer.
    """
    now = dt.datetime.now(dt.UTC)
    names, namespace = outputs["groups"], outputs["namespace"]
    mine = kube.labels_of(outputs["cluster"])
    found = api.items(
        "looking at the Deployments",
        f"/apis/apps/v1/namespaces/{namespace}/deployments",
        labelSelector=mine,
    )
    deployments = {each["metadata"]["name"]: each for each in found}
    sets = api.items(
        "looking at the ReplicaSets",
        f"/apis/apps/v1/namespaces/{namespace}/replicasets",
        labelSelector=mine,
    )
    earlier = _earlier(sets, {each["metadata"]["uid"]: each for each in deployments.values()})
    by_group: dict[str, list[Pod]] = {}
    for pod in api.pods("looking at the pods", namespace, mine):
        by_group.setdefault(_group_of(pod), []).append(_pod(pod, earlier))
    report = _report(outputs, api, by_group.get(SCHEDULER, ()))
    known = {worker["name"].rpartition("-")[0] for worker in report.get("workers", [])}
    groups = [
        _group(name, deployment, deployments.get(deployment), by_group.get(name, ()), known)
        for name, deployment in names.items()
        if name != SCHEDULER
    ]
    first, lab = names[SCHEDULER], outputs.get("jupyter")
    serving = by_group.get(SCHEDULER, ())
    answers = {pod.name for pod in serving if pod.ready} if "error" not in report else set()
    return View(
        at=now,
        context=api.context,
        namespace=namespace,
        scheduler=_group(SCHEDULER, first, deployments.get(first), serving, answers),
        groups=groups,
        jupyter=_group(JUPYTER, lab, deployments.get(lab), by_group.get(JUPYTER, ()), set())
        if lab
        else None,
        report=report if "error" not in report else {},
        error=report.get("error"),
        expected=outputs["environment"],
    )


# A V1Pod is Any here: the package has no types.
def _group_of(pod: Any) -> str:  # noqa: ANN401
    labels = pod.metadata.labels or {}
    return str(labels.get(GROUP) or labels.get(COMPONENT, ""))


def _earlier(
    sets: Iterable[Mapping[str, Any]], deployments: Mapping[str, Mapping[str, Any]]
) -> set[str]:
    """Return the hashes of the templates that a Deployment had before the present one."""
    found = set()
    for each in sets:
        owners = {owner["uid"] for owner in each["metadata"].get("ownerReferences", ())}
        mine = {_revision(deployments[uid]) for uid in owners & deployments.keys()}
        if mine and _revision(each) not in mine:
            found.add(each["metadata"]["labels"][TEMPLATE])
    return found


def _revision(said: Mapping[str, Any]) -> str | None:
    revision: str | None = said["metadata"].get("annotations", {}).get(REVISION)
    return revision


def _pod(pod: Any, earlier: set[str]) -> Pod:  # noqa: ANN401
    said = seen(pod)
    status = (pod.status.container_statuses or [None])[0]
    # A worker whose scheduler was away, or that was told to end, is started again and well.
    before = status.last_state.terminated if said.crashed else None
    return Pod(
        name=said.name,
        phase=pod.status.phase,
        ready=not said.state and pod.status.phase == "Running",
        ending=pod.metadata.deletion_timestamp is not None,
        created=pod.metadata.creation_timestamp.isoformat(),
        node=pod.spec.node_name,
        state=said.state,
        broken=_is_broken(pod, said),
        replaced=(pod.metadata.labels or {}).get(TEMPLATE) in earlier,
        restarts=said.restarts,
        ended=f"{before.reason or 'Error'}, exit code {before.exit_code}" if before else None,
        ended_at=before.finished_at.isoformat() if before and before.finished_at else None,
    )


def _is_broken(pod: Any, said: Seen) -> bool:  # noqa: ANN401
    """Whether its state is more than a start that takes its time."""
    unplaced = any(
        each.type == "PodScheduled" and each.status == "False"
        for each in pod.status.conditions or ()
    )
    return unplaced or said.waits_in_vain


def _group(
    name: str,
    deployment: str,
    said: Mapping[str, Any] | None,
    pods: Sequence[Pod],
    known: set[str],
) -> Group:
    if said is None:
        return Group(name, deployment, exists=False, pods=tuple(pods))
    notes = said["metadata"].get("annotations", {})
    wanted = int(said["spec"].get("replicas", 1))
    workers = int(notes.get(WORKERS, 1))
    most = notes.get(MAX_WORKERS)
    conditions = said.get("status", {}).get("conditions", ())
    refused = [each["message"] for each in conditions if each["type"] == "ReplicaFailure"]
    return Group(
        name,
        deployment,
        workers=workers,
        wanted=wanted,
        ceiling=int(most) if most else max(workers, wanted),
        moved=notes.get(AUTOSCALER, "scaler") if most else "up",
        pods=tuple(pods),
        registered=sum(pod.name in known and not pod.ending for pod in pods),
        refused=refused[0] if refused else None,
    )


def _report(outputs: Mapping[str, Any], api: Api, pods: Sequence[Pod]) -> dict[str, Any]:
    """Ask the scheduler for its report, inside of its pod; no port has to be open for that."""
    there = [pod for pod in pods if pod.phase == "Running" and not pod.ending]
    if not there:
        return {"error": "no pod of the scheduler runs"}
    tls = "DASK_DISTRIBUTED__COMM__TLS"
    variables = {
        "DASK_SCHEDULER_ADDRESS": f"tls://127.0.0.1:{ports.SCHEDULER}",
        f"{tls}__CA_FILE": f"{CERTIFICATES}/authority.pem",
        f"{tls}__CLIENT__CERT": f"{CERTIFICATES}/certificate.pem",
        f"{tls}__CLIENT__KEY": f"{CERTIFICATES}/key.pem",
    }
    words = ["env", *(f"{name}={value}" for name, value in variables.items())]
    words += ["python", "-m", "dask_node.report", "--timeout", str(REPORT_SECONDS)]
    try:
        said = api.execute("asking the scheduler", outputs["namespace"], there[0].name, words)
        report: dict[str, Any] = json.loads(said)
    except (KubeError, ValueError) as error:
        return {"error": str(error)}
    return report
