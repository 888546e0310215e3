"""The settings of a cluster of pods on Kubernetes."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from components.settings import group_names
from components.settings.base import Settings
from components.settings.keys import Change, about
from components.settings.kubernetes_group import KubernetesWorkerGroup
from components.settings.kubernetes_parts import Jupyter
from components.settings.kubernetes_values import (
    BaseImage,
    ContainerMemory,
    Context,
    Cpu,
    Image,
    ImageRepository,
    Namespace,
    ServiceType,
)
from components.settings.network_values import AllowedCidrs
from components.settings.parts import part_or_nothing
from components.settings.scalars import GIB, OrJson, StartTimeout
from components.settings.worker_group import Groups, WorkerGroup


class KubernetesSettings(Settings, KubernetesWorkerGroup):
    """A cluster of pods on Kubernetes."""

    group_model: ClassVar[type[WorkerGroup]] = KubernetesWorkerGroup

    platform: Annotated[
        Literal["kubernetes"], Settings.model_fields["platform"], Field(examples=["kubernetes"])
    ]
    groups: Annotated[
        Groups[KubernetesWorkerGroup],
        Settings.model_fields["groups"],
        Field(examples=[{"big": {"workers": 1, "cpu": 8, "memory": "32 GiB"}}]),
    ] = Field(default_factory=dict)
    context: Annotated[
        Context,
        about(
            "The context of your kubeconfig. It is always written, so that a cluster stays where "
            "it is when the current context changes.",
            Change.REPLACES_EVERYTHING,
            example="kind-kind",
        ),
    ]
    namespace: Annotated[
        Namespace,
        about(
            "A namespace that is there and stays. `null`: `dask-` and the stack's name, made and "
            "deleted with the cluster.",
            Change.REPLACES_EVERYTHING,
            example="science",
        ),
    ] = None
    image_repository: Annotated[
        ImageRepository,
        about(
            "Where `up` pushes the image of the environment, which it builds with Docker. Either "
            "this or `image` is required.",
            Change.REPLACES_SCHEDULER,
            example="ghcr.io/me/dask",
        ),
    ] = None
    image: Annotated[
        Image,
        about(
            "Your own image, built from ours, by its digest. `up` then builds nothing.",
            Change.REPLACES_SCHEDULER,
            example=f"ghcr.io/me/dask@sha256:{'0123456789abcdef' * 4}",
        ),
    ] = None
    base_image: Annotated[
        BaseImage,
        about(
            "What the image is built on: Debian with the environment's Python. `null`: "
            "`python:<minor>-slim-bookworm`.",
            Change.REPLACES_SCHEDULER,
            example="python:3.11-slim-bookworm",
        ),
    ] = None
    scheduler_cpu: Annotated[
        Cpu,
        about(
            "CPUs of the scheduler, which itself works with one.",
            Change.REPLACES_SCHEDULER,
            example=2,
        ),
    ] = 1.0
    scheduler_memory: Annotated[
        ContainerMemory,
        about(
            "Memory of the scheduler's container.",
            Change.REPLACES_SCHEDULER,
            example="4 GiB",
            shown="2 GiB",
        ),
    ] = 2 * GIB
    service_type: Annotated[
        ServiceType,
        about(
            "How the scheduler is reached. `ClusterIP`: inside of Kubernetes and by "
            "`kubectl port-forward`. `NodePort`, `LoadBalancer`: from `allowedCidrs` too, if the "
            "network plugin enforces policies.",
            Change.IN_PLACE,
            example="LoadBalancer",
        ),
    ] = "ClusterIP"
    allowed_cidrs: Annotated[
        AllowedCidrs,
        about(
            "With `NodePort` or `LoadBalancer`: networks that may reach the scheduler. The "
            "dashboard stays inside.",
            Change.IN_PLACE,
            example=["10.8.0.0/16"],
        ),
    ] = ()
    jupyter: Annotated[
        Jupyter | None,
        BeforeValidator(part_or_nothing),
        OrJson(),
        about(
            "A JupyterLab with the cluster's environment; `{}` is one with the defaults. `null`: "
            "none.",
            Change.IN_PLACE,
            example={"memory": "4 GiB"},
        ),
    ] = None
    start_timeout: Annotated[
        StartTimeout,
        about(
            "How long `up` waits for the scheduler, and then for the first worker of each group.",
            Change.IN_PLACE,
            example="30 minutes",
            shown="15 minutes",
        ),
    ] = 900.0

    @property
    def worker_groups(self) -> Mapping[str, KubernetesWorkerGroup]:
        """Every group of workers by name: the default one, then the others as in the file."""
        return {group_names.DEFAULT: self, **self.groups}
