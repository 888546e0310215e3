"""What everything of a cluster is called on Kubernetes, and the labels by which it is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pulumi_kubernetes.meta import v1 as meta

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

Component = Literal["scheduler", "worker", "jupyter", "cluster"]

SCHEDULER: Component = "scheduler"
WORKER: Component = "worker"
JUPYTER: Component = "jupyter"
WHOLE: Component = "cluster"

_PREFIX = "app.kubernetes.io"
PART_OF = {f"{_PREFIX}/part-of": "dask-cluster"}

# Read by the scaler, by `status` and by `Ready`. On the Deployment: another value rolls nothing.
WORKERS = "dask-cluster/workers"
MAX_WORKERS = "dask-cluster/max-workers"
LAYOUT = "dask-cluster/layout"
IDLE_STOP = "dask-cluster/idle-stop"
NO_CLIENT_STOP = "dask-cluster/no-client-stop"
AUTOSCALER = "dask-cluster/autoscaler"
# On a template of pods: another value is other pods.
FINGERPRINT = "dask-cluster/fingerprint"
GROUP = "dask-cluster/group"

# Pulumi's own wait knows one reason for each failure, and waits for every worker. `Ready` does not.
NO_WAIT = {"pulumi.com/skipAwait": "true"}
# Whoever else set a number, by `kubectl scale` for example: that of the stack file holds.
OURS = {"pulumi.com/patchForce": "true"}


@dataclass(frozen=True)
class Names:
    """The names of a cluster's objects.

    Attributes:
        cluster: The stack's name.
        namespace: Where all of them are.
    """

    cluster: str
    namespace: str

    def of(self, part: str) -> str:
        """Return the name of an object, such as ``dask-dev-scheduler``."""
        return f"dask-{self.cluster}-{part}"

    @property
    def host(self) -> str:
        """The scheduler's host name inside of Kubernetes."""
        return f"{self.of(SCHEDULER)}.{self.namespace}.svc"

    def selector(self, component: Component | None = None, group: str | None = None) -> Labels:
        """Return the labels that choose the pods of a component, or of the whole cluster.

        A Deployment's cannot be changed later, so there are no more of them than are needed.
        """
        labels = {**PART_OF, f"{_PREFIX}/instance": self.cluster}
        if component is not None:
            labels[f"{_PREFIX}/component"] = component
        if group is not None:
            labels[GROUP] = group
        return labels

    def labels(self, component: Component, group: str | None = None) -> Labels:
        """Return the labels of an object or a pod."""
        return {
            f"{_PREFIX}/name": "dask",
            f"{_PREFIX}/managed-by": "pulumi",
            **self.selector(component, group),
        }

    def metadata(
        self,
        part: str,
        component: Component,
        *,
        group: str | None = None,
        annotations: Mapping[str, pulumi.Input[str]] | None = None,
    ) -> meta.ObjectMetaArgs:
        """Return the metadata of an object in the namespace."""
        return meta.ObjectMetaArgs(
            name=self.of(part),
            namespace=self.namespace,
            labels=self.labels(component, group),
            annotations=annotations,
        )


Labels = dict[str, str]


def chosen(labels: Labels) -> meta.LabelSelectorArgs:
    """Return the selector of what bears all of these labels."""
    return meta.LabelSelectorArgs(match_labels=labels)
