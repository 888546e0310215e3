"""What holds on Kubernetes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from components.settings import ports
from components.settings.group_names import GROUPS
from components.settings.problems import Problem, path
from components.settings.rules import rule as rules
from components.settings.rules.every_platform import LEAST_MEMORY, too_little_memory
from components.settings.scalars import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.settings.kubernetes import KubernetesSettings
    from components.settings.kubernetes_group import KubernetesWorkerGroup

rule = partial(rules.rule, platform="kubernetes")
group_rule = partial(rules.group_rule, platform="kubernetes")

JUPYTER = "jupyter"
"""The part of the names of JupyterLab's objects that a group must not have."""


@rule("image_repository", "image")
def image_has_one_source(settings: KubernetesSettings) -> Iterator[Problem]:
    """Pods need an image: one that `up` makes, or one that is there."""
    if settings.image_repository is None and settings.image is None:
        remedy = (
            "Write where `up` pushes the image, for example `imageRepository: ghcr.io/me/dask`; "
            "or `image`, your own one by its digest."
        )
        yield Problem("imageRepository", "is missing", remedy)
    if settings.image_repository is not None and settings.image is not None:
        problem = "stands beside `imageRepository`, and pods have one image"
        yield Problem("image", problem, "Keep one of the two.")


@rule("image", "base_image")
def base_is_of_an_image_to_build(settings: KubernetesSettings) -> Iterator[Problem]:
    """Your own image has its base already."""
    if settings.image is not None and settings.base_image is not None:
        problem = "with `image` nothing is built"
        yield Problem("baseImage", problem, "Remove the line, or write `imageRepository` instead.")


@rule("service_type", "allowed_cidrs")
def outside_is_named(settings: KubernetesSettings) -> Iterator[Problem]:
    """What is reached from outside is reached from named networks only."""
    inside = settings.service_type == "ClusterIP"
    if inside and settings.allowed_cidrs:
        problem = "a ClusterIP is reached from inside of Kubernetes only"
        remedy = "Write `serviceType: LoadBalancer` or `NodePort` too, or remove the line."
        yield Problem("allowedCidrs", problem, remedy)
    if not inside and not settings.allowed_cidrs:
        problem = f"{settings.service_type} opens the scheduler, and nobody may come in"
        remedy = "Write who, for example `allowedCidrs: [203.0.113.0/24]`."
        yield Problem("serviceType", problem, remedy)


@rule("groups")
def group_names_are_free(settings: KubernetesSettings) -> Iterator[Problem]:
    """Objects are called by the group's name, and JupyterLab has one of its own."""
    if JUPYTER in settings.groups:
        problem = "this is the name of JupyterLab's objects"
        yield Problem(path(GROUPS, JUPYTER), problem, "Write another name, for example `gpu`.")


@group_rule("autoscaler", "max_workers")
def hpa_has_a_most(group: KubernetesWorkerGroup) -> Iterator[Problem]:
    """A HorizontalPodAutoscaler has no sense without a number to go up to."""
    if group.autoscaler == "hpa" and group.max_workers is None:
        problem = "`hpa` without `maxWorkers` has nothing to move"
        yield Problem("autoscaler", problem, "Write `maxWorkers` too, or remove the line.")


@group_rule("autoscaler", "workers")
def hpa_has_a_worker(group: KubernetesWorkerGroup) -> Iterator[Problem]:
    """Kubernetes' autoscaler measures pods: of none it learns nothing, and it is off at 0.

    That is also why an idle stop goes with it ("Implicit maintenance-mode deactivation"): the stop
    sets 0, which switches the autoscaler off, and the return to `workers` switches it on.
    """
    if group.autoscaler == "hpa" and not group.workers:
        problem = "0, and `autoscaler: hpa` never leaves 0"
        remedy = "Write at least `1` (an `idleStop` still ends all), or `autoscaler: scaler`."
        yield Problem("workers", problem, remedy)


@group_rule("processes", "cpu")
def cpus_split_evenly(group: KubernetesWorkerGroup) -> Iterator[Problem]:
    """A thread belongs to one process, and a worker has a thread for each CPU."""
    count, threads = group.layout.processes, group.place.threads
    if threads % count:
        problem = f"{threads} threads, one for each CPU, cannot be split over {count} processes"
        yield Problem("processes", problem, f"Write a number that divides {threads}, or `auto`.")


@group_rule("processes", "cpu")
def pods_have_ports(group: KubernetesWorkerGroup) -> Iterator[Problem]:
    """The network policies let in the fixed ranges of ports, one port of each for a process."""
    most = ports.PROCESSES_ON_A_MACHINE
    if group.layout.processes > most:
        problem = f"{group.layout.processes} processes, and one pod has ports for {most}"
        yield Problem("processes", problem, f"Write at most `{most}`, or `auto`.")


@group_rule("memory", "processes", "cpu")
def containers_have_memory(group: KubernetesWorkerGroup) -> Iterator[Problem]:
    """An idle Dask process takes about 100 MiB; below that it restarts for ever."""
    least = -(-group.memory_for(LEAST_MEMORY * group.layout.processes) // MIB)
    remedy = f"Write at least `{least} MiB`: Dask has 92 % of it less 128 MiB."
    yield from too_little_memory("memory", group, remedy)
