"""The security groups of the account: read from moto, in this process.

Whoever calls holds `WORLD.clock.lock`; what is returned is a copy and needs no lock.
"""

from dataclasses import dataclass

from moto.ec2.models import EC2Backend
from moto.ec2.models.security_groups import SecurityGroupRule

from sandbox.hosts.instances import regions


@dataclass(frozen=True)
class Rule:
    """A rule of a security group: one protocol and either a range or a group.

    Attributes:
        protocol: ``tcp``, ``udp``, ``icmp`` or ``-1`` for all; others by their number.
        first: The first port (of ICMP the type); None for all.
        last: The last port (of ICMP the code); None for all.
        ranges: Ranges of addresses, those of a prefix list included.
        group: The id of a security group; empty for none.
    """

    protocol: str
    first: int | None
    last: int | None
    ranges: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True)
class SecurityGroup:
    """A security group."""

    id: str
    vpc: str
    ingress: tuple[Rule, ...]
    egress: tuple[Rule, ...]


def every() -> list[SecurityGroup]:
    """Return every security group."""
    return [
        SecurityGroup(
            id=str(one.id),
            vpc=str(one.vpc_id),
            ingress=tuple(_rule(backend, rule) for rule in one.ingress_rules),
            egress=tuple(_rule(backend, rule) for rule in one.egress_rules),
        )
        for backend in regions()
        for groups in backend.groups.values()
        for one in groups.values()
    ]


def _rule(backend: EC2Backend, rule: SecurityGroupRule) -> Rule:
    ranges = [one for one in (rule.cidr_ipv4, rule.cidr_ipv6) if one]
    if rule.prefix_list_id:
        ranges += _prefixes(backend, rule.prefix_list_id)
    every = rule.ip_protocol == "-1"
    return Rule(
        protocol=str(rule.ip_protocol),
        first=None if every or rule.from_port in {None, -1} else rule.from_port,
        last=None if every or rule.to_port in {None, -1} else rule.to_port,
        ranges=tuple(ranges),
        group=str(rule.source_group.get("GroupId") or ""),
    )


def _prefixes(backend: EC2Backend, key: str) -> list[str]:
    found = backend.managed_prefix_lists.get(key)
    if found is None or found.version is None:
        return []
    return [str(one["Cidr"]) for one in found.entries.get(found.version) or []]
