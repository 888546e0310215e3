"""What each machine of a cluster is: its image, its network, its role and its boot text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

from components import boot, placement
from components.launch_template import Machine
from components.machine_image import MachineImage
from components.settings import instance_types
from components.settings.scalars import GIB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.archive import Archive
    from components.certificates import Role
    from components.identity import Identity
    from components.settings import VmSettings
    from components.surroundings import Surroundings

SCHEDULER = "scheduler"
SCHEDULER_VOLUME = 30 * GIB
# No worker runs beside the scheduler, and another `drainTimeout` must not be another scheduler.
SCHEDULER_DRAIN_SECONDS = 60


class Machines:
    """Describes the machines of a cluster; the groups make them."""

    def __init__(
        self,
        *,
        cluster: str,
        settings: VmSettings,
        groups: Mapping[str, str],
        around: Surroundings,
        archive: Archive,
        environment: pulumi.Input[str],
        identity: Identity,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Take what they have in common.

        Args:
            cluster: The cluster's name.
            settings: The stack's settings.
            groups: Names of the Auto Scaling groups, by group.
            around: What is around them.
            archive: What they boot from.
            environment: The identity of the environment.
            identity: Their roles.
            opts: Options of the images that are looked up.
        """
        self._cluster = cluster
        self._settings = settings
        self._groups = groups
        self._around = around
        self._archive = archive
        self._environment = environment
        self._identity = identity
        self._child = opts
        self._images: dict[str, pulumi.Input[str]] = {
            str(each): image for each, image in settings.images.items()
        }

    def scheduler(self) -> Machine:
        """Return the scheduler's machine."""
        dns, kind = self._around.dns, _facts(self._settings.scheduler_instance_type)
        return Machine(
            image=self._image(kind.architecture),
            root_volume=SCHEDULER_VOLUME,
            interfaces=placement.plain([self._around.firewall.scheduler]),
            instance_type=kind.name,
            profile=self._identity.scheduler_profile,
            boot_text=self._boot_text(
                SCHEDULER, "scheduler", zone_id=dns.zone_id, record=dns.record
            ),
        )

    def worker(self, name: str) -> Machine:
        """Return a machine of a group of workers."""
        group = self._settings.worker_groups[name]
        firewall = self._around.firewall
        security_groups = [firewall.worker]
        if group.network == "efa" and firewall.efa is not None:
            security_groups.append(firewall.efa)
        # Its types are alike in what matters here.
        kind = group.types[0]
        layout = group.layout
        return Machine(
            image=self._image(group.architecture),
            root_volume=group.root_volume,
            interfaces=placement.interfaces(group, kind, security_groups),
            cpu_options=placement.cpu_options(group, kind),
            capacity_reservation=placement.capacity_reservation(group),
            profile=self._identity.worker_profile,
            boot_text=self._boot_text(
                name,
                "worker",
                processes=layout.processes,
                threads=layout.threads,
                memory=layout.memory,
                resources=dict(layout.resources),
                spill_to_nvme=group.spill_to_nvme,
                efs=self._around.storage.efs,
                lustre=self._around.storage.lustre,
            ),
        )

    def _image(self, architecture: str) -> pulumi.Input[str]:
        """Return the image that the stack file names, or the public one of the first ``up``."""
        if architecture not in self._images:
            found = MachineImage(
                f"image-{architecture}",
                region=self._settings.region,
                architecture=architecture,
                opts=self._child,
            )
            self._images[architecture] = found.image
        return self._images[architecture]

    def _boot_text(self, group: str, role: Role, **more: pulumi.Input[Any]) -> pulumi.Output[str]:
        """Return the user data of a group's machines."""
        kind = boot.SchedulerHost if role == "scheduler" else boot.WorkerHost
        drain = SCHEDULER_DRAIN_SECONDS if role == "scheduler" else self._settings.drain_timeout
        values = pulumi.Output.all(
            archive_bucket=self._archive.bucket,
            archive_key=self._archive.key,
            archive_sha256=self._archive.sha256,
            environment=self._environment,
            secret=self._around.secrets.arns[role],
            fingerprint=self._around.secrets.fingerprints[role],
            **more,
        )
        return values.apply(
            lambda values: boot.boot_text(
                kind(
                    cluster=self._cluster,
                    region=self._settings.region,
                    group=group,
                    auto_scaling_group=self._groups[group],
                    drain_seconds=drain,
                    **values,
                )
            )
        )


def _facts(name: str) -> instance_types.InstanceType:
    found = instance_types.facts(name)
    if found is None:
        raise ValueError(f"{name} is no known instance type, and the settings let it pass.")
    return found
