"""Why the pods of a Deployment are not ready.

Follows provider/pkg/await/checker/pod/check.go of pulumi-kubernetes.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from engine.values import Properties
from sandbox.kubernetes.provider.objects import at, id_of

# What a pod goes through, in its order; the first that does not hold is what to tell.
_STAGES: Final = ("PodScheduled", "Initialized", "Ready")


def reasons(pods: Iterable[Properties]) -> list[str]:
    """A sentence for each pod that is not ready and says why."""
    return [said for pod in pods if (said := _reason(pod))]


def _reason(pod: Properties) -> str:
    conditions = {each.get("type"): each for each in at(pod, "status", "conditions") or []}
    for stage in _STAGES:
        condition = conditions.get(stage)
        if condition is None:
            return ""
        if condition.get("status") == "True":
            continue
        if stage == "Ready" and at(pod, "status", "phase") == "Succeeded":
            return ""
        said = [str(condition.get("message") or "")] if condition.get("reason") else []
        if stage != "PodScheduled":
            statuses = ("initContainerStatuses", "containerStatuses")
            said += [
                reason for key in statuses for reason in _containers(at(pod, "status", key) or [])
            ]
        text = "; ".join(filter(None, said))
        return f"[Pod {id_of(pod)}]: {text}" if text else ""
    return ""


def _containers(statuses: Iterable[Properties]) -> Iterator[str]:
    for status in statuses:
        if status.get("ready"):
            continue
        waiting = at(status, "state", "waiting")
        # A container that has not begun for no reason of its own says nothing.
        if waiting and waiting.get("reason") not in {"ContainerCreating", "PodInitializing"}:
            yield f"[{waiting.get('reason')}] {waiting.get('message', '')}".strip()
        for state in ("state", "lastState"):
            ended = at(status, state, "terminated")
            if ended and ended.get("reason") != "Completed":
                said = f"container {status.get('name')} ended with exit code "
                said += f"{ended.get('exitCode')} ({ended.get('reason')})"
                yield ": ".join(filter(None, (said, ended.get("message"))))
