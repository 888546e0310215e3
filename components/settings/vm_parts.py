"""The keys of a VM cluster that are made of several: its network and its file systems."""

import ipaddress
from typing import Annotated

from components.settings.aws_values import (
    FileSystemId,
    LustreSize,
    MountName,
    MountPath,
)
from components.settings.keys import Change, Keys, about
from components.settings.network_values import Subnets, VpcId, VpcRange, Zones

_PUBLIC_PREFIX = 28
# Eight parts: for zones a to g, and one for the public subnets. No region has more zones.
_PARTS_BITS = 3


class Vpc(Keys):
    """A VPC to make, with `zones`; or one that is there, with `id` and `subnets`.

    A new one's range is cut into eight equal parts: a private subnet for each zone, by its letter,
    and the last part for the small public ones in which only NAT gateways are.
    """

    zones: Annotated[
        Zones,
        about(
            "Of a new VPC: the availability zones, with a private subnet in each.",
            Change.REPLACES_EVERYTHING,
            example=["us-east-1a"],
        ),
    ] = ()
    cidr: Annotated[
        VpcRange,
        about(
            "Of a new VPC: its private range, `/16` to `/24`.",
            Change.REPLACES_EVERYTHING,
            example="10.0.0.0/16",
        ),
    ] = "10.0.0.0/16"
    id: Annotated[
        VpcId,
        about(
            "A VPC that is there and stays untouched. `null`: a new one.",
            Change.REPLACES_EVERYTHING,
            example="vpc-0123456789abcdef0",
        ),
    ] = None
    subnets: Annotated[
        Subnets,
        about(
            "Of a VPC that is there: private subnets with a way out, one for each zone to use.",
            Change.REPLACES_EVERYTHING,
            example=["subnet-0123456789abcdef0"],
        ),
    ] = ()

    @property
    def is_new(self) -> bool:
        """Whether the cluster makes this VPC."""
        return self.id is None

    @property
    def places(self) -> tuple[str, ...]:
        """What instances are spread over: the zones of a new VPC, else the subnets."""
        return self.zones if self.is_new else self.subnets

    @property
    def private_subnets(self) -> dict[str, str]:
        """The range of the private subnet in each zone of a new VPC."""
        return self._in_zones(self._parts())

    @property
    def public_subnets(self) -> dict[str, str]:
        """The range of the public subnet in each zone of a new VPC, while there is room."""
        last = self._parts()[-1]
        if last.prefixlen > _PUBLIC_PREFIX:
            return {}
        return self._in_zones(list(last.subnets(new_prefix=_PUBLIC_PREFIX)))

    def _in_zones(self, parts: list[ipaddress.IPv4Network]) -> dict[str, str]:
        """Give each zone the part of its letter: another zone beside it moves no subnet."""
        letters = {zone: ord(zone[-1]) - ord("a") for zone in self.zones}
        return {zone: str(parts[n]) for zone, n in letters.items() if n < len(parts)}

    def _parts(self) -> list[ipaddress.IPv4Network]:
        return list(ipaddress.IPv4Network(self.cidr).subnets(prefixlen_diff=_PARTS_BITS))


class Efs(Keys):
    """A shared file system on EFS."""

    mount: Annotated[
        MountPath,
        about("Where hosts mount it.", Change.ROLLS_WORKERS, example="/efs"),
    ] = "/efs"
    id: Annotated[
        FileSystemId,
        about(
            "A file system that is there. `null`: a new one, as scratch: `destroy` deletes it.",
            Change.ROLLS_WORKERS,
            example="fs-0123456789abcdef0",
        ),
    ] = None


class Lustre(Keys):
    """A fast shared file system on FSx for Lustre."""

    mount: Annotated[
        MountPath,
        about("Where hosts mount it.", Change.ROLLS_WORKERS, example="/fsx"),
    ] = "/fsx"
    size: Annotated[
        LustreSize,
        about(
            "Of a new one, as scratch: `destroy` deletes it. `1200 GiB` or multiples of "
            "`2400 GiB`.",
            Change.ROLLS_WORKERS,
            example="1200 GiB",
        ),
    ] = None
    id: Annotated[
        FileSystemId,
        about(
            "A file system that is there. `null`: a new one.",
            Change.ROLLS_WORKERS,
            example="fs-0123456789abcdef0",
        ),
    ] = None
    mount_name: Annotated[
        MountName,
        about(
            "Of one that is there: the mount name that FSx shows.",
            Change.ROLLS_WORKERS,
            example="fsx",
        ),
    ] = None
