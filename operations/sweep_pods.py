"""Find and delete, by its labels, what a cluster on Kubernetes has left behind."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from operations import kube, sweeping
from operations.kube import KubeError
from operations.sweeping import Found, Sort, UnsuccessfulError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from components.settings import KubernetesSettings
    from operations.kube import Api
    from operations.sweeping import Left, Refused

# In this order: who would make pods again, what has pods, the pods, what they use. Each with its
# path and its name in it.
KINDS = (
    ("autoscaler", "/apis/autoscaling/v2", "horizontalpodautoscalers"),
    ("deployment", "/apis/apps/v1", "deployments"),
    ("replica set", "/apis/apps/v1", "replicasets"),
    ("pod", "/api/v1", "pods"),
    ("service", "/api/v1", "services"),
    ("disruption budget", "/apis/policy/v1", "poddisruptionbudgets"),
    ("network policy", "/apis/networking.k8s.io/v1", "networkpolicies"),
    ("role binding", "/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    ("role", "/apis/rbac.authorization.k8s.io/v1", "roles"),
    ("service account", "/api/v1", "serviceaccounts"),
    ("config map", "/api/v1", "configmaps"),
    ("secret", "/api/v1", "secrets"),
    ("volume claim", "/api/v1", "persistentvolumeclaims"),
)
# What is left of a pod after its drain: its node has to tell that it has ended.
BESIDE_DRAIN = 180.0


def namespace_of(cluster: str, settings: KubernetesSettings) -> str:
    """Return where a cluster is: in a namespace that was there, or in one of its own."""
    return settings.namespace or f"dask-{cluster}"


def sorts_of(cluster: str, namespace: str | None, api: Api) -> list[Sort]:
    """Return what there can be of a cluster, in the order in which it can be deleted.

    A namespace is its own only if it bears the labels, and goes last.

    Args:
        cluster: The stack's name.
        namespace: Where to look; None: everywhere, to look only.
        api: The API server.
    """
    inside = "" if namespace is None else f"/namespaces/{namespace}"
    sorts = [_sort(name, f"{base}{inside}/{plural}", cluster, api) for name, base, plural in KINDS]
    return [*sorts, _sort("namespace", "/api/v1/namespaces", cluster, api)]


def find(cluster: str, api: Api) -> tuple[list[Left], list[Refused]]:
    """Look everywhere for what bears the cluster's labels; returns as `sweeping.find`."""
    return sweeping.find(sorts_of(cluster, None, api))


def run(
    console: Console,
    cluster: str,
    settings: KubernetesSettings,
    *,
    ask: Callable[[str], None],
    quiet: float = sweeping.QUIET_SECONDS,
) -> bool:
    """Show what bears the cluster's labels, and delete it if the person wants that.

    Pulumi's state is neither read nor changed.

    Args:
        console: Where to print.
        cluster: The stack's name.
        settings: Its settings.
        ask: Asks a question, and ends the command if the answer is no.
        quiet: How long what Kubernetes refuses is tried again.

    Returns:
        Whether nothing is left.

    Raises:
        CommandError: There is no such context.
    """
    api, namespace = kube.Api(settings.context), namespace_of(cluster, settings)
    return sweeping.run(
        console,
        sorts_of(cluster, namespace, api),
        where=f"{cluster} in namespace {namespace}, by context {settings.context}",
        mark="labels",
        running="pod",
        ask=ask,
        seconds=settings.drain_timeout + BESIDE_DRAIN,
        quiet=quiet,
    )


def _sort(name: str, path: str, cluster: str, api: Api) -> Sort:
    return Sort(
        name,
        find=partial(_find, f"looking for each {name}", path, cluster, api),
        delete=partial(_delete, f"deleting a {name}", path, api),
    )


def _find(what: str, path: str, cluster: str, api: Api) -> list[Found]:
    try:
        return [
            Found(item["metadata"]["name"], "deletionTimestamp" in item["metadata"])
            for item in api.items(what, path, labelSelector=kube.labels_of(cluster))
        ]
    except KubeError as error:
        raise UnsuccessfulError(str(error)) from error


def _delete(what: str, path: str, api: Api, name: str) -> None:
    try:
        api.delete(what, f"{path}/{name}")
    except KubeError as error:
        raise UnsuccessfulError(str(error)) from error
