"""What every pod of a cluster is: without rights on its node, read-only, its size fixed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from components.kubernetes.configuration import CERTIFICATES, CONFIGURATION, SCRATCH
from components.kubernetes.names import FINGERPRINT, Component, Labels, Names, chosen
from components.settings.scalars import GIB

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The image's user; root in a container is root on its node where anything else fails.
USER = 1000
# Of the owner and the group, which the kubelet sets to the pod's.
ONLY_READ = 0o440
TEMPORARY = PurePosixPath("/tmp")  # noqa: S108  # a volume of this pod alone
# Of processes whose home in the image is read-only: libraries keep caches there.
HOME = {"HOME": str(TEMPORARY)}
# For /tmp and what the container writes to its log: the kubelet counts both.
BESIDE_SCRATCH = GIB
# Whoever tidies up nodes must wait for a pod's own end: its memory holds results.
STAYS = {
    "karpenter.sh/do-not-disrupt": "true",
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
}
_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi")


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What the pods of a role have of the cluster.

    Attributes:
        component: The role.
        configuration: Name of the ConfigMap.
        certificate: Name of the Secret with the role's certificate.
        fingerprint: Another one is other pods.
    """

    component: Component
    configuration: str
    certificate: str
    fingerprint: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class Pod:
    """What is special about the pods of a Deployment.

    Attributes:
        shared: What they have of the cluster.
        image: By its digest.
        arguments: Of the image's entrypoint.
        cpu: CPUs, asked for and never more.
        memory: Bytes, asked for and never more.
        disk: Bytes of `/scratch`.
        grace: Seconds from SIGTERM to SIGKILL.
        readiness: The probe that says whether it works.
        startup: The one that first says whether it has begun to, or None.
        group: The group of workers, or None.
        variables: Of their environment.
        ports: What they listen on, by name.
        token: Whether they may call the API of Kubernetes.
        volumes: Further ones.
        mounts: Further ones.
    """

    shared: Shared
    image: pulumi.Input[str]
    arguments: Sequence[str]
    cpu: float
    memory: int
    disk: int
    grace: int
    readiness: core.ProbeArgs
    startup: core.ProbeArgs | None = None
    group: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    token: bool = False
    volumes: Sequence[core.VolumeArgs] = ()
    mounts: Sequence[core.VolumeMountArgs] = ()

    @property
    def revision(self) -> pulumi.Output[str]:
        """Another value wherever a setting makes other pods; known without asking Kubernetes."""
        size = (self.cpu, self.memory, self.disk, self.grace)
        fixed = repr((*self.arguments, *size, *sorted(self.variables.items())))
        return pulumi.Output.all(self.image, self.shared.fingerprint).apply(
            lambda moving: hashlib.sha256(f"{moving} {fixed}".encode()).hexdigest()[:16]
        )


def template(pod: Pod, names: Names) -> core.PodTemplateSpecArgs:
    """Return the template of a Deployment's pods."""
    component = pod.shared.component
    return core.PodTemplateSpecArgs(
        metadata=meta.ObjectMetaArgs(
            labels=names.labels(component, pod.group),
            annotations={FINGERPRINT: pod.shared.fingerprint, **STAYS},
        ),
        spec=core.PodSpecArgs(
            service_account_name=names.of(component),
            automount_service_account_token=pod.token,
            # Else each Service of the namespace is a dozen variables of every process.
            enable_service_links=False,
            termination_grace_period_seconds=pod.grace,
            security_context=core.PodSecurityContextArgs(
                run_as_non_root=True,
                run_as_user=USER,
                run_as_group=USER,
                fs_group=USER,
                fs_group_change_policy="OnRootMismatch",
                seccomp_profile=core.SeccompProfileArgs(type="RuntimeDefault"),
            ),
            topology_spread_constraints=(
                [_spread(names.selector(component, pod.group))] if pod.group else None
            ),
            containers=[_container(pod)],
            volumes=[*_volumes(pod), *pod.volumes],
        ),
    )


def quantity(size: int) -> str:
    """Write bytes as Kubernetes itself writes them back, else every `up` would see a change."""
    value, unit = max(1, size // 1024), 0
    while value % 1024 == 0 and unit + 1 < len(_BINARY):
        value, unit = value // 1024, unit + 1
    return f"{value}{_BINARY[unit]}"


def _cpus(count: float) -> str:
    """Write CPUs as Kubernetes does."""
    milli = round(count * 1000)
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def _container(pod: Pod) -> core.ContainerArgs:
    size = {
        "cpu": _cpus(pod.cpu),
        "memory": quantity(pod.memory),
        "ephemeral-storage": quantity(pod.disk + BESIDE_SCRATCH),
    }
    return core.ContainerArgs(
        name=pod.shared.component,
        image=pod.image,
        args=list(pod.arguments),
        env=[
            core.EnvVarArgs(
                name="POD_NAME",
                value_from=core.EnvVarSourceArgs(
                    field_ref=core.ObjectFieldSelectorArgs(field_path="metadata.name")
                ),
            ),
            *(core.EnvVarArgs(name=name, value=value) for name, value in pod.variables.items()),
        ],
        ports=[
            core.ContainerPortArgs(name=name, container_port=port)
            for name, port in pod.ports.items()
        ]
        or None,
        resources=core.ResourceRequirementsArgs(requests=size, limits=size),
        security_context=core.SecurityContextArgs(
            run_as_non_root=True,
            read_only_root_filesystem=True,
            allow_privilege_escalation=False,
            capabilities=core.CapabilitiesArgs(drop=["ALL"]),
        ),
        volume_mounts=[*_mounts(), *pod.mounts],
        readiness_probe=pod.readiness,
        startup_probe=pod.startup,
    )


def _mounts() -> list[core.VolumeMountArgs]:
    return [
        core.VolumeMountArgs(name="configuration", mount_path=str(CONFIGURATION), read_only=True),
        core.VolumeMountArgs(name="certificates", mount_path=str(CERTIFICATES), read_only=True),
        core.VolumeMountArgs(name="scratch", mount_path=str(SCRATCH)),
        core.VolumeMountArgs(name="temporary", mount_path=str(TEMPORARY)),
    ]


def _volumes(pod: Pod) -> list[core.VolumeArgs]:
    return [
        core.VolumeArgs(
            name="configuration",
            config_map=core.ConfigMapVolumeSourceArgs(name=pod.shared.configuration),
        ),
        core.VolumeArgs(
            name="certificates",
            secret=core.SecretVolumeSourceArgs(
                secret_name=pod.shared.certificate, default_mode=ONLY_READ
            ),
        ),
        core.VolumeArgs(
            name="scratch",
            empty_dir=core.EmptyDirVolumeSourceArgs(size_limit=quantity(pod.disk)),
        ),
        core.VolumeArgs(
            name="temporary",
            empty_dir=core.EmptyDirVolumeSourceArgs(size_limit=quantity(BESIDE_SCRATCH)),
        ),
    ]


def _spread(labels: Labels) -> core.TopologySpreadConstraintArgs:
    """Return that pods rather go to different nodes: one that is lost takes fewer with it."""
    return core.TopologySpreadConstraintArgs(
        max_skew=1,
        topology_key="kubernetes.io/hostname",
        when_unsatisfiable="ScheduleAnyway",
        label_selector=chosen(labels),
    )
