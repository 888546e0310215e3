"""Security groups on this machine: one nftables table for the hosts of a rehearsal.

As on AWS: what nobody allows is dropped without an answer, a connection needs a rule out of the
one host and a rule into the other, and one that stands goes on when its rule is taken away. The
metadata service and the resolver answer every host, whatever its groups say.

Not covered: two hosts of one bridge are not kept from taking each other's address, and frames
that are neither IP nor ARP pass between them.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sandbox.hosts.names import API, AWS_PORT, DNS_PORT, IMDS_PORT, METADATA, RESOLVER

if TYPE_CHECKING:
    from sandbox.hosts.security_groups import Rule, SecurityGroup

_WORLD: Final = "0.0.0.0/0"
_HTTPS: Final = 443
# Bridges of rehearsals: of this one or another one's.
_BRIDGES: Final = '"dc-*"'
_PROTOCOLS: Final = {"6": "tcp", "17": "udp", "1": "icmp"}


@dataclass(frozen=True)
class Bridge:
    """The bridge of a VPC.

    Attributes:
        name: Of the network interface.
        gateway: Its address, where the three services are.
    """

    name: str
    gateway: str

    @property
    def hosts(self) -> str:
        """The name of the set of its hosts' addresses."""
        return "hosts_" + self.name.replace("-", "_")


@dataclass(frozen=True)
class HostNet:
    """A host as its neighbours see it.

    Attributes:
        address: Its private address.
        bridge: The name of its bridge.
        groups: Ids of its security groups; without any it hears nobody and reaches nobody.
    """

    address: str
    bridge: str
    groups: tuple[str, ...]


def rules(
    table: str,
    hosts: Iterable[HostNet],
    groups: Iterable["SecurityGroup"],
    bridges: Iterable[Bridge],
) -> str:
    """Write the table, for `nft.apply`.

    Args:
        table: Its name.
        hosts: All hosts that are, or are about to be, on the bridges.
        groups: All security groups.
        bridges: One for each VPC. Their ranges do not overlap.

    Returns:
        Text for ``nft -f`` that replaces the table in one step.
    """
    return "\n".join(_Table(list(hosts), list(groups), list(bridges)).lines(table)) + "\n"


class _Table:
    """The lines of a table. nft 1.0.6 wants one statement a line."""

    def __init__(
        self, hosts: list[HostNet], groups: list["SecurityGroup"], bridges: list[Bridge]
    ) -> None:
        self._hosts = hosts
        self._groups = groups
        self._bridges = bridges
        self._members: dict[str, list[str]] = {}
        for host in hosts:
            for group in host.groups:
                self._members.setdefault(group, []).append(host.address)
        self._ours = _set(f'"{bridge.name}"' for bridge in bridges)

    def lines(self, name: str) -> Iterator[str]:
        """Yield the whole text."""
        # The first line makes sure that there is something to delete.
        yield f"table inet {name}"
        yield f"delete table inet {name}"
        yield f"table inet {name} {{"
        for bridge in self._bridges:
            on_it = [host.address for host in self._hosts if host.bridge == bridge.name]
            yield from _address_set(bridge.hosts, on_it)
        yield from _address_set("callers", self._callers())
        for group, members in sorted(self._members.items()):
            yield from _address_set(_name(group), members)
        if self._bridges:
            yield from _chain("prerouting", "nat", "dstnat - 5", self._services())
            yield from _chain("postrouting", "nat", "srcnat - 5", self._masquerade())
            yield from _chain("input", "filter", "filter - 5", self._input())
            yield from _chain("output", "filter", "filter - 5", self._output())
            # What these two return is allowed.
            yield from _chain("leaving", rules=self._leaving())
            yield from _chain("arriving", rules=self._arriving())
            yield from _chain("forward", "filter", "filter - 5", self._forward())
        yield "}"

    def _callers(self) -> list[str]:
        """Return the addresses of hosts that reach AWS: https to the world is open to them."""
        open_groups = {group.id for group in self._groups if any(map(_covers_aws, group.egress))}
        return [host.address for host in self._hosts if open_groups & set(host.groups)]

    def _services(self) -> Iterator[str]:
        places = (
            ("", METADATA, "tcp", 80, IMDS_PORT),
            ("", RESOLVER, "tcp", 53, DNS_PORT),
            ("", RESOLVER, "udp", 53, DNS_PORT),
            ("ip saddr @callers ", API, "tcp", 80, AWS_PORT),
        )
        for bridge in self._bridges:
            source = f'iifname "{bridge.name}" ip saddr @{bridge.hosts} '
            for who, address, protocol, port, served in places:
                yield (
                    f"{source}{who}ip daddr {address} {protocol} dport {port} "
                    f"dnat ip to {bridge.gateway}:{served}"
                )

    def _masquerade(self) -> Iterator[str]:
        for bridge in self._bridges:
            yield f"ip saddr @{bridge.hosts} oifname != {_BRIDGES} masquerade"

    def _input(self) -> Iterator[str]:
        """Yield the way to this machine: hosts reach the three services and nothing else."""
        gateways = _set(bridge.gateway for bridge in self._bridges)
        yield f"iifname != {self._ours} ip daddr {gateways} counter drop"
        yield f"iifname != {self._ours} accept"
        yield "meta nfproto != ipv4 drop"
        yield "ct state established,related accept"
        for bridge in self._bridges:
            # Only by the addresses that AWS has, and only for hosts: the rest is not translated.
            yield (
                f'iifname "{bridge.name}" ct status dnat ip daddr {bridge.gateway} '
                f"th dport {{ {IMDS_PORT}, {DNS_PORT}, {AWS_PORT} }} accept"
            )
        yield "counter drop"

    def _output(self) -> Iterator[str]:
        """Yield the way from this machine: it is an address of the VPC without groups."""
        yield f"oifname != {self._ours} accept"
        yield "meta nfproto != ipv4 drop"
        yield "ct state established,related accept"
        yield "jump arriving"

    def _forward(self) -> Iterator[str]:
        """Yield the way between hosts, and between them and the world."""
        yield f"iifname != {self._ours} oifname != {self._ours} accept"
        yield "meta nfproto != ipv4 drop"
        yield "ct state established,related accept"
        for bridge in self._bridges:
            name = f'"{bridge.name}"'
            yield f"iifname {name} oifname {_BRIDGES} oifname != {name} counter drop"
            yield f"oifname {name} iifname {_BRIDGES} iifname != {name} counter drop"
        yield f"iifname {self._ours} jump leaving"
        yield f"oifname {self._ours} jump arriving"

    def _leaving(self) -> Iterator[str]:
        for bridge in self._bridges:
            yield f'iifname "{bridge.name}" ip saddr != @{bridge.hosts} counter drop'
        # A service that a host may not reach is nowhere else.
        yield "ip daddr 169.254.0.0/16 counter drop"
        for group in self._groups:
            if group.id in self._members:
                for rule in group.egress:
                    yield from self._matches(f"ip saddr @{_name(group.id)}", rule, "daddr")
        yield "counter drop"

    def _arriving(self) -> Iterator[str]:
        for group in self._groups:
            if group.id in self._members:
                for rule in group.ingress:
                    yield from self._matches(f"ip daddr @{_name(group.id)}", rule, "saddr")
        yield "counter drop"

    def _matches(self, owner: str, rule: "Rule", side: str) -> Iterator[str]:
        """Yield a rule's lines: none for a peer that is nowhere, such as an address of IPv6."""
        ranges = _ranges(rule)
        what = _what(rule)
        if _WORLD in ranges:
            yield f"{owner} {what}return"
        elif ranges:
            yield f"{owner} ip {side} {_set(ranges)} {what}return"
        if rule.group in self._members:
            yield f"{owner} ip {side} @{_name(rule.group)} {what}return"


def _ranges(rule: "Rule") -> list[str]:
    """Return the ranges of IPv4 of a rule; nft refuses those that overlap."""
    found = (ipaddress.ip_network(one, strict=False) for one in rule.ranges)
    ours = (one for one in found if isinstance(one, ipaddress.IPv4Network))
    return [str(one) for one in ipaddress.collapse_addresses(ours)]


def _covers_aws(rule: "Rule") -> bool:
    if _WORLD not in _ranges(rule):
        return False
    protocol = _PROTOCOLS.get(rule.protocol, rule.protocol)
    if protocol != "tcp":
        return protocol == "-1"
    return rule.first is None or rule.last is None or rule.first <= _HTTPS <= rule.last


def _what(rule: "Rule") -> str:
    """Return what a rule lets through: nothing written is everything."""
    protocol = _PROTOCOLS.get(rule.protocol, rule.protocol)
    if protocol == "-1":
        return ""
    if protocol == "icmp":
        kind = "" if rule.first is None else f"icmp type {rule.first} "
        code = "" if rule.first is None or rule.last is None else f"icmp code {rule.last} "
        return (kind + code) or "meta l4proto icmp "
    if protocol in {"tcp", "udp"} and rule.first is not None:
        last = rule.first if rule.last is None else rule.last
        ports = str(rule.first) if last == rule.first else f"{rule.first}-{last}"
        return f"{protocol} dport {ports} "
    return f"meta l4proto {protocol} "


def _name(group: str) -> str:
    return "group_" + group.replace("-", "_")


def _set(elements: Iterable[str]) -> str:
    return f"{{ {', '.join(elements)} }}"


def _address_set(name: str, addresses: Iterable[str]) -> Iterator[str]:
    yield f"set {name} {{"
    yield "type ipv4_addr"
    unique = sorted(set(addresses), key=ipaddress.IPv4Address)
    if unique:
        yield f"elements = {_set(unique)}"
    yield "}"


def _chain(
    name: str, kind: str = "", priority: str = "", rules: Iterable[str] = ()
) -> Iterator[str]:
    yield f"chain {name} {{"
    if kind:
        yield f"type {kind} hook {name} priority {priority}; policy accept;"
    yield from rules
    yield "}"
