"""The last resource of a cluster on Kubernetes: it is there when the cluster works.

The provider lives in this importable module on purpose: do not rename the classes or the module.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pulumi
from pulumi import dynamic

from components.kubernetes.pod_states import Patience

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.kubernetes.pod_states import Seen

# Between two looks: from the first to the second, half as much more each time.
LOOK_SECONDS = (0.5, 5.0)


class Ready(dynamic.Resource, module="kubernetes", name="Ready"):
    """Created when of each Deployment enough pods of its present template are ready.

    A worker is ready while it is registered with the scheduler. A refresh finds what is missing,
    and the next update waits for it again.
    """

    def __init__(
        self,
        name: str,
        *,
        context: str,
        namespace: str,
        wanted: Mapping[str, Wanted],
        seconds: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Wait for the pods.

        Args:
            name: Name of the resource.
            context: Of the kubeconfig, as the provider has it.
            namespace: Where the Deployments are.
            wanted: What is wanted of each Deployment, by the name that people know it by.
            seconds: How long that may take.
            opts: Resource options.
        """
        props: dict[str, Any] = {
            "context": context,
            "namespace": namespace,
            "wanted": {each: what.as_props() for each, what in wanted.items()},
            "seconds": seconds,
            "missing": [],
        }
        super().__init__(_ReadyProvider(), name, props, opts)


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a Deployment.

    Attributes:
        deployment: Its name.
        pods: How many must be ready.
        revision: Another one stands for other pods, which are waited for anew.
    """

    deployment: str
    pods: int
    revision: pulumi.Input[str]

    def as_props(self) -> dict[str, Any]:
        """Return it as Pulumi stores it."""
        return dict(vars(self))


class _ReadyProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        changed = [key for key in news if key != "__provider" and olds.get(key) != news[key]]
        return dynamic.DiffResult(changes=bool(changed))

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        wait(_cluster(props), float(props["seconds"]))
        return dynamic.CreateResult(id_=props["namespace"], outs=props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        wait(_cluster(news), float(news["seconds"]))
        return dynamic.UpdateResult(outs=news)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        seen = props | {"missing": _cluster(props).missing()}
        return dynamic.ReadResult(id_=id_, outs=seen, inputs=seen)


def _cluster(props: Mapping[str, Any]) -> Cluster:
    # The client costs a second of import, which the program itself has no use for.
    from components.kubernetes.deployments import Deployments  # noqa: PLC0415

    wanted = {name: Wanted(**each) for name, each in props["wanted"].items()}
    return Deployments(props["context"], props["namespace"], wanted)


class Cluster(Protocol):
    """What Kubernetes says of the Deployments that are waited for."""

    def missing(self) -> list[str]:
        """Look, and return of which not enough pods are ready."""

    def raise_stopped(self) -> None:
        """Start the groups that an idle stop stopped."""

    def pods(self, name: str) -> Sequence[Seen]:
        """Return the pods of the present template, or some of very many."""

    def reason(self, name: str) -> str:
        """Return what is known of why they are not ready, for people."""


def wait(cluster: Cluster, seconds: float) -> None:
    """Wait until nothing is missing.

    Args:
        cluster: It.
        seconds: How long at most.

    Raises:
        pulumi.RunError: It is not there in time, or pods will never start; with the reasons.
    """
    deadline, pause = time.monotonic() + seconds, LOOK_SECONDS[0]
    patience = Patience()
    while missing := cluster.missing():
        cluster.raise_stopped()
        now = time.monotonic()
        pods = {name: cluster.pods(name) for name in missing}
        patience.look([pod for several in pods.values() for pod in several], now)
        gave_up = [name for name in missing if patience.is_over(pods[name], now)]
        if gave_up or now > deadline:
            said = "\n".join(cluster.reason(name) for name in gave_up or missing)
            after = "" if gave_up else f" after {_spoken(seconds)}"
            raise pulumi.RunError(f"not ready{after}: {said}")
        time.sleep(pause)
        pause = min(1.5 * pause, LOOK_SECONDS[1])


def _spoken(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"  # noqa: PLR2004
