"""What may be wrong with a cluster on Kubernetes, looked at one thing at a time."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

from operations import kube, kubeconfig, log_signs, pods_screen, report_checks
from operations.kube import KubeError
from operations.pods import JUPYTER
from operations.stacks import CommandError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from operations.kube import Api
    from operations.pods import Group, Pod, View

# Of Kubernetes: what the objects are validated for, from this one on.
OLDEST = (1, 30)
RECENT = dt.timedelta(hours=1)
LAST_LINES = 8
# Of a large group not each log is read, and not each restart told.
MOST_LOGS = 20
MOST_RESTARTS = 5
LOG_BYTES = 2**20
# A word of Kubernetes's in what it says of a pod, and what to do then.
REMEDIES = (
    ("OOMKilled", "It took more than its limit: raise `memory`, or make the partitions smaller."),
    ("Evicted", "It or its node ran short: raise `disk`, or see the node's own conditions."),
    ("Insufficient", "No node has room: lower `cpu` or `memory`, or let there be more nodes."),
    ("ImagePull", "The node cannot get the image: may it pull from `imageRepository`?"),
    ("CrashLoopBackOff", "Its last lines say why."),
    ("FailedMount", "Something that it mounts is not there: `up` makes it again."),
    ("PersistentVolumeClaim", "Its volume is not there yet: look at `storageClass`."),
)


def findings(outputs: Mapping[str, Any], view: View, api: Api) -> Iterator[tuple[bool, str]]:
    """Yield each check of a cluster: whether it is well, and a line that says what was seen.

    Args:
        outputs: The stack's outputs.
        view: The cluster as it is now.
        api: Its API server.
    """
    yield _server(api)
    yield from _scheduler(view)
    for group in view.all:
        yield from _group(group, view)
    yield from _warnings(view, api)
    yield from _restarts(view, api)
    yield from _evictions(view, api)
    if view.report:
        yield report_checks.environments(outputs, view.report)
        yield report_checks.clocks(view.report)
    yield from _logs(view, api)
    yield from _autoscalers(outputs, view, api)
    yield from _budgets(outputs, view, api)
    yield _policies(outputs, view, api)
    yield report_checks.certificates(outputs)
    yield _way_in()


def _server(api: Api) -> tuple[bool, str]:
    said: str = api.get("asking for the version of Kubernetes", "/version")["gitVersion"]
    # Such as v1.33.5-eks-113cf36 and v1.30.2+k3s1.
    major, minor = map(int, re.findall(r"\d+", said)[:2])
    if (major, minor) >= OLDEST:
        return True, f"Kubernetes {said}"
    oldest = ".".join(map(str, OLDEST))
    return False, f"Kubernetes {said}: this is made for {oldest} and newer. Upgrade the cluster."


def _scheduler(view: View) -> Iterator[tuple[bool, str]]:
    wrong = list(pods_screen.scheduler_faults(view))
    for line in wrong:
        yield False, f"scheduler: {line}"
    if not wrong and view.report:
        yield True, f"scheduler: answers, with {len(view.report['workers'])} worker processes"


def _group(group: Group, view: View) -> Iterator[tuple[bool, str]]:
    wrong = list(pods_screen.group_faults(group, view))
    for line in wrong:
        yield False, _with_remedy(line)
    if wrong:
        return
    if group.stopped:
        why = view.fleet["stopped"]
        yield True, f"group {group.name}: stopped, of {group.workers}{f': {why}' if why else ''}"
    elif group.name == JUPYTER:
        yield True, f"JupyterLab: {group.ready} of {group.wanted} pods ready"
    else:
        there = f"{group.ready} of {group.wanted} pods ready, {group.registered} registered"
        yield True, f"group {group.name}: {there}"


def _warnings(view: View, api: Api) -> Iterator[tuple[bool, str]]:
    """Of a container that is not made for minutes only an event says why."""
    late = [pod for group in view.all for pod in group.pods if pod.is_late(view.at)]
    for pod in [pod for pod in late if pod.phase == "Pending"][:MOST_RESTARTS]:
        chosen = f"involvedObject.name={pod.name},type=Warning"
        found = _events(view, api, f"reading the events of {pod.name}", chosen)
        for event in found[-1:]:
            yield False, _with_remedy(f"pod {pod.name}: {event['reason']}: {event['message']}")


def _events(view: View, api: Api, what: str, chosen: str) -> list[dict[str, Any]]:
    path = f"/api/v1/namespaces/{view.namespace}/events"
    return list(api.items(what, path, fieldSelector=chosen))


def _with_remedy(line: str) -> str:
    found = [remedy for word, remedy in REMEDIES if word in line]
    return f"{line.rstrip('. ')}. {found[0]}" if found else line


def _restarts(view: View, api: Api) -> Iterator[tuple[bool, str]]:
    """A container that was started again may be well at this moment."""
    again = [pod for group in view.all for pod in group.pods if _ended_of_late(pod, view.at)]
    for pod in again[:MOST_RESTARTS]:
        said = f"pod {pod.name} was started {pod.restarts} times again; the last one ended by"
        yield False, _with_remedy(f"{said} {pod.ended}") + _tail(pod, view.namespace, api)
    if not again:
        yield True, "restarts: no crash in the last hour"


def _evictions(view: View, api: Api) -> Iterator[tuple[bool, str]]:
    """A pod that was evicted took its data along; another one has its place and is well.

    Only an event says so: to the kubelet a worker that ends in time has simply ended. Kubernetes
    forgets events after an hour.
    """
    ours = tuple(f"{group.deployment}-" for group in view.all)
    chosen = "reason=Evicted,involvedObject.kind=Pod"
    found = _events(view, api, "reading the events of evictions", chosen)
    evicted = [each for each in found if each["involvedObject"]["name"].startswith(ours)]
    evicted.sort(key=lambda each: each["metadata"]["creationTimestamp"])
    for each in evicted[-MOST_RESTARTS:]:
        said = f"pod {each['involvedObject']['name']}: Evicted, with what it held"
        yield False, _with_remedy(f"{said}: {each['message']}")
    if not evicted:
        yield True, "evictions: none that Kubernetes remembers"


def _ended_of_late(pod: Pod, now: dt.datetime) -> bool:
    return pod.ended_at is not None and now - dt.datetime.fromisoformat(pod.ended_at) < RECENT


def _tail(pod: Pod, namespace: str, api: Api) -> str:
    """Return the last lines of a container that has ended."""
    try:
        said = api.text(
            f"reading the log of {pod.name}",
            f"/api/v1/namespaces/{namespace}/pods/{pod.name}/log",
            previous="true",
            tailLines=LAST_LINES,
        )
    except KubeError as error:
        said = str(error)
    lines = [f"last lines of {pod.name} before that:", *said.splitlines()]
    return "".join(f"\n      {line}" for line in lines)


def _logs(view: View, api: Api) -> Iterator[tuple[bool, str]]:
    """Look for known signs; the scheduler's log first, then those of pods that are not ready."""
    running = [pod for group in view.all for pod in group.pods if pod.phase == "Running"]
    chosen = sorted(running, key=lambda pod: (pod not in view.scheduler.pods, pod.ready))
    chosen = chosen[:MOST_LOGS]
    texts: dict[str, str] = {}
    for pod in chosen:
        try:
            texts[pod.name] = api.text(
                f"reading the log of {pod.name}",
                f"/api/v1/namespaces/{view.namespace}/pods/{pod.name}/log",
                sinceSeconds=int(RECENT.total_seconds()),
                limitBytes=LOG_BYTES,
            )
        except KubeError as error:
            yield False, f"logs: {error}"
    here = {pod.name for pod in running}
    lines = (
        (name, line)
        for name, text in texts.items()
        for line in text.splitlines()
        if not _of_one_that_is_gone(line, here)
    )
    signs = list(log_signs.count(lines))
    for sign, count, name, line in signs:
        said = f"logs: {sign.meaning} ({count} lines in the last hour). {sign.remedy}"
        yield False, f"{said}\n      {name}: {line.strip()}"
    if not signs:
        of = f"{len(texts)} of {len(running)} pods"
        yield True, f"logs: without a known sign of trouble in the last hour, of {of}"


def _of_one_that_is_gone(line: str, here: Collection[str]) -> bool:
    """After another environment's roll each worker of the former one was refused, and went."""
    refused = re.search(r"Refused worker (\S+)-\d+ at ", line)
    return refused is not None and refused[1] not in here


def _autoscalers(outputs: Mapping[str, Any], view: View, api: Api) -> Iterator[tuple[bool, str]]:
    """Without metrics an HPA leaves the number as it is, and says so nowhere else."""
    if not any(group.moved == "hpa" for group in view.groups):
        return
    path = f"/apis/autoscaling/v2/namespaces/{view.namespace}/horizontalpodautoscalers"
    for each in _list(outputs, api, "looking at the autoscalers", path):
        name, status = each["metadata"]["name"], each.get("status", {})
        conditions = {c["type"]: c for c in status.get("conditions", ())}
        active = conditions.get("ScalingActive", {})
        if active.get("status") == "False":
            why = f"{active.get('message')}. It needs the metrics server of Kubernetes."
            yield False, f"autoscaler {name} cannot move its group: {why}"
        else:
            yield True, f"autoscaler {name}: wants {status.get('desiredReplicas', 0)} pods"


def _budgets(outputs: Mapping[str, Any], view: View, api: Api) -> Iterator[tuple[bool, str]]:
    path = f"/apis/policy/v1/namespaces/{view.namespace}/poddisruptionbudgets"
    held = []
    for each in _list(outputs, api, "looking at the disruption budgets", path):
        name, status = each["metadata"]["name"], each.get("status", {})
        if not status.get("expectedPods") or status.get("disruptionsAllowed", 0):
            continue
        here, needed = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
        if here < needed:
            why = f"{here} pods are healthy, and {needed} have to be"
            yield False, f"disruption budget {name} holds up whoever empties a node: {why}"
        else:
            held.append(name)
    said = f"; {', '.join(held)} stays where it is when a node is emptied" if held else ""
    yield True, f"disruption budgets: as they should be{said}"


def _policies(outputs: Mapping[str, Any], view: View, api: Api) -> tuple[bool, str]:
    path = f"/apis/networking.k8s.io/v1/namespaces/{view.namespace}/networkpolicies"
    number = len(list(_list(outputs, api, "looking at the network policies", path)))
    unknown = "Whether they hold is up to the cluster's network plugin, and cannot be asked"
    return number > 0, f"network policies: {number}. {unknown}"


def _list(outputs: Mapping[str, Any], api: Api, what: str, path: str) -> Iterator[dict[str, Any]]:
    return api.items(what, path, labelSelector=kube.labels_of(outputs["cluster"]))


def _way_in() -> tuple[bool, str]:
    try:
        return True, f"the way in, for `run`: {kubeconfig.find_kubectl()}"
    except CommandError as error:
        return False, f"the way in, for `run`: {error}"
