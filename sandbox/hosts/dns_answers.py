"""What a VPC itself knows of a name: its private zones and its instances.

And of names that nobody has: hosts ask for some at each boot, and would wait where no name server
of this machine answers.
"""

import ipaddress
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from sandbox.aws.server.world import WORLD
from sandbox.hosts import instances, zones
from sandbox.hosts.dns_messages import (
    AAAA,
    ANY,
    CNAME,
    NOERROR,
    NS,
    NXDOMAIN,
    PTR,
    TXT,
    A,
    Found,
    Question,
    name_bytes,
    record_bytes,
    soa,
)
from sandbox.hosts.instances import Instance
from sandbox.hosts.zones import Record, Zone, plain

_LOG: Final = logging.getLogger(__name__)

INSTANCE_TTL: Final = 60  # seconds; as AWS has it
_TYPES: Final = {"A": A, "AAAA": AAAA, "CNAME": CNAME, "TXT": TXT, "NS": NS}
_FOLLOWED: Final = 8


@dataclass(frozen=True)
class Network:
    """What a host's VPC resolves.

    Attributes:
        zones: Its private zones.
        hosts: Its instances.
        range: The VPC's range.
        suffix: What the names of its instances end with.
    """

    zones: tuple[Zone, ...]
    hosts: tuple[Instance, ...]
    range: str
    suffix: str


Look: TypeAlias = Callable[[str], "Network | None"]


def look(address: str, vpc: str = "") -> Network | None:
    """Return the network of the instance with an address, None if there is no such instance."""
    with WORLD.clock.lock:
        asker = instances.by_address(address, vpc)
        if asker is None:
            return None
        hosts = tuple(one for one in instances.running() if one.vpc == asker.vpc)
        private = tuple(zones.private(asker.vpc))
    return Network(private, hosts, asker.vpc_range, asker.hostname.partition(".")[2])


def find(question: Question, network: Network) -> Found | None:
    """Return what a network itself knows of a name, None if others are to be asked."""
    zone = _zone_of(question.name, network)
    if zone is not None:
        return _in_zone(question, zone)
    if question.name.endswith(f".{network.suffix}"):
        return _host(question, network)
    if question.name.endswith(".in-addr.arpa"):
        return _reverse(question, network)
    if _is_nobodys(question):
        return Found(NXDOMAIN)
    return None


def _is_nobodys(question: Question) -> bool:
    """Tell whether a name is one that nobody has, wherever one asks."""
    # RFC 6761, 6.4: a resolver does not ask for these.
    if question.name == "invalid" or question.name.endswith(".invalid"):
        return True
    # No host is at the top. Of what else there is of `com` or the root, others know.
    return question.type in {A, AAAA} and bool(question.name) and "." not in question.name


def _zone_of(name: str, network: Network) -> Zone | None:
    """Return the zone that a name is in: of several the one with the longest name."""
    holding = [one for one in network.zones if name == one.name or name.endswith(f".{one.name}")]
    return max(holding, key=lambda one: len(one.name), default=None)


def _in_zone(question: Question, zone: Zone) -> Found:
    found, name = Found(), question.name
    for _ in range(_FOLLOWED):
        here = [one for one in zone.records if one.name == name and one.type in _TYPES]
        wanted = [one for one in here if question.type in {_TYPES[one.type], ANY}]
        aliases = [one for one in here if one.type == "CNAME" and one.values]
        for record in wanted or aliases:
            found.answers += _written(record)
        if wanted or not aliases:
            break
        # Within the zone: what an alias elsewhere leads to, the client asks for itself.
        name = plain(aliases[0].values[0])
    if not found.answers:
        below = any(one.name == name or one.name.endswith(f".{name}") for one in zone.records)
        found.code = NOERROR if below else NXDOMAIN
        found.authority = soa(zone.name)
    return found


def _host(question: Question, network: Network) -> Found:
    for host in network.hosts:
        if host.hostname.lower() == question.name:
            if question.type in {A, ANY}:
                data = ipaddress.IPv4Address(host.address).packed
                return Found(answers=[record_bytes(question.name, A, INSTANCE_TTL, data)])
            return Found(authority=soa(network.suffix))
    return Found(NXDOMAIN, authority=soa(network.suffix))


def _reverse(question: Question, network: Network) -> Found | None:
    octets = question.name.removesuffix(".in-addr.arpa").split(".")
    try:
        address = str(ipaddress.IPv4Address(".".join(reversed(octets))))
    except ValueError:
        return None
    if not _within(address, network.range):
        return None
    for host in network.hosts:
        if host.address == address:
            row = record_bytes(question.name, PTR, INSTANCE_TTL, name_bytes(host.hostname))
            return Found(answers=[row] if question.type in {PTR, ANY} else [])
    return Found(NXDOMAIN)


def _within(address: str, range_: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(range_, strict=False)


def _written(record: Record) -> list[bytes]:
    """Write records as they go over the network; a value that does not fit is left out."""
    rows = []
    for value in record.values:
        try:
            data = _data(record.type, value)
        except ValueError:
            _LOG.warning("the record %s %s has a wrong value: %s", record.name, record.type, value)
            continue
        rows.append(record_bytes(record.name, _TYPES[record.type], record.ttl, data))
    return rows


def _data(kind: str, value: str) -> bytes:
    if kind == "A":
        return ipaddress.IPv4Address(value).packed
    if kind == "AAAA":
        return ipaddress.IPv6Address(value).packed
    if kind == "TXT":
        text = value.strip('"').encode()
        parts = [text[at : at + 255] for at in range(0, len(text), 255)] or [b""]
        return b"".join(bytes([len(part)]) + part for part in parts)
    return name_bytes(value)
