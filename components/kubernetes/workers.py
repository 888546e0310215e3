"""A group of workers on Kubernetes: any number of pods as one Deployment."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core

from components.kubernetes import names as keys
from components.kubernetes.disruption import create_disruption_budget
from components.kubernetes.horizontal_autoscaler import create_horizontal_autoscaler
from components.kubernetes.names import WORKER, Names, chosen
from components.kubernetes.pods import HOME, TEMPORARY, Pod, Shared, template
from components.settings import dask_configuration, ports

if TYPE_CHECKING:
    from components.settings import KubernetesSettings, KubernetesWorkerGroup

# There while all processes of the pod are registered with the scheduler (`dask_node`).
REGISTERED = TEMPORARY / "registered"
# Beyond the drain's own deadline: the nanny gives up a scheduler that does not answer 5 s after
# it, and needs up to 18 s to end a hanging worker.
GRACE_SECONDS = 30
# Of `disk`, for what Dask spills; what is above it stays in memory. A pod that has more on its disk
# than it may is evicted with a second's notice, and takes all of its data along. The rest is for
# what Dask does not count: the last block of each file, and what tasks write.
SPILLED = 0.9
_MAX_SPILL = "distributed.worker.memory.max-spill"
# While another template rolls, so much of the group holds the data.
AWAY = "20%"
# A node that is emptied takes no more of them at a time.
EVICTED = "10%"


class Workers(pulumi.ComponentResource):
    """``workers`` pods, or as many as the scaler or a HorizontalPodAutoscaler wants.

    Another number is one update of one Deployment; the pods that go drain first. Another template
    rolls through in the background.

    Attributes:
        deployment: Name of the Deployment.
        ready: It.
    """

    deployment: str
    ready: pulumi.Resource

    def __init__(
        self,
        name: str,
        *,
        names: Names,
        group_name: str,
        settings: KubernetesSettings,
        pod: Pod,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Start the workers.

        Args:
            name: Name of the component.
            names: What objects are called.
            group_name: The group's name in the stack file.
            settings: The stack's settings.
            pod: One of its pods.
            opts: Resource options.
        """
        super().__init__("dask-cluster:kubernetes:Workers", name, None, opts)
        self._names = names
        self._group_name = group_name
        self._settings = settings
        self._group = settings.worker_groups[group_name]
        self._child = pulumi.ResourceOptions(parent=self)
        self.deployment = names.of(group_name)
        self.ready = self._create_deployment(pod)
        create_disruption_budget(names, WORKER, group=group_name, most=EVICTED, opts=self._child)
        if self._group.max_workers is not None and self._group.autoscaler == "hpa":
            create_horizontal_autoscaler(
                names,
                group_name,
                least=self._group.workers,
                most=self._group.max_workers,
                opts=self._child,
            )
        self.register_outputs({})

    def _create_deployment(self, pod: Pod) -> apps.Deployment:
        names, group = self._names, self._group_name
        scaled = self._group.max_workers is not None
        return apps.Deployment(
            self.deployment,
            metadata=names.metadata(
                group, WORKER, group=group, annotations=_numbers(self._settings, self._group)
            ),
            spec=apps.DeploymentSpecArgs(
                replicas=self._group.workers,
                revision_history_limit=2,
                strategy=apps.DeploymentStrategyArgs(
                    type="RollingUpdate",
                    rolling_update=apps.RollingUpdateDeploymentArgs(
                        max_surge=AWAY, max_unavailable=AWAY
                    ),
                ),
                selector=chosen(names.selector(WORKER, group)),
                template=template(pod, names),
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                # The autoscaler's number is not ours to set.
                ignore_changes=["spec.replicas"] if scaled else [],
            ),
        )


def worker_pod(
    settings: KubernetesSettings, group_name: str, *, shared: Shared, image: pulumi.Input[str]
) -> Pod:
    """Return what a worker of a group runs in.

    Args:
        settings: The stack's settings.
        group_name: The group's name in the stack file.
        shared: What it has of the cluster.
        image: By its digest.
    """
    group = settings.worker_groups[group_name]
    registered = core.ExecActionArgs(command=["test", "-e", str(REGISTERED)])
    return Pod(
        shared=shared,
        image=image,
        arguments=_arguments(group),
        cpu=group.cpu,
        memory=group.memory,
        disk=group.disk,
        grace=math.ceil(settings.drain_timeout) + GRACE_SECONDS,
        group=group_name,
        variables=_variables(settings, group),
        # A container that computes at its limit of CPU takes a while to start a process. No probe
        # ends it: tasks may hold the interpreter, and its data would be lost.
        readiness=core.ProbeArgs(exec_=registered, period_seconds=5, timeout_seconds=10),
    )


def _arguments(group: KubernetesWorkerGroup) -> list[str]:
    """Return what starts a pod's worker processes."""
    layout = group.layout
    # With several processes Dask itself appends `-<n>` to the name.
    name = "$(POD_NAME)" if layout.processes > 1 else "$(POD_NAME)-0"
    resources = ",".join(f"{name}={amount:g}" for name, amount in layout.resources.items())
    return [
        *("python", "-m", "dask_node.worker", "--name", name),
        *("--nworkers", str(layout.processes), "--nthreads", str(layout.threads)),
        *("--memory-limit", str(layout.memory)),
        *("--worker-port", _span(ports.WORKERS), "--nanny-port", _span(ports.NANNIES)),
        # Several processes of a pod cannot share a port, and nobody may come to it from outside.
        *("--dashboard-address", "127.0.0.1:0"),
        *(("--resources", resources) if resources else ()),
    ]


def _variables(settings: KubernetesSettings, group: KubernetesWorkerGroup) -> dict[str, str]:
    """Return what a worker's processes are told beside Dask's configuration."""
    told = {
        **HOME,
        "DASK_CLUSTER_DRAIN_SECONDS": f"{settings.drain_timeout:g}",
        "DASK_CLUSTER_READY_FILE": str(REGISTERED),
    }
    if settings.lifetime is not None:
        told["DASK_CLUSTER_LIFETIME_SECONDS"] = f"{settings.lifetime:g}"
    # A variable would win over the stack file's own.
    if not dask_configuration.says(settings.dask, _MAX_SPILL):
        most = int(group.disk * SPILLED / group.layout.processes)
        told["DASK_DISTRIBUTED__WORKER__MEMORY__MAX_SPILL"] = str(most)
    return told


def _numbers(settings: KubernetesSettings, group: KubernetesWorkerGroup) -> dict[str, str]:
    """Return what the scaler reads again and again: no change of it touches a pod."""
    layout = group.layout
    told = {
        keys.WORKERS: str(group.workers),
        keys.LAYOUT: json.dumps(
            {
                "processes": layout.processes,
                "threads": layout.threads,
                "memory": layout.memory,
                "resources": dict(layout.resources),
            }
        ),
        keys.AUTOSCALER: group.autoscaler,
        **keys.NO_WAIT,
    }
    if group.max_workers is None:
        told |= keys.OURS
    else:
        told[keys.MAX_WORKERS] = str(group.max_workers)
    if settings.idle_stop is not None:
        told[keys.IDLE_STOP] = f"{settings.idle_stop:g}"
    if settings.no_client_stop is not None:
        told[keys.NO_CLIENT_STOP] = f"{settings.no_client_stop:g}"
    return told


def _span(of: range) -> str:
    return f"{of.start}:{of.stop - 1}"
