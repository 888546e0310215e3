"""What the API of Kubernetes says of a cluster's Deployments and their pods."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pulumi
import urllib3
from kubernetes import client, config

from components.kubernetes.names import WORKERS
from components.kubernetes.pod_states import REVISION, STARTING, TEMPLATE, Seen, seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from components.kubernetes.ready import Wanted

# Of a group of thousands a look reads so many.
MOST_PODS = 100
# So many different reasons are told of a Deployment.
MOST_REASONS = 5
LOG_LINES = 10
NOT_FOUND = 404
MANAGER = "dask-cluster"

_TIMEOUT = (10, 30)  # to connect, to answer


class Deployments:
    """The Deployments that are waited for, at the last look."""

    def __init__(self, context: str, namespace: str, wanted: Mapping[str, Wanted]) -> None:
        self._namespace = namespace
        self._wanted = wanted
        api = _api(context)
        self._apps, self._core = client.AppsV1Api(api), client.CoreV1Api(api)
        self._found: dict[str, Any] = {}
        self._current: dict[str, Any] = {}

    def missing(self) -> list[str]:
        """Look, and return of which not enough pods of the present template are ready."""
        with _asking("looking at the Deployments"):
            self._found = {name: self._deployment(each) for name, each in self._wanted.items()}
            self._current = {
                name: self._replica_set(deployment)
                for name, deployment in self._found.items()
                if deployment is not None
            }
        return [name for name, each in self._wanted.items() if self._ready(name) < int(each.pods)]

    def raise_stopped(self) -> None:
        """Start the groups that were stopped: the scaler or an idle stop set them lower."""
        for deployment in self._found.values():
            if deployment is None:
                continue
            least = int((deployment.metadata.annotations or {}).get(WORKERS, 0))
            if deployment.spec.replicas < least:
                with _asking(f"starting {deployment.metadata.name}"):
                    self._apps.patch_namespaced_deployment_scale(
                        deployment.metadata.name,
                        self._namespace,
                        {"spec": {"replicas": least}},
                        field_manager=MANAGER,
                        _request_timeout=_TIMEOUT,
                    )

    def pods(self, name: str) -> list[Seen]:
        """Return the pods of the present template that are not about to end."""
        current = self._current.get(name)
        if current is None:
            return []
        labels = {**current.spec.selector.match_labels, TEMPLATE: current.metadata.labels[TEMPLATE]}
        with _asking("looking at the pods"):
            found: Any = self._core.list_namespaced_pod(
                self._namespace,
                label_selector=",".join(f"{key}={value}" for key, value in labels.items()),
                limit=MOST_PODS,
                _request_timeout=_TIMEOUT,
            )
        return [seen(pod) for pod in found.items if pod.metadata.deletion_timestamp is None]

    def reason(self, name: str) -> str:
        """Return what is known of why a Deployment's pods are not ready, for people."""
        wanted = self._wanted[name]
        count = f"{name}: {self._ready(name)} of {wanted.pods} pods are ready"
        if self._found.get(name) is None:
            return f"{count}: there is no Deployment {wanted.deployment} in {self._namespace}"
        pods = [pod for pod in self.pods(name) if pod.state]
        if not pods:
            return f"{count}: {self._refusal(name)}"
        return "\n".join([count, *self._lines(pods)])

    def _lines(self, pods: Iterable[Seen]) -> list[str]:
        """Tell each state once, with one pod that is in it and what that one said."""
        first: dict[str, Seen] = {}
        for pod in pods:
            first.setdefault(pod.state, pod)
        counts = Counter(pod.state for pod in pods)
        lines = []
        for state, count in counts.most_common(MOST_REASONS):
            pod = first[state]
            others = f" and {count - 1} more" if count > 1 else ""
            lines.append(f"  {pod.name}{others}: {state}")
            lines += [f"    {line}" for line in self._told(pod)]
        return lines

    def _told(self, pod: Seen) -> list[str]:
        """Return the end of what the container wrote before, or why it was not even begun."""
        if pod.restarts:
            said = self._log(pod)
            return said.splitlines()[-LOG_LINES:]
        return self._warnings(pod) if pod.waits_for in STARTING else []

    def _log(self, pod: Seen) -> str:
        try:
            return str(
                self._core.read_namespaced_pod_log(
                    pod.name,
                    self._namespace,
                    container=pod.container,
                    previous=True,
                    tail_lines=LOG_LINES,
                    _request_timeout=_TIMEOUT,
                )
            )
        except client.ApiException as error:
            return f"its log cannot be read: {error.status} {error.reason}"

    def _warnings(self, pod: Seen) -> list[str]:
        """Return the last warning about a pod: a volume that cannot be mounted, for example."""
        with _asking("looking at the events of a pod"):
            found: Any = self._core.list_namespaced_event(
                self._namespace,
                field_selector=f"involvedObject.uid={pod.uid},type=Warning",
                _request_timeout=_TIMEOUT,
            )
        said = [f"{event.reason}: {' '.join(event.message.split())}" for event in found.items]
        return said[-1:]

    def _refusal(self, name: str) -> str:
        """Return why a Deployment has no pods: a quota, for example."""
        owner = self._current.get(name) or self._found[name]
        refused = [
            each.message
            for each in owner.status.conditions or []
            if each.type == "ReplicaFailure" and each.status == "True"
        ]
        return refused[0] if refused else "Kubernetes has not made one yet"

    def _ready(self, name: str) -> int:
        current = self._current.get(name)
        return (current.status.ready_replicas or 0) if current is not None else 0

    def _deployment(self, wanted: Wanted) -> Any:  # noqa: ANN401  # a V1Deployment, or None
        try:
            return self._apps.read_namespaced_deployment(
                wanted.deployment, self._namespace, _request_timeout=_TIMEOUT
            )
        except client.ApiException as error:
            if error.status != NOT_FOUND:
                raise
            return None  # deleted by hand

    def _replica_set(self, deployment: Any) -> Any:  # noqa: ANN401  # a V1ReplicaSet, or None
        """Return the one of the present template, once the Deployment's controller has made it."""
        if (deployment.status.observed_generation or 0) < deployment.metadata.generation:
            return None
        revision = (deployment.metadata.annotations or {}).get(REVISION)
        found: Any = self._apps.list_namespaced_replica_set(
            self._namespace,
            label_selector=",".join(
                f"{key}={value}" for key, value in deployment.spec.selector.match_labels.items()
            ),
            _request_timeout=_TIMEOUT,
        )
        return next((each for each in found.items if _is_of(each, deployment, revision)), None)


def _is_of(replica_set: Any, deployment: Any, revision: str | None) -> bool:  # noqa: ANN401
    owners = {owner.uid for owner in replica_set.metadata.owner_references or []}
    annotations = replica_set.metadata.annotations or {}
    return deployment.metadata.uid in owners and annotations.get(REVISION) == revision


def _api(context: str) -> Any:  # noqa: ANN401  # an ApiClient
    """Return a client for a context of the kubeconfig that the provider plugin reads, too.

    Raises:
        pulumi.RunError: There is no such context.
    """
    where = os.environ.get("KUBECONFIG", "~/.kube/config")
    settings = client.Configuration()
    # Half a minute: an API server that is being replaced is back by then.
    settings.retries = urllib3.Retry(
        6, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None
    )
    try:
        config.load_kube_config(  # type: ignore[no-untyped-call]
            where, context=context, client_configuration=settings
        )
    except config.ConfigException as error:
        raise pulumi.RunError(
            f"context: {context!r} cannot be read from {where}: {error}"
        ) from error
    return client.ApiClient(settings)


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Ask the API server.

    Args:
        what: What for, for people.

    Raises:
        pulumi.RunError: It refuses, or cannot be reached.
    """
    try:
        yield
    except client.ApiException as error:
        message = f"Kubernetes refuses: {what}: {error.status} {error.reason}"
        raise pulumi.RunError(message) from error
    except urllib3.exceptions.HTTPError as error:
        raise pulumi.RunError(f"Kubernetes does not answer: {what}: {error}") from error
