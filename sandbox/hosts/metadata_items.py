"""What the metadata service knows of an instance: `ITEMS` says which paths there are."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol, TypeAlias

from sandbox.hosts.instances import Instance, Target


class Credentials(Protocol):
    """Of a role, for a while."""

    @property
    def access_key(self) -> str:
        """Such as ``ASIA...``."""

    @property
    def secret(self) -> str:
        """What requests are signed with."""

    @property
    def token(self) -> str:
        """The session token."""

    @property
    def expires(self) -> datetime:
        """When they end; without a zone it is UTC."""


Issue: TypeAlias = Callable[[str, str], Credentials]
"""Returns the credentials of an instance and its role: the same ones until they nearly expire."""


@dataclass(frozen=True)
class Seen:
    """What items are read from.

    Attributes:
        instance: Who asks.
        target: Where its group takes it, None if it is of none.
        spot: When EC2 takes it back, None if it does not.
        rebalance: When it was recommended to replace it, None if it was not.
        credentials: Makes those of its role.
    """

    instance: Instance
    target: Target | None
    spot: datetime | None
    rebalance: datetime | None
    credentials: Callable[[], Credentials]


Item: TypeAlias = Callable[[Seen], "str | bytes | None"]


def _role_only(item: Callable[[Seen], str]) -> Item:
    return lambda seen: item(seen) if seen.instance.role else None


def _credentials(seen: Seen) -> str:
    made = seen.credentials()
    return _json(
        Code="Success",
        LastUpdated=_time(datetime.now(UTC)),
        Type="AWS-HMAC",
        AccessKeyId=made.access_key,
        SecretAccessKey=made.secret,
        Token=made.token,
        Expiration=_time(made.expires),
    )


def _profile(seen: Seen) -> str | None:
    arn = seen.instance.profile_arn
    if not arn:
        return None
    return _json(
        Code="Success",
        LastUpdated=_time(seen.instance.launched),
        InstanceProfileArn=arn,
        InstanceProfileId=f"AIPA{arn.rpartition('/')[2]}",
    )


def _identity(seen: Seen) -> str:
    instance = seen.instance
    return _json(
        accountId=instance.account,
        architecture=instance.architecture,
        availabilityZone=instance.zone,
        billingProducts=None,
        devpayProductCodes=None,
        marketplaceProductCodes=None,
        imageId=instance.image,
        instanceId=instance.id,
        instanceType=instance.type,
        kernelId=None,
        pendingTime=_time(instance.launched),
        privateIp=instance.address,
        ramdiskId=None,
        region=instance.region,
        version="2017-09-30",
    )


_MAC: Final = "meta-data/network/interfaces/macs/{mac}"

# Each path below a version, with what is there; None: there is no such item now. What is in braces
# stands for one part of the path, see `find`.
ITEMS: Final[Mapping[str, Item]] = {
    "dynamic/instance-identity/document": _identity,
    "meta-data/ami-id": lambda seen: seen.instance.image,
    "meta-data/ami-launch-index": lambda _: "0",
    "meta-data/ami-manifest-path": lambda _: "(unknown)",
    "meta-data/autoscaling/target-lifecycle-state": lambda seen: seen.target,
    "meta-data/block-device-mapping/ami": lambda seen: seen.instance.root_device,
    "meta-data/block-device-mapping/root": lambda seen: seen.instance.root_device,
    "meta-data/events/maintenance/history": lambda _: "[]",
    "meta-data/events/maintenance/scheduled": lambda _: "[]",
    "meta-data/events/recommendations/rebalance": lambda seen: (
        _json(noticeTime=_time(seen.rebalance)) if seen.rebalance else None
    ),
    "meta-data/hibernation/configured": lambda _: "false",
    "meta-data/hostname": lambda seen: seen.instance.hostname,
    "meta-data/iam/info": _profile,
    "meta-data/iam/security-credentials/{role}": _role_only(_credentials),
    "meta-data/instance-action": lambda _: "none",
    "meta-data/instance-id": lambda seen: seen.instance.id,
    "meta-data/instance-life-cycle": lambda seen: "spot" if seen.instance.spot else "on-demand",
    "meta-data/instance-type": lambda seen: seen.instance.type,
    "meta-data/local-hostname": lambda seen: seen.instance.hostname,
    "meta-data/local-ipv4": lambda seen: seen.instance.address,
    "meta-data/mac": lambda seen: seen.instance.mac,
    f"{_MAC}/device-number": lambda _: "0",
    f"{_MAC}/interface-id": lambda seen: seen.instance.interface,
    f"{_MAC}/local-hostname": lambda seen: seen.instance.hostname,
    f"{_MAC}/local-ipv4s": lambda seen: seen.instance.address,
    f"{_MAC}/mac": lambda seen: seen.instance.mac,
    f"{_MAC}/owner-id": lambda seen: seen.instance.account,
    f"{_MAC}/security-group-ids": lambda seen: "\n".join(seen.instance.security_groups),
    f"{_MAC}/security-groups": lambda seen: "\n".join(seen.instance.security_group_names),
    f"{_MAC}/subnet-id": lambda seen: seen.instance.subnet,
    f"{_MAC}/subnet-ipv4-cidr-block": lambda seen: seen.instance.subnet_range,
    f"{_MAC}/vpc-id": lambda seen: seen.instance.vpc,
    f"{_MAC}/vpc-ipv4-cidr-block": lambda seen: seen.instance.vpc_range,
    f"{_MAC}/vpc-ipv4-cidr-blocks": lambda seen: seen.instance.vpc_range,
    "meta-data/placement/availability-zone": lambda seen: seen.instance.zone,
    "meta-data/placement/availability-zone-id": lambda seen: seen.instance.zone_id,
    "meta-data/placement/region": lambda seen: seen.instance.region,
    "meta-data/profile": lambda _: "default-hvm",
    "meta-data/security-groups": lambda seen: "\n".join(seen.instance.security_group_names),
    "meta-data/services/domain": lambda _: "amazonaws.com",
    "meta-data/services/partition": lambda _: "aws",
    "meta-data/spot/instance-action": lambda seen: (
        _json(action="terminate", time=_time(seen.spot)) if seen.spot else None
    ),
    "meta-data/spot/termination-time": lambda seen: _time(seen.spot) if seen.spot else None,
    "meta-data/system": lambda _: "nitro",
    "user-data": lambda seen: seen.instance.user_data or None,
}
_TAGS: Final = "meta-data/tags/instance/"
# EC2 refuses to show tags with other names, such as those with a slash.
_TAG_NAME: Final = re.compile(r"[\w+\-=.,:@]+", re.ASCII)


def find(wanted: str, seen: Seen) -> str | bytes | None:
    """Return what is at a path.

    Args:
        wanted: The path below a version, without slashes at its ends.
        seen: What is known of the instance.

    Returns:
        An item, or what a folder has: a line each, folders with a slash at their end. None if
        there is nothing.
    """
    paths = _paths(seen)
    if wanted in paths:
        return paths[wanted](seen)
    before = f"{wanted}/" if wanted else ""
    names = set()
    for path, item in paths.items():
        name, slash, _ = path.removeprefix(before).partition("/")
        if path.startswith(before) and f"{name}{slash}" not in names and _exists(item, path, seen):
            # The top of a version lists its three folders as AWS does: without the slash.
            names.add(f"{name}{slash}" if wanted else name)
    return "\n".join(sorted(names)) or None


def _exists(item: Item, path: str, seen: Seen) -> bool:
    # Not to issue credentials to whoever only looks which there are.
    if "/security-credentials/" in path:
        return bool(seen.instance.role)
    return item(seen) not in {None, ""}


def _paths(seen: Seen) -> dict[str, Item]:
    """Return what an instance can be asked for, by the whole path."""
    parts = {"mac": seen.instance.mac, "role": seen.instance.role}
    paths = {path.format(**parts): item for path, item in ITEMS.items()}
    if seen.instance.tags_in_metadata:
        for name in sorted(seen.instance.tags):
            if _TAG_NAME.fullmatch(name) and name not in {".", "..", "_index"}:
                paths[_TAGS + name] = _tag(name)
    return paths


def _tag(name: str) -> Item:
    return lambda seen: seen.instance.tags[name]


def _json(**values: str | None) -> str:
    return json.dumps(values, indent=2)


def _time(at: datetime) -> str:
    utc = at.astimezone(UTC) if at.tzinfo else at
    return utc.strftime("%Y-%m-%dT%H:%M:%SZ")
