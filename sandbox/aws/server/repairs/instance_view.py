"""An instance as DescribeInstances shows it.

Written as plain values: moto's serialiser takes milliseconds for each instance when it has to look
up every member on an object, and knows neither the profile nor the CPU options of an instance.
"""

from typing import Any, Final, TypeAlias

from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance, Reservation

from sandbox.aws.server import extras

View: TypeAlias = dict[str, Any]

_GONE: Final = frozenset({"terminated"})


def reservation(row: Reservation, instances: list[Instance]) -> View:
    """Return a reservation with some of its instances."""
    return {
        "ReservationId": row.id,
        "OwnerId": row.owner_id,
        "Groups": [],
        "Instances": [_instance(one) for one in instances],
    }


def _instance(instance: Instance) -> View:
    gone = instance.state in _GONE
    view: View = {
        "InstanceId": instance.id,
        "ImageId": instance.image_id,
        "InstanceType": instance.instance_type,
        "State": {"Code": instance.state_code, "Name": instance.state},
        "StateTransitionReason": instance.state_transition_reason or "",
        "LaunchTime": instance.launch_time,
        "AmiLaunchIndex": instance.ami_launch_index,
        "KeyName": instance.key_name,
        "ClientToken": instance.client_token or "",
        "Architecture": instance.architecture,
        "VirtualizationType": instance.virtualization_type,
        "Hypervisor": instance.hypervisor,
        "RootDeviceName": instance.root_device_name,
        "RootDeviceType": instance.root_device_type,
        "EbsOptimized": bool(instance.ebs_optimized),
        "EnaSupport": True,
        "Monitoring": {"State": instance.monitoring_state},
        "Placement": {
            "AvailabilityZone": instance.placement.zone,
            "GroupName": instance.placement.group_name or "",
            "Tenancy": instance.placement.tenancy,
        },
        "InstanceLifecycle": instance.lifecycle,
        "CpuOptions": _cpu(instance),
        "Tags": _tags(instance),
        "MetadataOptions": _metadata(instance),
        "PrivateDnsName": "",
        "PublicDnsName": "",
        "SecurityGroups": [],
        "NetworkInterfaces": [],
        "BlockDeviceMappings": [],
    }
    if instance.state_reason.code:
        reason = instance.state_reason
        view["StateReason"] = {"Code": reason.code, "Message": reason.message}
    return view | _extra(instance) | ({} if gone else _attached(instance))


def _extra(instance: Instance) -> View:
    kept = extras.of_instance(instance)
    view: View = {}
    if kept.profile_arn:
        name = kept.profile_arn.rpartition("/")[2]
        view["IamInstanceProfile"] = {"Arn": kept.profile_arn, "Id": f"AIPA{name}"}
    if kept.spot_request:
        view["SpotInstanceRequestId"] = kept.spot_request
    if kept.capacity_reservation:
        view["CapacityReservationSpecification"] = kept.capacity_reservation
    return view


def _attached(instance: Instance) -> View:
    """Return what an instance has only as long as it exists."""
    groups = [{"GroupId": one.id, "GroupName": one.name} for one in instance.security_groups]
    return {
        "VpcId": instance.vpc_id,
        "SubnetId": instance.subnet_id,
        "PrivateIpAddress": instance.private_ip,
        "PrivateDnsName": instance.private_dns_name,
        "PublicIpAddress": instance.public_ip,
        "PublicDnsName": instance.public_dns_name or "",
        "SourceDestCheck": instance.source_dest_check,
        "SecurityGroups": groups,
        "NetworkInterfaces": [_interface(nic, key) for key, nic in instance.nics.items()],
        "BlockDeviceMappings": [
            {
                "DeviceName": name,
                "Ebs": {
                    "VolumeId": device.volume_id,
                    "Status": "attached",
                    "AttachTime": device.attach_time,
                    "DeleteOnTermination": bool(device.delete_on_termination),
                },
            }
            for name, device in instance.get_block_device_mapping
        ],
    }


def _interface(nic: NetworkInterface, index: int) -> View:
    kept = extras.of_interface(nic)
    device, card = kept.position or (index, 0)
    addresses = nic.private_ip_addresses if kept.kind != "efa-only" else []
    return {
        "NetworkInterfaceId": nic.id,
        "InterfaceType": kept.kind,
        "Description": nic.description,
        "MacAddress": nic.mac_address,
        "OwnerId": nic.owner_id,
        "PrivateIpAddress": nic.private_ip_address if addresses else None,
        "PrivateIpAddresses": [
            {"PrivateIpAddress": one["PrivateIpAddress"], "Primary": bool(one.get("Primary"))}
            for one in addresses
        ],
        "SourceDestCheck": nic.source_dest_check,
        "Status": nic.status,
        "SubnetId": nic.subnet.id,
        "VpcId": nic.subnet.vpc_id,
        "Groups": [{"GroupId": one.id, "GroupName": one.name} for one in nic.group_set],
        "Attachment": {
            "AttachmentId": nic.attachment_id,
            "AttachTime": nic.attach_time,
            "DeleteOnTermination": bool(nic.delete_on_termination),
            "DeviceIndex": device,
            "NetworkCardIndex": card,
            "Status": "attached",
            **({"EnaSrdSpecification": kept.ena_srd} if kept.ena_srd else {}),
        },
    }


def _cpu(instance: Instance) -> View | None:
    facts = INSTANCE_TYPES.get(instance.instance_type)
    if facts is None:
        return None
    vcpus = facts["VCpuInfo"]
    options = {
        "CoreCount": vcpus.get("DefaultCores", vcpus["DefaultVCpus"]),
        "ThreadsPerCore": vcpus.get("DefaultThreadsPerCore", 1),
    }
    given = extras.of_instance(instance).cpu_options or {}
    return options | {key: int(value) for key, value in given.items() if key in options}


def _metadata(instance: Instance) -> View:
    options = instance.metadata_options
    return {
        "State": options.state,
        "HttpTokens": options.http_tokens,
        "HttpPutResponseHopLimit": options.http_put_response_hop_limit,
        "HttpEndpoint": options.http_endpoint,
        "HttpProtocolIpv6": options.http_protocol_ipv6,
        "InstanceMetadataTags": options.instance_metadata_tags,
    }


def _tags(instance: Instance) -> list[dict[str, str]]:
    # A terminated instance keeps its tags, and reading them must not make an empty entry.
    kept = instance.ec2_backend.tags.get(instance.id, {})
    return [{"Key": key, "Value": value} for key, value in kept.items()]
