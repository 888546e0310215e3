"""Makes an instance in moto's EC2 from a launch template's version."""

from typing import Any, Final

from moto.core.exceptions import ServiceException
from moto.ec2.models import EC2Backend
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance, InstanceState, Reservation
from moto.ec2.utils import random_reservation_id

from sandbox.aws.server import extras
from sandbox.aws.server.calls import Call
from sandbox.aws.server.errors import code_of
from sandbox.aws.server.groups.model import Group
from sandbox.aws.server.groups.pools import Pool
from sandbox.aws.server.groups.templates import Plan, ec2, profile_arn, security_groups
from sandbox.aws.server.world import WORLD

PENDING: Final = 0
_FAILED: Final = " Launching EC2 instance failed."
_RUN: Final = Call("ec2", "RunInstances")
_QUOTA: Final = (
    "You have requested more vCPU capacity than your current vCPU limit allows for the instance "
    "bucket that the specified instance type belongs to."
)


class LaunchError(Exception):
    """An instance could not be launched; the text is AWS's."""


def launch(group: Group, plan: Plan, pool: Pool) -> Instance:
    """Make one instance, in state pending.

    Args:
        group: Whose tags it gets.
        plan: What to launch.
        pool: Where.

    Returns:
        The instance.

    Raises:
        LaunchError: The template cannot be launched there, or a fault is set for RunInstances.
    """
    fault = WORLD.faults.take(_RUN)
    if fault is not None:
        code, _ = code_of(_RUN, fault)
        raise LaunchError((_QUOTA if fault == "quota" else f"{code} - {fault}.") + _FAILED)
    _check(group, plan.data, pool)
    backend = ec2(group.region)
    try:
        instance = _instance(backend, plan, pool)
    except ServiceException as error:
        raise LaunchError(f"{error.message}{_FAILED}") from error
    reservation = Reservation(random_reservation_id(), backend.account_id)
    reservation.instances.append(instance)
    backend.reservations[reservation.id] = reservation
    _describe(instance, plan, pool)
    _attach_volumes(instance, plan.data)
    _tag(backend, group, instance, plan)
    return instance


def _check(group: Group, data: dict[str, Any], pool: Pool) -> None:
    """Refuse what EC2 refuses only when it launches."""
    facts = INSTANCE_TYPES[pool.type]
    cpu = data.get("CpuOptions") or {}
    vcpus = facts["VCpuInfo"]
    threads, cores = cpu.get("ThreadsPerCore"), cpu.get("CoreCount")
    if (threads and int(threads) not in vcpus.get("ValidThreadsPerCore", [])) or (
        cores and int(cores) not in vcpus.get("ValidCores", [])
    ):
        raise LaunchError(
            f"The CPU options are not valid for the instance type {pool.type}: CoreCount {cores}, "
            f"ThreadsPerCore {threads}.{_FAILED}"
        )
    kinds = [str(one.get("InterfaceType", "")) for one in data.get("NetworkInterfaces") or []]
    efa = sum(kind.startswith("efa") for kind in kinds)
    limit = facts["NetworkInfo"].get("EfaInfo", {}).get("MaximumEfaInterfaces", 0)
    if efa > limit:
        raise LaunchError(
            f"EFA interfaces are not supported on {pool.type}.{_FAILED}"
            if not limit
            else f"{pool.type} has at most {limit} EFA interfaces.{_FAILED}"
        )
    _check_placement(group, data, pool)
    backend = ec2(group.region)
    for key in [*security_groups(data), *(data.get("SecurityGroupIds") or [])]:
        if backend.get_security_group_from_id(key) is None:
            raise LaunchError(f"The security group '{key}' does not exist.{_FAILED}")


def _check_placement(group: Group, data: dict[str, Any], pool: Pool) -> None:
    name = placement_of(group, data)
    if not name:
        return
    found = extras.of_region(ec2(group.region)).placement_groups.get(name)
    if found is None:
        raise LaunchError(f"The Placement Group '{name}' is unknown.{_FAILED}")
    if found.strategy not in INSTANCE_TYPES[pool.type]["PlacementGroupInfo"]["SupportedStrategies"]:
        raise LaunchError(
            f"Placement groups may not be used with instances of type '{pool.type}'.{_FAILED}"
        )
    zones = {one.zone for one in group.members.values() if not one.ending} - {pool.zone}
    if found.strategy == "cluster" and zones:
        raise LaunchError(
            f"We currently do not have sufficient {pool.type} capacity: a cluster placement group "
            f"is in one Availability Zone, and '{name}' is in {', '.join(sorted(zones))}.{_FAILED}"
        )


def placement_of(group: Group, data: dict[str, Any]) -> str:
    """Return the name of the placement group; the group's own setting comes first."""
    placement = data.get("Placement") or {}
    return str(group.settings.get("PlacementGroup") or placement.get("GroupName") or "")


def _instance(backend: EC2Backend, plan: Plan, pool: Pool) -> Instance:
    data = plan.data
    monitoring = (data.get("Monitoring") or {}).get("Enabled")
    instance = Instance(  # type: ignore[abstract]  # moto makes it so as well
        backend,
        data["ImageId"],
        data.get("UserData"),
        [],
        instance_type=pool.type,
        region_name=backend.region_name,
        key_name=data.get("KeyName"),
        ebs_optimized=bool(data.get("EbsOptimized")),
        monitoring_state="enabled" if monitoring else "disabled",
        instance_initiated_shutdown_behavior=data.get("InstanceInitiatedShutdownBehavior"),
        disable_api_termination=False,
        metadata_options=data.get("MetadataOptions") or {},
        associate_public_ip=None,
        lifecycle="spot" if pool.market == "spot" else None,
        client_token="",
        nics=_interfaces(data, pool.subnet),
    )
    instance._state = InstanceState("pending", PENDING)  # noqa: SLF001
    return instance


def _interfaces(data: dict[str, Any], subnet: str) -> list[dict[str, Any]]:
    """Write the interfaces as moto wants them: each at an index of its own."""
    given = data.get("NetworkInterfaces") or [{"Groups": data.get("SecurityGroupIds")}]
    ordered = sorted(given, key=lambda one: _position(one)[::-1])
    return [
        {
            "DeviceIndex": index,
            "SubnetId": subnet,
            "Groups": list(one.get("Groups") or []),
            "DeleteOnTermination": one.get("DeleteOnTermination") is not False,
            "AssociatePublicIpAddress": one.get("AssociatePublicIpAddress"),
            "Description": one.get("Description"),
        }
        for index, one in enumerate(ordered)
    ]


def _position(interface: dict[str, Any]) -> tuple[int, int]:
    return int(interface.get("DeviceIndex") or 0), int(interface.get("NetworkCardIndex") or 0)


def _describe(instance: Instance, plan: Plan, pool: Pool) -> None:
    """Keep what moto has no place for."""
    data = plan.data
    instance.security_groups = list(instance.nics[0].group_set)
    given = sorted(data.get("NetworkInterfaces") or [{}], key=lambda one: _position(one)[::-1])
    for index, interface in enumerate(given):
        device, card = _position(interface)
        eni = extras.of_interface(instance.nics[index])
        eni.position = (device, card)
        eni.kind = str(interface.get("InterfaceType") or "interface")
        eni.ena_srd = interface.get("EnaSrdSpecification")
    extra = extras.of_instance(instance)
    wanted = data.get("IamInstanceProfile") or {}
    name = wanted.get("Name") or str(wanted.get("Arn", "")).rpartition("/")[2]
    extra.profile_arn = profile_arn(name) if name else None
    extra.cpu_options = data.get("CpuOptions")
    extra.capacity_reservation = data.get("CapacityReservationSpecification")
    extra.spot_request = f"sir-{instance.id[-8:]}" if pool.market == "spot" else None


def _attach_volumes(instance: Instance, data: dict[str, Any]) -> None:
    given = [one for one in data.get("BlockDeviceMappings") or [] if one.get("Ebs")]
    root = str(instance.root_device_name or "/dev/xvda")
    if root not in [one["DeviceName"] for one in given]:
        given.insert(0, {"DeviceName": root, "Ebs": {"VolumeSize": 8, "VolumeType": "gp3"}})
    for one in given:
        ebs = one["Ebs"]
        instance.add_block_device(
            int(ebs.get("VolumeSize") or 8),
            one["DeviceName"],
            ebs.get("SnapshotId"),
            bool(ebs.get("Encrypted")),
            ebs.get("DeleteOnTermination") is not False,
            ebs.get("KmsKeyId"),
            ebs.get("VolumeType"),
        )


def _tag(backend: EC2Backend, group: Group, instance: Instance, plan: Plan) -> None:
    by_kind: dict[str, dict[str, str]] = {}
    for one in plan.data.get("TagSpecifications") or []:
        tags = {tag["Key"]: tag.get("Value", "") for tag in one.get("Tags") or []}
        by_kind.setdefault(one.get("ResourceType", ""), {}).update(tags)
    own = by_kind.get("instance", {})
    own |= {tag["Key"]: tag["Value"] for tag in group.tags if tag["PropagateAtLaunch"]}
    own |= {
        "aws:autoscaling:groupName": group.name,
        "aws:ec2launchtemplate:id": plan.template.id,
        "aws:ec2launchtemplate:version": str(plan.template.version),
    }
    backend.create_tags([instance.id], own)
    interfaces = [nic.id for nic in instance.nics.values()]
    volumes = [device.volume_id for _, device in instance.get_block_device_mapping]
    backend.create_tags(interfaces, by_kind.get("network-interface", {}))
    backend.create_tags(volumes, by_kind.get("volume", {}))
    instance.placement.group_name = placement_of(group, plan.data)
