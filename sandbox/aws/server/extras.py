"""What we keep about moto's objects, which have no place for it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from moto.ec2.models import EC2Backend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance

_Kept = TypeVar("_Kept")


@dataclass
class PlacementGroup:
    """A placement group."""

    id: str
    name: str
    strategy: str
    created: datetime
    partitions: int | None = None
    spread_level: str | None = None


@dataclass
class InstanceExtras:
    """Of an instance.

    Attributes:
        profile_arn: Its instance profile.
        cpu_options: As the launch template has them.
        capacity_reservation: The specification.
        spot_request: The id of its request.
    """

    profile_arn: str | None = None
    cpu_options: dict[str, Any] | None = None
    capacity_reservation: dict[str, Any] | None = None
    spot_request: str | None = None


@dataclass
class InterfaceExtras:
    """Of a network interface.

    Attributes:
        position: Device index and network card.
        kind: `interface`, `efa` or `efa-only`.
        ena_srd: The ENA Express specification.
    """

    position: tuple[int, int] | None = None
    kind: str = "interface"
    ena_srd: dict[str, Any] | None = None


@dataclass
class RegionExtras:
    """Of a region's EC2.

    Attributes:
        instances: Every instance by its id.
        placement_groups: By name.
    """

    instances: dict[str, Instance] = field(default_factory=dict)
    placement_groups: dict[str, PlacementGroup] = field(default_factory=dict)


def of_instance(instance: Instance) -> InstanceExtras:
    """Return what is kept about an instance."""
    return _kept(instance, InstanceExtras)


def of_interface(interface: NetworkInterface) -> InterfaceExtras:
    """Return what is kept about a network interface."""
    return _kept(interface, InterfaceExtras)


def of_region(backend: EC2Backend) -> RegionExtras:
    """Return what is kept about a region."""
    return _kept(backend, RegionExtras)


def _kept(thing: object, kind: type[_Kept]) -> _Kept:
    # In the object itself, so that it ends with it: a reset of moto empties its `__dict__`.
    kept = thing.__dict__.setdefault("sandbox_extras", kind())
    if not isinstance(kept, kind):
        raise TypeError(f"{thing!r} has other extras: {kept!r}")
    return kept
