"""A Dask cluster of pods in a Kubernetes cluster that is there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pulumi
import pulumi_kubernetes

from components.environment import LockedEnvironment
from components.image import EnvironmentImage
from components.kubernetes.access import Access
from components.kubernetes.certificates import COMPONENTS, CertificateSecrets
from components.kubernetes.configuration import Configuration
from components.kubernetes.jupyter import JupyterLab, jupyter_pod
from components.kubernetes.names import JUPYTER, SCHEDULER, Names
from components.kubernetes.network_policies import NetworkPolicies
from components.kubernetes.pods import Shared
from components.kubernetes.ready import Ready, Wanted
from components.kubernetes.scheduler import Scheduler, create_outside_service, scheduler_pod
from components.kubernetes.workers import Workers, worker_pod
from components.settings import ports
from components.stack_name import checked_stack_name

if TYPE_CHECKING:
    from components.certificates import Role
    from components.settings import Jupyter, KubernetesSettings


class KubernetesCluster(pulumi.ComponentResource):
    """A scheduler and groups of workers as pods, with all that they need in one namespace.

    Any number of workers is the same number of objects.

    Attributes:
        outputs: What the stack exports.
    """

    outputs: dict[str, pulumi.Output[Any]]

    def __init__(
        self, name: str, *, settings: KubernetesSettings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Create the cluster.

        Args:
            name: Name of the component.
            settings: The stack's settings.
            opts: Resource options.
        """
        self._settings = settings
        cluster = checked_stack_name(
            where="on Kubernetes", part_of="the names of all objects and of a host"
        )
        self._names = Names(cluster, settings.namespace or f"dask-{cluster}")
        super().__init__("dask-cluster:platforms:Kubernetes", name, None, self._with_provider(opts))
        self._child = pulumi.ResourceOptions(parent=self)
        self._environment = LockedEnvironment(
            "environment", packages=settings.packages, opts=self._child
        )
        self._image, self._jupyter_image = self._create_images()
        access = self._create_access()
        self._inside = pulumi.ResourceOptions(parent=self, depends_on=access.ready)
        self._certificates = CertificateSecrets(
            self._names.of("tls"), names=self._names, opts=self._inside
        )
        self._configuration = self._create_configuration()
        self._needed = [*access.ready, *self._certificates.ready, *self._create_policies().ready]
        self._needed.append(self._configuration.ready)
        scheduler = self._create_scheduler()
        started = [self._create_workers(group, scheduler) for group in settings.worker_groups]
        if settings.jupyter is not None:
            started.append(self._create_jupyter(settings.jupyter, scheduler))
        self._create_ready("cluster", started)
        self.outputs = self._outputs()
        self.register_outputs({})

    def _with_provider(self, opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
        """Let everything below this component be made in the stack's context."""
        context = self._settings.context
        provider = pulumi_kubernetes.Provider(
            "kubernetes",
            context=context,
            # A kubeconfig is written anew every now and then: only another context is another
            # cluster, whose objects Pulumi then makes again.
            cluster_identifier=context,
            # A renewed certificate is an update; else pods lose the old one before there is a new.
            enable_secret_mutable=True,
            enable_config_map_mutable=True,
            opts=opts,
        )
        return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(providers=[provider]))

    def _create_images(self) -> tuple[pulumi.Input[str], pulumi.Input[str]]:
        """Return the image of scheduler and workers, and that of JupyterLab."""
        settings = self._settings
        if settings.image_repository is None:
            # The user's own: with a JupyterLab it is made from the target that has one.
            image = settings.image or ""
            return image, image
        create = partial(
            EnvironmentImage,
            repository=settings.image_repository,
            base_image=settings.base_image,
            environment=self._environment,
        )
        made = create("image", opts=self._child)
        if settings.jupyter is None:
            return made.reference, ""
        # After the other, of which Docker has the layers by then.
        after = pulumi.ResourceOptions(parent=self, depends_on=[made])
        notebooks = create("jupyter-image", jupyter=True, opts=after)
        return made.reference, notebooks.reference

    def _create_access(self) -> Access:
        settings = self._settings
        return Access(
            self._names.of("access"),
            names=self._names,
            own_namespace=settings.namespace is None,
            deployments=[self._names.of(group) for group in settings.worker_groups],
            jupyter=settings.jupyter is not None,
            drain_seconds=settings.drain_timeout,
            opts=self._child,
        )

    @property
    def _address(self) -> str:
        return f"tls://{self._names.host}:{ports.SCHEDULER}"

    def _create_configuration(self) -> Configuration:
        return Configuration(
            self._names.of("configuration"),
            names=self._names,
            scheduler_address=self._address,
            chosen=self._settings.dask,
            opts=self._inside,
        )

    def _create_policies(self) -> NetworkPolicies:
        return NetworkPolicies(
            self._names.of("policies"),
            names=self._names,
            jupyter=self._settings.jupyter is not None,
            allowed_cidrs=self._settings.allowed_cidrs,
            opts=self._inside,
        )

    def _shared(self, role: Role) -> Shared:
        return Shared(
            component=COMPONENTS[role],
            configuration=self._configuration.name,
            certificate=self._certificates.names[role],
            fingerprint=self._configuration.fingerprint(self._certificates.public[role]),
        )

    def _create_scheduler(self) -> pulumi.Resource:
        """Create the scheduler, and return what workers depend on."""
        settings = self._settings
        pod = scheduler_pod(
            settings, names=self._names, shared=self._shared("scheduler"), image=self._image
        )
        needed = pulumi.ResourceOptions(parent=self, depends_on=self._needed)
        made = Scheduler(self._names.of(SCHEDULER), names=self._names, pod=pod, opts=needed)
        wanted = Wanted(deployment=made.deployment, pods=1, revision=pod.revision)
        ready = self._create_ready(SCHEDULER, [Started(SCHEDULER, wanted, made.ready)])
        if settings.service_type != "ClusterIP":
            create_outside_service(
                self._names,
                type_=settings.service_type,
                allowed_cidrs=settings.allowed_cidrs,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[ready]),
            )
        return ready

    def _create_workers(self, group: str, scheduler: pulumi.Resource) -> Started:
        pod = worker_pod(self._settings, group, shared=self._shared("worker"), image=self._image)
        made = Workers(
            self._names.of(group),
            names=self._names,
            group_name=group,
            settings=self._settings,
            pod=pod,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[scheduler]),
        )
        first = min(1, self._settings.worker_groups[group].workers)
        wanted = Wanted(deployment=made.deployment, pods=first, revision=pod.revision)
        return Started(group, wanted, made.ready)

    def _create_jupyter(self, settings: Jupyter, scheduler: pulumi.Resource) -> Started:
        pod = jupyter_pod(
            settings, names=self._names, shared=self._shared("client"), image=self._jupyter_image
        )
        made = JupyterLab(
            self._names.of(JUPYTER),
            names=self._names,
            settings=settings,
            pod=pod,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[scheduler]),
        )
        wanted = Wanted(deployment=made.deployment, pods=1, revision=pod.revision)
        return Started(JUPYTER, wanted, made.ready)

    def _create_ready(self, name: str, started: list[Started]) -> Ready:
        return Ready(
            f"{name}-ready",
            context=self._settings.context,
            namespace=self._names.namespace,
            wanted={each.name: each.wanted for each in started},
            seconds=self._settings.start_timeout,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[each.deployment for each in started]
            ),
        )

    def _outputs(self) -> dict[str, pulumi.Output[Any]]:
        settings, names = self._settings, self._names
        plain = {
            "platform": "kubernetes",
            "context": settings.context,
            "namespace": names.namespace,
            "cluster": names.cluster,
            "scheduler_address": self._address,
            "groups": {group: names.of(group) for group in (SCHEDULER, *settings.worker_groups)},
            "workers": sum(each.workers for each in settings.worker_groups.values()),
            "image": self._image,
            "client_secret": self._certificates.names["client"],
            "jupyter": None if settings.jupyter is None else names.of(JUPYTER),
        }
        return {
            **{name: pulumi.Output.from_input(value) for name, value in plain.items()},
            "environment": self._environment.identity,
            "extra_packages": self._environment.requirements,
            "certificates_expire": self._certificates.expires,
        }


class Started(NamedTuple):
    """A Deployment that is waited for.

    Attributes:
        name: By which people know it.
        wanted: What is waited for.
        deployment: It.
    """

    name: str
    wanted: Wanted
    deployment: pulumi.Resource
