"""What the status of a pod says, as far as the scaler asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dask_node.kubernetes.clients import COST
from dask_node.worker import AGAIN

GROUP = "dask-cluster/group"
TEMPLATE = "pod-template-hash"

# The lowest there is: no other pod of a group has it by chance.
FIRST_TO_GO = str(-(2**31))

# A container that waits for one of these does not begin to run (kubelet, images/types.go,
# kuberuntime/kuberuntime_container.go). It is tried again, but what is wrong stays wrong.
_HOPELESS = {
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
}
CRASHING = "CrashLoopBackOff"
CRASHES = 3
# A pod still there so long after its grace is over was on a node that is gone.
GRACE = timedelta(seconds=60)


@dataclass(frozen=True)
class Pod:
    """One pod.

    Attributes:
        group: Ours.
        template: Which version of the Deployment's template it was made of.
        ending: Told to end.
        lost: Told to end, and will not: nobody is there to do it.
        ready: Its worker processes have registered.
        given_up: A container does not start, or has crashed again and again.
        marked: To go first when its group shrinks.
    """

    name: str
    group: str
    template: str
    ending: bool
    lost: bool
    ready: bool
    given_up: bool
    marked: bool


def read(pod: dict[str, Any]) -> Pod:
    """Return what a pod of the API says."""
    facts, status = pod["metadata"], pod.get("status", {})
    ends = facts.get("deletionTimestamp")  # when its grace is over
    conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
    containers = [
        container
        for kind in ("initContainerStatuses", "containerStatuses")
        for container in status.get(kind, [])
    ]
    return Pod(
        name=facts["name"],
        group=facts["labels"].get(GROUP, ""),
        template=facts["labels"].get(TEMPLATE, ""),
        ending=ends is not None,
        lost=ends is not None and datetime.now(UTC) > datetime.fromisoformat(ends) + GRACE,
        ready=conditions.get("Ready") == "True",
        given_up=any(map(_given_up, containers)),
        marked=facts.get("annotations", {}).get(COST) == FIRST_TO_GO,
    )


def _given_up(container: dict[str, Any]) -> bool:
    """Say whether there is no hope for a container.

    One whose worker ended to be started again (at its lifetime's end, or as its scheduler went
    away) waits in the same way as one that crashes.
    """
    reason = container.get("state", {}).get("waiting", {}).get("reason")
    if reason != CRASHING:
        return reason in _HOPELESS
    ended = container.get("lastState", {}).get("terminated", {}).get("exitCode")
    return container["restartCount"] >= CRASHES and ended not in (0, AGAIN)
