"""How a machine of the cluster is launched: what scheduler and workers have in common."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi_aws import ec2

from components.aws import CLUSTER_TAG
from components.settings.scalars import GIB

if TYPE_CHECKING:
    from collections.abc import Sequence

# The root volume of Amazon Linux 2023.
ROOT_DEVICE = "/dev/xvda"
# These are made by a launch, where the provider's default tags do not reach.
LAUNCHED = ("instance", "volume", "network-interface")


@dataclass(frozen=True)
class Machine:
    """What a group's machines are.

    Attributes:
        image: AMI.
        root_volume: Bytes.
        instance_type: The type, or None where the group itself names several.
        interfaces: Network interfaces, with their security groups.
        cpu_options: Threads per core, where they are chosen.
        capacity_reservation: Where the machines start, if it is named.
        profile: ARN of the instance profile.
        boot_text: Cloud-init's user data, in clear; it holds no secret.
    """

    image: pulumi.Input[str]
    root_volume: int
    interfaces: Sequence[ec2.LaunchTemplateNetworkInterfaceArgs]
    profile: pulumi.Input[str]
    boot_text: pulumi.Input[str]
    instance_type: str | None = None
    cpu_options: ec2.LaunchTemplateCpuOptionsArgs | None = None
    capacity_reservation: ec2.LaunchTemplateCapacityReservationSpecificationArgs | None = None


def create_launch_template(
    name: str,
    *,
    machine: Machine,
    cluster: str,
    opts: pulumi.ResourceOptions,
) -> ec2.LaunchTemplate:
    """Create a launch template with what is true of every machine.

    IMDSv2 only, one hop (no container gets the role), encrypted volumes, no public address, tags on
    all that is launched, and the instance's tags readable from inside.

    Args:
        name: Of the resource, and of the machines.
        machine: What they are.
        cluster: Its name: with the machine's own name the only tags here. Those of the stack file
            come with the group, so that no edit of them touches what runs.
        opts: Resource options.
    """
    own_tags = {CLUSTER_TAG: cluster, "Name": name}
    return ec2.LaunchTemplate(
        name,
        update_default_version=True,
        image_id=machine.image,
        instance_type=machine.instance_type,
        iam_instance_profile=ec2.LaunchTemplateIamInstanceProfileArgs(arn=machine.profile),
        user_data=pulumi.Output.from_input(machine.boot_text).apply(
            lambda text: base64.b64encode(text.encode()).decode()
        ),
        metadata_options=ec2.LaunchTemplateMetadataOptionsArgs(
            http_endpoint="enabled",
            http_tokens="required",
            http_put_response_hop_limit=1,
            instance_metadata_tags="enabled",
        ),
        block_device_mappings=[
            ec2.LaunchTemplateBlockDeviceMappingArgs(
                device_name=ROOT_DEVICE,
                ebs=ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                    volume_size=-(-machine.root_volume // GIB),
                    volume_type="gp3",
                    encrypted="true",
                    delete_on_termination="true",
                ),
            )
        ],
        network_interfaces=list(machine.interfaces),
        cpu_options=machine.cpu_options,
        capacity_reservation_specification=machine.capacity_reservation,
        tag_specifications=[
            ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=own_tags)
            for kind in LAUNCHED
        ],
        tags={"Name": name},
        opts=opts,
    )
