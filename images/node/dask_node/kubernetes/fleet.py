"""The fleet on Kubernetes: places are pods, and each of our groups is a Deployment.

What the stack file says of a group is in annotations of the Deployment, so that an edit of a
number reaches the scaler with the look that it makes anyway, and restarts no pod.

A Deployment knows only a number. Who ends when it becomes lower is decided by its ReplicaSet
(`ActivePodsWithRanks` in kubernetes/pkg/controller/controller_utils.go): pods that are not
assigned to a node, not running or not ready go first, then those with the lowest deletion cost. So
the pods that shall end get the lowest cost there is before the number is lowered by as many. If
another pod is not ready by then it goes in place of one of them. Its worker has not registered, so
it has nothing to lose, and no more pods end than shall; the mark of the one that stays is taken
off again.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dask_node.fleet import Group, Places, State
from dask_node.kubernetes.clients import Api
from dask_node.kubernetes.pods import FIRST_TO_GO, GROUP, Pod, read

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

INTERVAL = 5.0
DEFAULT = "worker"
# A Deployment changes while its pods come and go; its number is asked for and set in moments.
TRIES = 10

_SELECTOR = (
    "app.kubernetes.io/part-of=dask-cluster,app.kubernetes.io/component=worker,"
    "app.kubernetes.io/instance="
)
_WORKERS = "dask-cluster/workers"
_MOST = "dask-cluster/max-workers"
_LAYOUT = "dask-cluster/layout"
_IDLE_STOP = "dask-cluster/idle-stop"
_NO_CLIENT_STOP = "dask-cluster/no-client-stop"
_AUTOSCALER = "dask-cluster/autoscaler"
_HPA = "hpa"


@dataclass(frozen=True)
class _Seen:
    """A Deployment at the last look.

    Attributes:
        group: What its annotations say.
        name: Its own.
        replicas: How many pods it is to have.
        refused: Whether it may not make pods, such as above a quota.
        ending: Pods that have been told to end.
        active: The other pods.
        failed: Those of them that do not start.
    """

    group: Group
    name: str
    replicas: int
    refused: bool
    ending: frozenset[str]
    active: dict[str, Pod]
    failed: frozenset[str]

    @property
    def leaving(self) -> frozenset[str]:
        """Marked pods that will be told to end: there are more pods than there are to be."""
        surplus = max(0, len(self.active) - self.replicas)
        return frozenset(sorted(self.marked)[:surplus])

    @property
    def marked(self) -> frozenset[str]:
        """Pods that go first."""
        return frozenset(name for name, pod in self.active.items() if pod.marked)

    @property
    def running(self) -> frozenset[str]:
        """Pods that stay."""
        return frozenset(self.active) - self.leaving - self.failed

    @property
    def awaited(self) -> frozenset[str]:
        """Names for the pods that are asked for and not there: a quota, or too soon.

        To the scaler they are places that start. Without them it would ask again at each look.
        """
        missing = range(self.replicas - len(self.active))
        return frozenset(f"{self.group.name}-awaited-{number}" for number in missing)

    def places(self) -> Places:
        """Return the places as the scaler knows them."""
        stopping = self.ending | self.leaving
        if self.refused:
            return Places(self.running, stopping, self.failed | self.awaited)
        return Places(self.running | self.awaited, stopping, self.failed)

    def facts(self) -> Group:
        """Return the group as the scaler knows it.

        While a new version is rolled out there may be more pods than there are to be, and a lower
        number would end pods of both versions, in proportion and not by choice: the scaler takes
        nothing away until it is over.
        """
        rolling = len({pod.template for pod in self.active.values()}) > 1
        if not (rolling and self.group.scaled):
            return self.group
        return replace(self.group, workers=max(self.group.workers, len(self.active)))


class KubernetesFleet:
    """The worker Deployments of a cluster.

    Args:
        where: `kubernetes:<namespace>/<cluster>`.

    Raises:
        ValueError: It is not of that form.
    """

    def __init__(self, where: str) -> None:
        self.interval = INTERVAL
        self.namespace, slash, self.cluster = where.removeprefix("kubernetes:").partition("/")
        whole = self.namespace and slash and self.cluster
        if not where.startswith("kubernetes:") or not whole:
            raise ValueError(f"{where!r} is not of the form kubernetes:<namespace>/<cluster>.")
        self._client: Api | None = None
        self._seen: dict[str, _Seen] = {}

    async def look(self) -> State:
        """Return how things are; a group that is being deleted is left out."""
        return await asyncio.to_thread(self._look)

    async def start(self, group: str, count: int) -> None:
        """Ask for more pods, never for more than the group may have."""
        await asyncio.to_thread(self._start, group, count)

    async def stop(self, group: str, places: Collection[str], reason: str) -> None:
        """End pods; their grace period gives them time to drain."""
        del reason  # the scheduler knows it, and nothing of it reaches a pod
        await asyncio.to_thread(self._stop, group, frozenset(places))

    def _look(self) -> State:
        # In this order: a pod that is missing is awaited for a moment, and one that is counted
        # twice would be one too many.
        deployments = self._api().deployments(_SELECTOR + self.cluster)
        pods = [read(pod) for pod in self._api().pods(_SELECTOR + self.cluster)]
        found = [self._read(each, pods) for each in deployments if _ours(each)]
        order = sorted(found, key=lambda one: (one.group.name != DEFAULT, one.group.name))
        self._seen = {one.group.name: one for one in order}
        notes = [_notes(each) for each in deployments if _ours(each)]
        for seen in order:
            if len(seen.active) <= seen.replicas:  # whoever was to go has been told
                self._mark(seen, seen.marked, None)
        return State(
            groups={name: seen.facts() for name, seen in self._seen.items()},
            places={name: seen.places() for name, seen in self._seen.items()},
            idle_stop=_shortest(notes, _IDLE_STOP),
            no_client_stop=_shortest(notes, _NO_CLIENT_STOP),
        )

    def _read(self, deployment: dict[str, Any], pods: list[Pod]) -> _Seen:
        group = _group(deployment)
        mine = [pod for pod in pods if pod.group == group.name and not pod.lost]
        active = {pod.name: pod for pod in mine if not pod.ending}
        before = self._seen[group.name].failed if group.name in self._seen else frozenset()
        conditions = deployment.get("status", {}).get("conditions", [])
        return _Seen(
            group=group,
            name=deployment["metadata"]["name"],
            replicas=deployment["spec"]["replicas"],
            refused=any(
                each["type"] == "ReplicaFailure" and each["status"] == "True" for each in conditions
            ),
            ending=frozenset(pod.name for pod in mine if pod.ending),
            active=active,
            # What crashes runs now and then. It has failed until it registers.
            failed=frozenset(
                name
                for name, pod in active.items()
                if pod.given_up or (name in before and not pod.ready)
            ),
        )

    def _start(self, group: str, count: int) -> None:
        seen = self._seen[group]
        wanted = min(len(seen.places().running) + count, seen.group.limit)
        self._resize(seen, lambda replicas: max(replicas, wanted))

    def _stop(self, group: str, places: frozenset[str]) -> None:
        seen = self._seen[group]
        if places >= seen.places().running:
            self._resize(seen, lambda _: 0)
            return
        ending = places & (seen.running | seen.awaited)
        self._mark(seen, seen.marked - seen.leaving - ending, None)
        self._mark(seen, ending & seen.running, FIRST_TO_GO)
        self._resize(seen, lambda replicas: max(0, replicas - len(ending)))

    def _mark(self, seen: _Seen, names: Collection[str], cost: str | None) -> None:
        """Give pods a cost, or take it back; those that are gone meanwhile need none."""
        for name in sorted(names):
            self._api().set_cost(name, cost)
            seen.active[name] = replace(seen.active[name], marked=cost is not None)

    def _resize(self, seen: _Seen, change: Callable[[int], int]) -> None:
        """Set the number of pods to what becomes of the present one."""
        for _ in range(TRIES):
            replicas, version = self._api().replicas(seen.name)
            number = change(replicas)
            if number == replicas or self._api().set_replicas(seen.name, number, version):
                self._seen[seen.group.name] = replace(seen, replicas=number)
                return
        raise OSError(f"Kubernetes: {seen.name} is being changed by others all the time")

    def _api(self) -> Api:
        """Return the client, made at first use: in a thread, as it takes a while."""
        if self._client is None:
            self._client = Api(self.namespace)
        return self._client


def _ours(deployment: dict[str, Any]) -> bool:
    facts = deployment["metadata"]
    return _WORKERS in _notes(deployment) and "deletionTimestamp" not in facts


def _notes(deployment: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = deployment["metadata"].get("annotations", {})
    return found


def _group(deployment: dict[str, Any]) -> Group:
    notes = _notes(deployment)
    layout = json.loads(notes[_LAYOUT])
    return Group(
        name=deployment["metadata"]["labels"][GROUP],
        workers=int(notes[_WORKERS]),
        max_workers=int(notes[_MOST]) if notes.get(_MOST) else None,
        processes=layout["processes"],
        threads=layout["threads"],
        memory=layout["memory"],
        resources=layout["resources"],
        hands_off=notes.get(_AUTOSCALER) == _HPA,
    )


def _shortest(notes: list[dict[str, str]], which: str) -> float | None:
    """Return the seconds that the Deployments give; in the middle of an edit they may differ."""
    return min((float(each[which]) for each in notes if each.get(which)), default=None)
