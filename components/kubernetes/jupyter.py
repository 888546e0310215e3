"""A JupyterLab beside the scheduler, whose notebooks run in the cluster's environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core

from components.kubernetes.names import JUPYTER, NO_WAIT, OURS, Names, chosen
from components.kubernetes.pods import ONLY_READ, Pod, Shared, quantity, template
from components.kubernetes.token import Token
from components.settings.scalars import GIB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.settings import Jupyter

PORT = 8888
# Where `images/jupyter` looks for it: a file, as every kernel inherits the variables.
TOKEN_FOLDER = "/run/dask/jupyter"  # noqa: S105  # where it is, not what
HOME = "/home/dask"
DISK = GIB
GRACE_SECONDS = 30


class JupyterLab(pulumi.ComponentResource):
    """One pod with a volume for its home, a Service, and a token that only a Secret has.

    Attributes:
        service: Name of the Service.
        deployment: Name of the Deployment.
        ready: It.
    """

    service: str
    deployment: str
    ready: pulumi.Resource

    def __init__(
        self,
        name: str,
        *,
        names: Names,
        settings: Jupyter,
        pod: Pod,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Start JupyterLab.

        Args:
            name: Name of the component.
            names: What objects are called.
            settings: Its settings.
            pod: What it runs in.
            opts: Resource options.
        """
        super().__init__("dask-cluster:kubernetes:JupyterLab", name, None, opts)
        self._names = names
        self._child = pulumi.ResourceOptions(parent=self)
        self.deployment = self.service = names.of(JUPYTER)
        needed = [self._create_token(), self._create_home(settings)]
        self.ready = self._create_deployment(pod, needed)
        self._create_service()
        self.register_outputs({})

    def _create_token(self) -> core.Secret:
        made = Token(f"{self.deployment}-token", opts=self._child)
        return core.Secret(
            self.deployment,
            metadata=self._names.metadata(JUPYTER, JUPYTER),
            immutable=False,
            string_data={"token": made.token},
            opts=self._child,
        )

    def _create_home(self, settings: Jupyter) -> core.PersistentVolumeClaim:
        return core.PersistentVolumeClaim(
            self.deployment,
            metadata=self._names.metadata(JUPYTER, JUPYTER, annotations=NO_WAIT),
            spec=core.PersistentVolumeClaimSpecArgs(
                access_modes=["ReadWriteOnce"],
                storage_class_name=settings.storage_class,
                resources=core.VolumeResourceRequirementsArgs(
                    requests={"storage": quantity(settings.home)}
                ),
            ),
            opts=self._child,
        )

    def _create_deployment(self, pod: Pod, needed: Sequence[pulumi.Resource]) -> apps.Deployment:
        names = self._names
        return apps.Deployment(
            self.deployment,
            metadata=names.metadata(JUPYTER, JUPYTER, annotations=NO_WAIT | OURS),
            spec=apps.DeploymentSpecArgs(
                replicas=1,
                revision_history_limit=2,
                # Its volume goes from one node to another only when nobody has it.
                strategy=apps.DeploymentStrategyArgs(type="Recreate"),
                selector=chosen(names.selector(JUPYTER)),
                template=template(pod, names),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=needed),
        )

    def _create_service(self) -> None:
        core.Service(
            self.service,
            metadata=self._names.metadata(JUPYTER, JUPYTER, annotations=NO_WAIT),
            spec=core.ServiceSpecArgs(
                type="ClusterIP",
                selector=self._names.selector(JUPYTER),
                ports=[core.ServicePortArgs(name="jupyter", port=PORT, target_port=PORT)],
            ),
            opts=self._child,
        )


def jupyter_pod(
    settings: Jupyter, *, names: Names, shared: Shared, image: pulumi.Input[str]
) -> Pod:
    """Return what JupyterLab runs in.

    Args:
        settings: Its settings.
        names: What objects are called.
        shared: What it has of the cluster.
        image: With JupyterLab in it, by its digest.
    """
    name = names.of(JUPYTER)
    return Pod(
        shared=shared,
        image=image,
        arguments=["/opt/dask-cluster/jupyter/bin/python", "-m", "jupyterlab"],
        cpu=settings.cpu,
        memory=settings.memory,
        disk=DISK,
        grace=GRACE_SECONDS,
        ports={"jupyter": PORT},
        # Whether it listens: every page of it asks for the token.
        readiness=core.ProbeArgs(
            tcp_socket=core.TCPSocketActionArgs(port=PORT), period_seconds=5, timeout_seconds=5
        ),
        volumes=[
            core.VolumeArgs(
                name="home",
                persistent_volume_claim=core.PersistentVolumeClaimVolumeSourceArgs(claim_name=name),
            ),
            core.VolumeArgs(
                name="token",
                secret=core.SecretVolumeSourceArgs(secret_name=name, default_mode=ONLY_READ),
            ),
        ],
        mounts=[
            core.VolumeMountArgs(name="home", mount_path=HOME),
            core.VolumeMountArgs(name="token", mount_path=TOKEN_FOLDER, read_only=True),
        ],
    )
