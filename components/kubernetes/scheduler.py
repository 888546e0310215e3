"""The scheduler on Kubernetes: one pod, and the Service by which everybody finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core

from components.kubernetes.disruption import create_disruption_budget
from components.kubernetes.names import NO_WAIT, OURS, SCHEDULER, Names, chosen
from components.kubernetes.pods import HOME, Pod, Shared, template
from components.settings import ports
from components.settings.scalars import GIB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.settings import KubernetesSettings

PORTS = {"scheduler": ports.SCHEDULER, "dashboard": ports.DASHBOARD}
GRACE_SECONDS = 30
DISK = GIB
# Until it listens. It takes seconds; on a node that is busy, many.
START_SECONDS = 300
LOOK_SECONDS = 5


class Scheduler(pulumi.ComponentResource):
    """A Deployment of one, with its Service; another template is another pod, and ends the work.

    Attributes:
        deployment: Name of the Deployment.
        ready: It.
    """

    deployment: str
    ready: pulumi.Resource

    def __init__(
        self, name: str, *, names: Names, pod: Pod, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Start the scheduler.

        Args:
            name: Name of the component.
            names: What objects are called.
            pod: What it runs in.
            opts: Resource options.
        """
        super().__init__("dask-cluster:kubernetes:Scheduler", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.deployment = names.of(SCHEDULER)
        self.ready = apps.Deployment(
            self.deployment,
            metadata=names.metadata(SCHEDULER, SCHEDULER, annotations=NO_WAIT | OURS),
            spec=apps.DeploymentSpecArgs(
                replicas=1,
                revision_history_limit=2,
                # Two schedulers would answer to one name.
                strategy=apps.DeploymentStrategyArgs(type="Recreate"),
                selector=chosen(names.selector(SCHEDULER)),
                template=template(pod, names),
            ),
            opts=child,
        )
        _create_service(names, child)
        create_disruption_budget(names, SCHEDULER, most=0, opts=child)
        self.register_outputs({})


def scheduler_pod(
    settings: KubernetesSettings, *, names: Names, shared: Shared, image: pulumi.Input[str]
) -> Pod:
    """Return what the scheduler runs in.

    Args:
        settings: The stack's settings.
        names: What objects are called.
        shared: What it has of the cluster.
        image: By its digest.
    """
    health = core.HTTPGetActionArgs(path="/health", port=ports.DASHBOARD)
    return Pod(
        shared=shared,
        image=image,
        arguments=[
            *("python", "-m", "dask", "scheduler", "--protocol", "tls"),
            *("--port", str(ports.SCHEDULER), "--dashboard-address", f":{ports.DASHBOARD}"),
        ],
        cpu=settings.scheduler_cpu,
        memory=settings.scheduler_memory,
        disk=DISK,
        grace=GRACE_SECONDS,
        variables={**HOME, "DASK_CLUSTER_FLEET": f"kubernetes:{names.namespace}/{names.cluster}"},
        ports=PORTS,
        readiness=core.ProbeArgs(
            http_get=health, period_seconds=LOOK_SECONDS, timeout_seconds=LOOK_SECONDS
        ),
        # The only probe that can end it. None does later for being silent: its loop may be busy
        # for a long time, and all work would be lost. A process that dies is started again.
        startup=core.ProbeArgs(
            http_get=health,
            period_seconds=LOOK_SECONDS,
            timeout_seconds=LOOK_SECONDS,
            failure_threshold=START_SECONDS // LOOK_SECONDS,
        ),
        token=True,
    )


def _create_service(names: Names, opts: pulumi.ResourceOptions) -> None:
    core.Service(
        names.of(SCHEDULER),
        metadata=names.metadata(SCHEDULER, SCHEDULER, annotations=NO_WAIT),
        spec=core.ServiceSpecArgs(
            type="ClusterIP",
            selector=names.selector(SCHEDULER),
            # A scheduler that is too busy to answer the probe takes connections all the same.
            publish_not_ready_addresses=True,
            ports=[
                core.ServicePortArgs(name=name, port=port, target_port=port)
                for name, port in PORTS.items()
            ],
        ),
        opts=opts,
    )


def create_outside_service(
    names: Names, *, type_: str, allowed_cidrs: Sequence[str], opts: pulumi.ResourceOptions
) -> core.Service:
    """Create the Service for clients from `allowed_cidrs`: the scheduler's port and no other.

    Args:
        names: What objects are called.
        type_: ``NodePort`` or ``LoadBalancer``.
        allowed_cidrs: Who may come. A node's port, which a load balancer has too, has no list of
            its own: the network policy does it.
        opts: Resource options.
    """
    balanced = type_ == "LoadBalancer"
    return core.Service(
        names.of("outside"),
        # Nothing of ours needs its address; a cluster without load balancers never gives one.
        metadata=names.metadata("outside", SCHEDULER, annotations=NO_WAIT),
        spec=core.ServiceSpecArgs(
            type=type_,
            selector=names.selector(SCHEDULER),
            # As inside: one that is too busy to answer the probe is there all the same.
            publish_not_ready_addresses=True,
            # The client's own address is seen, which the network policy needs; other nodes than the
            # scheduler's do not answer.
            external_traffic_policy="Local",
            load_balancer_source_ranges=list(allowed_cidrs) if balanced else None,
            ports=[
                core.ServicePortArgs(
                    name="scheduler", port=ports.SCHEDULER, target_port=ports.SCHEDULER
                )
            ],
        ),
        opts=opts,
    )
