"""The instances that run, as hosts and their services see them: read from moto, in this process.

Whoever calls holds `WORLD.clock.lock`; what is returned is a copy and needs no lock.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, TypeAlias

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models import instances as moto
from moto.iam.models import iam_backends

from sandbox.aws.server import extras
from sandbox.aws.server.groups.model import REGIONS

Target: TypeAlias = Literal["InService", "Terminated"]

# Of an instance that is there; one that shuts down still asks for its metadata.
_THERE: Final = frozenset({"running", "shutting-down", "stopping"})


@dataclass(frozen=True)
class Instance:
    """An instance that runs.

    Attributes:
        id: Its id.
        region: Where.
        account: Whose, twelve digits.
        address: Its private address.
        subnet: Its subnet's id.
        vpc: Its VPC's id.
        vpc_range: The VPC's range, such as ``10.0.0.0/16``.
        zone: Its Availability Zone.
        type: Such as ``m7i.large``.
        image: The AMI.
        group: Its Auto Scaling group; empty if it is of none.
        tags: As EC2 has them, those of the group that propagate and AWS's own included.
        user_data: What it boots with, decoded; None without any.
        role: The name of the role of its instance profile; empty without any.
        profile_arn: Its instance profile; empty without any.
        security_groups: Ids of those of its first interface, sorted.
        hop_limit: Of the answer with a token, 1 to 64.
        tokens_required: Whether IMDSv2 is a must.
        tags_in_metadata: Whether the metadata have the tags.
        launched: When, in UTC without a zone.
        metadata_enabled: Whether there is a metadata service at all.
        hostname: Its private DNS name.
        subnet_range: The subnet's range.
        zone_id: Such as ``use1-az1``.
        mac: The MAC address of its first interface.
        interface: The id of that.
        spot: Whether it is a spot instance.
        architecture: Such as ``x86_64``.
        security_group_names: Their names, in the order of the ids.
        root_device: Such as ``/dev/xvda``.
    """

    id: str
    region: str
    account: str
    address: str
    subnet: str
    vpc: str
    vpc_range: str
    zone: str
    type: str
    image: str
    group: str
    tags: dict[str, str] = field(hash=False)
    user_data: bytes | None
    role: str
    profile_arn: str
    security_groups: tuple[str, ...]
    hop_limit: int
    tokens_required: bool
    tags_in_metadata: bool
    launched: datetime
    metadata_enabled: bool = True
    hostname: str = ""
    subnet_range: str = ""
    zone_id: str = ""
    mac: str = ""
    interface: str = ""
    spot: bool = False
    architecture: str = "x86_64"
    security_group_names: tuple[str, ...] = ()
    root_device: str = "/dev/xvda"


def by_id(key: str) -> Instance | None:
    """Return an instance that runs, None if there is none of that id."""
    for backend in regions():
        found = extras.of_region(backend).instances.get(key)
        if found is not None:
            return _read(backend, found) if found.state in _THERE else None
    return None


def running() -> list[Instance]:
    """Return every instance that runs."""
    return [_read(backend, one) for backend, one in _there()]


def by_address(address: str, vpc: str = "") -> Instance | None:
    """Return the instance that runs and has a private address.

    Args:
        address: The address.
        vpc: Of this VPC only; two may have the same range.

    Returns:
        The instance, None if there is none.
    """
    for backend, one in _there():
        if one.private_ip == address and vpc in {"", one.vpc_id}:
            return _read(backend, one)
    return None


def target_state(key: str) -> Target | None:
    """Return where its group takes an instance, None if it is of no group."""
    for region in REGIONS.values():
        if key in region.members:
            _, member = region.members[key]
            return "Terminated" if member.state.startswith("Terminat") else "InService"
    return None


def regions() -> list[EC2Backend]:
    """Return EC2 of each region that is used; asking moto for another one would make it."""
    return list(ec2_backends[DEFAULT_ACCOUNT_ID].values())


def _there() -> Iterator[tuple[EC2Backend, moto.Instance]]:
    for backend in regions():
        for one in extras.of_region(backend).instances.values():
            if one.state in _THERE:
                yield backend, one


def _read(backend: EC2Backend, one: moto.Instance) -> Instance:
    subnet = backend.get_subnet(str(one.subnet_id))
    nic = one.nics[0]
    groups = sorted(nic.group_set, key=lambda group: str(group.id))
    options = one.metadata_options
    tags = dict(backend.tags.get(one.id, {}))
    arn = extras.of_instance(one).profile_arn or ""
    return Instance(
        id=str(one.id),
        region=str(backend.region_name),
        account=str(backend.account_id),
        address=str(one.private_ip),
        subnet=str(subnet.id),
        vpc=str(subnet.vpc_id),
        vpc_range=str(backend.get_vpc(subnet.vpc_id).cidr_block),
        zone=str(one.placement.zone),
        type=str(one.instance_type),
        image=str(one.image_id),
        group=tags.get("aws:autoscaling:groupName", ""),
        tags=tags,
        # moto keeps it as a client sends it: in base64.
        user_data=base64.b64decode(str(one.user_data)) if one.user_data is not None else None,
        role=_role(arn),
        profile_arn=arn,
        security_groups=tuple(str(group.id) for group in groups),
        security_group_names=tuple(str(group.name) for group in groups),
        hop_limit=int(options.http_put_response_hop_limit),
        tokens_required=options.http_tokens == "required",
        tags_in_metadata=options.instance_metadata_tags == "enabled",
        metadata_enabled=options.http_endpoint == "enabled",
        launched=one.launch_time,
        hostname=str(one.private_dns_name),
        subnet_range=str(subnet.cidr_block),
        zone_id=str(subnet.availability_zone_id),
        mac=str(nic.mac_address),
        interface=str(nic.id),
        spot=one.lifecycle == "spot",
        architecture=str(one.architecture),
        root_device=str(one.root_device_name or "/dev/xvda"),
    )


def _role(profile_arn: str) -> str:
    """Return the role that a profile has now."""
    for profile in iam_backends[DEFAULT_ACCOUNT_ID]["aws"].instance_profiles.values():
        if profile.arn == profile_arn and profile.roles:
            return str(profile.roles[0].name)
    return ""
