"""A Dask cluster of EC2 instances on AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws
from pulumi_aws import ec2

from components import boot
from components.archive import Archive
from components.aws import CLUSTER_TAG
from components.environment import LockedEnvironment, dask_configuration
from components.identity import Identity, Reach
from components.machines import SCHEDULER, Machines
from components.ready import Ready, Wanted
from components.scheduler_host import SchedulerHost
from components.settings import ports
from components.stack_name import checked_stack_name
from components.surroundings import Surroundings
from components.worker_fleet import WorkerFleet

if TYPE_CHECKING:
    from components.settings import VmSettings, VmWorkerGroup


class VmCluster(pulumi.ComponentResource):
    """A scheduler and groups of workers on EC2, with all that they need around them.

    Any number of workers is the same number of resources.

    Attributes:
        outputs: What the stack exports.
    """

    outputs: dict[str, pulumi.Output[Any]]

    def __init__(
        self, name: str, *, settings: VmSettings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Create the cluster.

        Args:
            name: Name of the component.
            settings: The stack's settings.
            opts: Resource options.
        """
        self._settings = settings
        self._cluster = checked_stack_name(
            where="on AWS", part_of="a host name, a bucket and a role"
        )
        self._tags = {**settings.tags, CLUSTER_TAG: self._cluster}
        super().__init__("dask-cluster:platforms:Vm", name, None, self._with_provider(opts))
        self._prefix = f"dask-{self._cluster}"
        self._child = pulumi.ResourceOptions(parent=self)
        self._groups = {
            group: f"dask-cluster-{self._cluster}-{group}"
            for group in (SCHEDULER, *settings.worker_groups)
        }
        self._around = Surroundings(
            self._prefix,
            cluster=self._cluster,
            settings=settings,
            groups=self._groups,
            opts=self._child,
        )
        self._archive = self._create_archive()
        self._identity = self._create_identity()
        self._machines = Machines(
            cluster=self._cluster,
            settings=settings,
            groups=self._groups,
            around=self._around,
            archive=self._archive,
            environment=self._environment.identity,
            identity=self._identity,
            opts=self._child,
        )
        self._scheduler = self._create_scheduler()
        scheduler_ready = self._create_ready(SCHEDULER, {}, [self._scheduler.ready])
        fleets = {
            group: self._create_workers(group, each, scheduler_ready)
            for group, each in settings.worker_groups.items()
        }
        self._create_ready("cluster", fleets, list(fleets.values()))
        self.outputs = self._outputs()
        self.register_outputs({})

    def _with_provider(self, opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
        """Let everything below this component be made in the stack's region, with its tags."""
        provider = pulumi_aws.Provider(
            "aws",
            region=self._settings.region,
            default_tags=pulumi_aws.ProviderDefaultTagsArgs(tags=self._tags),
            opts=opts,
        )
        return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(providers=[provider]))

    def _create_archive(self) -> Archive:
        settings = self._settings
        self._environment = LockedEnvironment(
            "environment", packages=settings.packages, opts=self._child
        )
        placed = boot.placed_configuration(scheduler_address=self._address)
        if settings.allowed_cidrs:
            # Who comes from outside of the VPC sees the dashboard by https.
            placed["distributed"]["scheduler"]["dashboard"] = {"tls": _dashboard_tls()}
        return Archive(
            self._prefix,
            region=settings.region,
            texts={
                "requirements.txt": self._environment.locked,
                "extra.txt": self._environment.requirements,
                "python.txt": self._environment.python_minor,
                "dask.yaml": dask_configuration(settings.dask, placed),
            },
            opts=self._child,
        )

    @property
    def _address(self) -> str:
        return f"tls://{self._around.dns.record}:{ports.SCHEDULER}"

    def _create_identity(self) -> Identity:
        return Identity(
            self._prefix,
            cluster=self._cluster,
            region=self._settings.region,
            reach=Reach(
                archive=self._archive.arn,
                secrets=self._around.secrets.arns,
                log_group=self._around.reports.log_group_arn,
                boot=self._around.reports.boot,
                registered=self._around.reports.registered,
                zone=self._around.dns.zone_arn,
            ),
            groups={group: self._groups[group] for group in self._settings.worker_groups},
            scheduler_group=self._groups[SCHEDULER],
            record=self._around.dns.record,
            read_buckets=self._settings.read_buckets,
            write_buckets=self._settings.write_buckets,
            opts=self._child,
        )

    def _create_scheduler(self) -> SchedulerHost:
        return SchedulerHost(
            f"{self._prefix}-{SCHEDULER}",
            autoscaling_group=self._groups[SCHEDULER],
            machine=self._machines.scheduler(),
            subnet_ids=self._around.network.subnet_ids,
            common_tags=self._tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[
                    *self._around.network.ready,
                    *self._around.firewall.ready,
                    *self._around.reports.ready,
                    self._around.dns.ready,
                ],
            ),
        )

    def _create_workers(
        self, name: str, group: VmWorkerGroup, after: pulumi.Resource
    ) -> WorkerFleet:
        prefix = f"{self._prefix}-{name}"
        return WorkerFleet(
            prefix,
            group_name=name,
            autoscaling_group=self._groups[name],
            settings=self._settings,
            machine=self._machines.worker(name),
            subnet_ids=self._around.network.subnet_ids,
            placement_group=self._create_placement_group(prefix) if group.placement_group else None,
            topic=self._around.notices.topic,
            common_tags=self._tags,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[after, *self._around.storage.ready]
            ),
        )

    def _create_placement_group(self, name: str) -> pulumi.Output[str]:
        made = ec2.PlacementGroup(name, strategy="cluster", tags={"Name": name}, opts=self._child)
        return made.name

    def _create_ready(
        self, name: str, fleets: dict[str, WorkerFleet], after: list[pulumi.Resource]
    ) -> Ready:
        groups = self._settings.worker_groups
        return Ready(
            f"{name}-ready",
            region=self._settings.region,
            cluster=self._cluster,
            environment=self._environment.identity,
            scheduler=self._scheduler.group,
            revision=self._scheduler.revision,
            workers={group: _wanted(groups[group], fleets[group]) for group in fleets},
            seconds=self._settings.start_timeout,
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
        )

    def _outputs(self) -> dict[str, pulumi.Output[Any]]:
        plain = {
            "platform": "vm",
            "region": self._settings.region,
            "cluster": self._cluster,
            "scheduler_address": self._address,
            "groups": self._groups,
            "workers": sum(each.workers for each in self._settings.worker_groups.values()),
        }
        return {
            **{name: pulumi.Output.from_input(value) for name, value in plain.items()},
            "environment": self._environment.identity,
            "extra_packages": self._environment.requirements,
            "client_secret": self._around.secrets.arns["client"],
            "connect_policy": self._identity.connect_policy,
            "log_group": self._around.reports.log_group,
            "alarm_topic": self._around.notices.topic,
            "certificates_expire": self._around.secrets.expires,
        }


def _dashboard_tls() -> dict[str, str]:
    folder = boot.CERTIFICATES
    return {
        "ca-file": str(folder / "authority.pem"),
        "cert": str(folder / "certificate.pem"),
        "key": str(folder / "key.pem"),
    }


def _wanted(group: VmWorkerGroup, fleet: WorkerFleet) -> Wanted:
    return Wanted(
        autoscaling_group=fleet.group,
        workers=group.workers if group.all_or_nothing else min(1, group.workers),
        all_or_nothing=group.all_or_nothing,
    )
