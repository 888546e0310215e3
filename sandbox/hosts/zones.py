"""The private zones of Route 53: read from moto, in this process.

Whoever calls holds `WORLD.clock.lock`; what is returned is a copy and needs no lock.
"""

from dataclasses import dataclass
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.route53.models import FakeZone, route53_backends

from sandbox.hosts.instances import regions


@dataclass(frozen=True)
class Record:
    """The records of one name and type; the TTL in seconds."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]


@dataclass(frozen=True)
class Zone:
    """A private hosted zone; names are in lower case and have no dot at their end.

    Attributes:
        id: Its id.
        name: Its name.
        vpcs: The VPCs that resolve it.
        records: Its records.
    """

    id: str
    name: str
    vpcs: frozenset[str]
    records: tuple[Record, ...]


def private(vpc: str = "") -> list[Zone]:
    """Return the private zones that resolve, or only those that do in a VPC.

    Route 53 answers for them only where the VPC has both DNS support and DNS hostnames.
    """
    found = (_zone(zone) for zone in _route53().values() if zone.private_zone)
    return [one for one in found if (vpc in one.vpcs if vpc else one.vpcs)]


def plain(name: str) -> str:
    """Return a DNS name in lower case, without the dot at its end."""
    return name.rstrip(".").lower()


def _route53() -> dict[str, FakeZone]:
    return route53_backends[DEFAULT_ACCOUNT_ID]["aws"].zones


def _zone(zone: FakeZone) -> Zone:
    return Zone(
        id=str(zone.resource_id),
        name=plain(zone.name),
        vpcs=frozenset(str(one["vpc_id"]) for one in zone.vpcs if _resolves(one)),
        records=tuple(
            Record(
                name=plain(str(one.name)),
                type=str(one.type),
                ttl=int(one.ttl or 0),
                values=tuple(str(value) for value in one.records or []),
            )
            for one in zone.rrsets
        ),
    )


def _resolves(association: dict[str, Any]) -> bool:
    key = str(association.get("vpc_id"))
    for backend in regions():
        vpc = backend.vpcs.get(key)
        if vpc is not None:
            # A truth value until somebody sets it, which makes it a word.
            both = (vpc.enable_dns_support, vpc.enable_dns_hostnames)
            return all(str(one).lower() == "true" for one in both)
    return False
