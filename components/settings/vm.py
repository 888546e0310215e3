"""The settings of a cluster of EC2 instances on AWS."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from components.settings import group_names
from components.settings.aws_values import (
    Buckets,
    Budget,
    Images,
    InstanceTypeName,
    Mails,
    Tags,
    YesNo,
)
from components.settings.base import Settings
from components.settings.keys import Change, about
from components.settings.network_values import AllowedCidrs, Egress, Region
from components.settings.parts import part, part_or_nothing
from components.settings.scalars import Lifetime, OrJson, StartTimeout
from components.settings.vm_group import VmWorkerGroup
from components.settings.vm_parts import Efs, Lustre, Vpc
from components.settings.worker_group import Groups, WorkerGroup


class VmSettings(Settings, VmWorkerGroup):
    """A cluster of EC2 instances on AWS."""

    group_model: ClassVar[type[WorkerGroup]] = VmWorkerGroup

    platform: Annotated[Literal["vm"], Settings.model_fields["platform"], Field(examples=["vm"])]
    groups: Annotated[
        Groups[VmWorkerGroup],
        Settings.model_fields["groups"],
        Field(examples=[{"big": {"workers": 1, "instanceTypes": ["r7i.8xlarge"]}}]),
    ] = Field(default_factory=dict)
    lifetime: Annotated[
        Lifetime,
        about(
            "After this time a worker hands over its data and starts afresh; a change holds for "
            "instances that start from now on. `null`: never.",
            Change.IN_PLACE,
            example="2 h",
        ),
    ] = None
    region: Annotated[
        Region, about("The AWS region.", Change.REPLACES_EVERYTHING, example="us-east-1")
    ]
    vpc: Annotated[
        Vpc,
        BeforeValidator(part),
        OrJson(empty=False),
        about(
            "The network: a new VPC with its `zones`, or one that is there.",
            Change.REPLACES_EVERYTHING,
            example={"zones": ["us-east-1a"]},
        ),
    ]
    egress: Annotated[
        Egress,
        about(
            "The way out of a new VPC: `nat` is one NAT gateway, `natPerZone` one for each zone.",
            Change.IN_PLACE,
            example="natPerZone",
        ),
    ] = "nat"
    flow_logs: Annotated[
        YesNo,
        about("Log all connections of a new VPC.", Change.IN_PLACE, example=True),
    ] = False
    allowed_cidrs: Annotated[
        AllowedCidrs,
        about(
            "Networks, by VPN or peering, that may reach the scheduler and, by https, the "
            "dashboard. None: only through SSM port forwarding.",
            Change.REPLACES_SCHEDULER,
            example=["10.8.0.0/16"],
        ),
    ] = ()
    scheduler_instance_type: Annotated[
        InstanceTypeName,
        about(
            "The EC2 type of the scheduler, on demand.",
            Change.REPLACES_SCHEDULER,
            example="m7i.xlarge",
        ),
    ] = "m7i.large"
    images: Annotated[
        Images,
        about(
            "Your own Amazon Linux 2023 image for an architecture. None: the public one that was "
            "the newest at the first `up`.",
            Change.REPLACES_SCHEDULER,
            example={"x86_64": "ami-0123456789abcdef0"},
            shown={},
        ),
    ] = Field(default_factory=dict)
    read_buckets: Annotated[
        Buckets,
        about(
            "S3 buckets, or `bucket/prefix`, that workers may read.",
            Change.IN_PLACE,
            example=["my-data"],
        ),
    ] = ()
    write_buckets: Annotated[
        Buckets,
        about(
            "S3 buckets, or `bucket/prefix`, that workers may read and write.",
            Change.IN_PLACE,
            example=["my-data/results"],
        ),
    ] = ()
    efs: Annotated[
        Efs | None,
        BeforeValidator(part_or_nothing),
        OrJson(),
        about(
            "A shared EFS file system on every worker; `{}` is a new one. `null`: none.",
            Change.ROLLS_WORKERS,
            example={"mount": "/efs"},
        ),
    ] = None
    lustre: Annotated[
        Lustre | None,
        BeforeValidator(part_or_nothing),
        OrJson(),
        about(
            "A fast shared file system, FSx for Lustre, on every worker. `null`: none.",
            Change.ROLLS_WORKERS,
            example={"size": "1200 GiB"},
        ),
    ] = None
    tags: Annotated[
        Tags,
        about(
            "Tags on all that is created, but for disks and network interfaces of instances; what "
            "runs keeps its own.",
            Change.IN_PLACE,
            example={"team": "science"},
            shown={},
        ),
    ] = Field(default_factory=dict)
    monthly_budget: Annotated[
        Budget,
        about(
            "US dollars a month: `alarmEmails` are told when they are spent. `null`: no budget.",
            Change.IN_PLACE,
            example=500,
        ),
    ] = None
    start_timeout: Annotated[
        StartTimeout,
        about(
            "How long `up` waits for the scheduler, and then for the first worker of each group "
            "(with `allOrNothing`: for all).",
            Change.IN_PLACE,
            example="30 minutes",
            shown="15 minutes",
        ),
    ] = 900.0
    alarm_emails: Annotated[
        Mails,
        about(
            "Who is told of alarms; each address has to confirm once.",
            Change.IN_PLACE,
            example=["someone@example.org"],
        ),
    ] = ()

    @property
    def worker_groups(self) -> Mapping[str, VmWorkerGroup]:
        """Every group of workers by name: the default one, then the others as in the file."""
        return {group_names.DEFAULT: self, **self.groups}
