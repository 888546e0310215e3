"""Deployments and pods, as the API server of `kube_server` keeps them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dask_node.fleet import Group

CLUSTER = "dev"
COST = "controller.kubernetes.io/pod-deletion-cost"
GRACE = 930


@dataclass
class FakePod:
    """A pod, as its ReplicaSet makes it."""

    name: str
    labels: dict[str, str]
    node: str = ""
    phase: str = "Pending"
    ready: bool = False
    ends: datetime | None = None
    restarts: int = 0
    waiting: str = ""
    exit_code: int | None = None
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        return self.ends is None and self.phase not in ("Succeeded", "Failed")

    @property
    def rank(self) -> tuple[object, ...]:
        phase = ("Pending", "Unknown", "Running").index(self.phase)
        return bool(self.node), phase, self.ready, int(self.annotations.get(COST, 0))

    def run(self, *, ready: bool = True) -> FakePod:
        self.node, self.phase, self.ready, self.waiting = "n1", "Running", ready, ""
        return self

    def wait(self, reason: str, restarts: int = 0, exit_code: int | None = None) -> FakePod:
        self.run(ready=False)
        self.waiting, self.restarts, self.exit_code = reason, restarts, exit_code
        return self

    def end(self, since: timedelta = timedelta()) -> None:
        self.ends = datetime.now(UTC) + timedelta(seconds=GRACE) - since

    def object(self) -> dict[str, Any]:
        ends = {"deletionTimestamp": f"{self.ends:%Y-%m-%dT%H:%M:%SZ}"} if self.ends else {}
        container = {
            "name": "worker",
            "restartCount": self.restarts,
            "state": {"waiting": {"reason": self.waiting}} if self.waiting else {"running": {}},
            "lastState": {"terminated": {"exitCode": self.exit_code}} if self.restarts else {},
        }
        noted = {"annotations": self.annotations} if self.annotations else {}
        return {
            "metadata": {"name": self.name, "labels": self.labels, **noted, **ends},
            "spec": {"nodeName": self.node} if self.node else {},
            "status": {
                "phase": self.phase,
                "conditions": [{"type": "Ready", "status": str(self.ready)}],
                **({"containerStatuses": [container]} if self.node else {}),
            },
        }


@dataclass
class FakeDeployment:
    """A Deployment and its ReplicaSet.

    Attributes:
        room: How many pods its quota allows; None: any number.
        prompt: Whether its controllers act at all.
    """

    name: str
    labels: dict[str, str]
    annotations: dict[str, str]
    replicas: int
    room: int | None = None
    prompt: bool = True
    deleted: bool = False
    template: str = "t1"
    version: int = 1

    def object(self, refused: bool) -> dict[str, Any]:  # noqa: FBT001
        status = {"type": "ReplicaFailure", "status": "True"}
        return {
            "metadata": {
                "name": self.name,
                "labels": self.labels,
                "annotations": self.annotations,
                **({"deletionTimestamp": "2026-11-22T00:00:00Z"} if self.deleted else {}),
            },
            "spec": {"replicas": self.replicas},
            "status": {"conditions": [status]} if refused else {},
        }


def deployment(facts: Group, replicas: int | None = None, **more: str) -> FakeDeployment:
    """Return the Deployment of a group of ours, as the program writes it."""
    layout = {
        "processes": facts.processes,
        "threads": facts.threads,
        "memory": facts.memory,
        "resources": dict(facts.resources),
    }
    notes = {"workers": str(facts.workers), "layout": json.dumps(layout)}
    notes["autoscaler"] = "hpa" if facts.hands_off else "scaler"
    if facts.max_workers is not None:
        notes["max-workers"] = str(facts.max_workers)
    notes |= {name.replace("_", "-"): value for name, value in more.items()}
    return FakeDeployment(
        name=f"dask-{CLUSTER}-{facts.name}",
        labels={
            "app.kubernetes.io/part-of": "dask-cluster",
            "app.kubernetes.io/instance": CLUSTER,
            "app.kubernetes.io/component": "worker",
            "dask-cluster/group": facts.name,
        },
        annotations={f"dask-cluster/{name}": value for name, value in notes.items()},
        replicas=facts.workers if replicas is None else replicas,
    )
