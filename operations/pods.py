"""A cluster on Kubernetes at one moment: its Deployments, its pods, its scheduler's report."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, field
from typing import Any

from operations.view import NO_FLEET

SCHEDULER = "scheduler"
JUPYTER = "jupyter"
# From the pod to a registered worker: an image to pull, and Dask's own start.
START = dt.timedelta(minutes=2)


@dataclass(frozen=True)
class Pod:
    """One pod.

    Attributes:
        name: Its name, with which the names of its worker processes begin.
        phase: Kubernetes's word: Pending, Running ...
        ready: Whether all its worker processes are registered; of the scheduler, whether it serves.
        ending: Whether it has been told to go: it drains.
        created: When (ISO time).
        node: Where it runs, if it does.
        state: What keeps it from being ready, as `up` says it; empty if it is.
        broken: Whether that is more than a start that takes its time.
        replaced: Whether its template is an earlier one: a pod of the present one takes its place.
        restarts: How often its container was started again.
        ended: How the container crashed before the last start, if it did.
        ended_at: When (ISO time).
    """

    name: str
    phase: str
    ready: bool
    ending: bool
    created: str
    node: str | None = None
    state: str = ""
    broken: bool = False
    replaced: bool = False
    restarts: int = 0
    ended: str | None = None
    ended_at: str | None = None

    @property
    def over(self) -> bool:
        """Whether it has ended for good, as one that was evicted, or whose node was shut down.

        Kubernetes keeps such pods for a long time, beside the ones that took their places.
        """
        return self.phase in ("Failed", "Succeeded")

    @property
    def goes(self) -> bool:
        """Whether nobody minds what becomes of it: it ends, or another one takes its place."""
        return self.ending or self.replaced

    def is_starting(self, now: dt.datetime) -> bool:
        """Say whether it is not ready yet, and need not be."""
        age = now - dt.datetime.fromisoformat(self.created)
        return self._is_awaited and age < START

    def is_late(self, now: dt.datetime) -> bool:
        """Say whether it ought to be ready, and nobody knows why it is not."""
        return self._is_awaited and not self.is_starting(now)

    @property
    def _is_awaited(self) -> bool:
        return not (self.ready or self.goes or self.broken or self.over)


@dataclass(frozen=True)
class Group:
    """One Deployment.

    Attributes:
        name: Such as ``worker``; the scheduler's is ``scheduler``.
        deployment: Its name on Kubernetes.
        exists: Whether Kubernetes has it.
        workers: What the stack file says: with ``maxWorkers`` at least so many.
        wanted: How many pods it is to have now.
        ceiling: How many it may have.
        moved: Who changes the number: ``up``, ``scaler`` or ``hpa``.
        pods: Its pods, also those that end.
        registered: How many of its pods the scheduler knows.
        refused: Why Kubernetes makes no pods for it, in its own words.
    """

    name: str
    deployment: str
    exists: bool = True
    workers: int = 0
    wanted: int = 0
    ceiling: int = 0
    moved: str = "up"
    pods: tuple[Pod, ...] = ()
    registered: int = 0
    refused: str | None = None

    @property
    def stopped(self) -> bool:
        """Whether it has no pods by an idle stop."""
        return self.exists and self.wanted == 0 < self.workers

    @property
    def running(self) -> int:
        """How many of its pods run, without those that end."""
        return sum(pod.phase == "Running" and not pod.ending for pod in self.pods)

    @property
    def ready(self) -> int:
        """How many of its pods are ready, without those that end."""
        return sum(pod.ready and not pod.ending for pod in self.pods)

    @property
    def broken(self) -> list[Pod]:
        """Its pods that will not become ready, and those that are over and are missed.

        One is missed if the group has too few, and no younger one has its place.
        """
        lacks = self.ready < self.wanted
        youngest = max((pod.created for pod in self.there), default="")
        return [
            pod
            for pod in self.pods
            if not pod.goes and (pod.broken or (pod.over and lacks and pod.created > youngest))
        ]

    @property
    def there(self) -> list[Pod]:
        """Its pods that neither end nor are over."""
        return [pod for pod in self.pods if not (pod.ending or pod.over)]

    @property
    def ending(self) -> int:
        """How many of its pods end; each drains first."""
        return sum(pod.ending for pod in self.pods)


@dataclass(frozen=True)
class View:
    """A cluster on Kubernetes as it is now.

    Attributes:
        at: When it was looked at.
        context: The context by which.
        namespace: Where it is.
        scheduler: The scheduler's Deployment.
        groups: Those of the workers.
        jupyter: The one of JupyterLab, if there is one.
        report: What ``python -m dask_node.report`` printed: the scheduler's view.
        error: Why there is no report, or None.
        expected: The stack's environment.
    """

    at: dt.datetime
    context: str
    namespace: str
    scheduler: Group
    groups: list[Group]
    jupyter: Group | None = None
    report: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    expected: str | None = None

    @property
    def all(self) -> list[Group]:
        """Everything that has pods."""
        return [self.scheduler, *self.groups, *([self.jupyter] if self.jupyter else [])]

    @property
    def fleet(self) -> dict[str, Any]:
        """What the scaler says: ``groups`` by name, and why the workers are ``stopped``."""
        return self.report.get("fleet") or NO_FLEET

    @property
    def scaled(self) -> dict[str, tuple[int, int]]:
        """The bounds of the groups whose number the scaler decides."""
        return {
            group.name: (group.workers, group.ceiling)
            for group in self.groups
            if group.moved == "scaler"
        }

    @property
    def stopped(self) -> bool:
        """Whether all groups that ought to have pods are stopped."""
        ought = [group for group in self.groups if group.workers]
        return bool(ought) and all(group.stopped for group in ought)

    def as_json(self) -> dict[str, Any]:
        """Return the view as plain data."""
        return asdict(self) | {"at": self.at.isoformat()}
