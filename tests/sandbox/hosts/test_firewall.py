"""The text of the firewall. What it does to packets: tests/hosts/test_packets.py."""

from pathlib import Path

import pytest

from sandbox.hosts import names
from sandbox.hosts.firewall import Bridge, HostNet, rules
from sandbox.hosts.names import Names
from sandbox.hosts.security_groups import Rule, SecurityGroup

ONE = Bridge("dc-00000001", "10.1.0.1")
TWO = Bridge("dc-00000002", "10.2.0.1")
WORLD = ("0.0.0.0/0",)
OUT = Rule("-1", None, None, WORLD)


def tcp(first: int, last: int, *ranges: str, group: str = "") -> Rule:
    return Rule("tcp", first, last, ranges, group)


def chain(text: str, name: str) -> list[str]:
    """Return the lines of a chain or set."""
    lines = text.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.split()[1:2] == [name] and "{" in line)
    return lines[begin + 1 : lines.index("}", begin)]


def written(
    ingress: tuple[Rule, ...] = (), egress: tuple[Rule, ...] = (), **members: tuple[str, ...]
) -> str:
    """Return the table for the group sg-1; hosts without groups given are its only member."""
    groups = members or {"a": ("sg-1",)}
    hosts = [HostNet(f"10.1.0.{n}", ONE.name, of) for n, of in enumerate(groups.values(), 4)]
    others = {one for of in groups.values() for one in of} - {"sg-1"}
    known = [SecurityGroup(one, "vpc-1", (), ()) for one in sorted(others)]
    return rules("t", hosts, [SecurityGroup("sg-1", "vpc-1", ingress, egress), *known], [ONE])


def arriving(*ingress: Rule) -> list[str]:
    lines = chain(written(ingress), "arriving")
    assert lines[-1] == "counter drop"
    return lines[:-1]


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        (tcp(8786, 8786, *WORLD), ["tcp dport 8786 return"]),
        (tcp(9000, 9099, *WORLD), ["tcp dport 9000-9099 return"]),
        (tcp(22, 22, "10.9.9.9/8"), ["ip saddr { 10.0.0.0/8 } tcp dport 22 return"]),
        # nft refuses ranges that overlap.
        (
            tcp(22, 22, "10.0.0.0/16", "10.0.1.0/24", "192.0.2.0/25", "192.0.2.128/25"),
            ["ip saddr { 10.0.0.0/16, 192.0.2.0/24 } tcp dport 22 return"],
        ),
        (tcp(22, 22, "0.0.0.0/1", "128.0.0.0/1"), ["tcp dport 22 return"]),
        (tcp(22, 22, "::/0"), []),
        (tcp(22, 22), []),
        (Rule("udp", None, None, WORLD), ["meta l4proto udp return"]),
        (Rule("17", 53, 53, WORLD), ["udp dport 53 return"]),
        (Rule("icmp", None, None, WORLD), ["meta l4proto icmp return"]),
        (Rule("icmp", 8, None, WORLD), ["icmp type 8 return"]),
        (Rule("icmp", 3, 4, WORLD), ["icmp type 3 icmp code 4 return"]),
        (Rule("50", None, None, WORLD), ["meta l4proto 50 return"]),
        (OUT, ["return"]),
        (Rule("-1", None, None, (), "sg-1"), ["ip saddr @group_sg_1 return"]),
        (Rule("-1", None, None, (), "sg-gone"), []),
    ],
)
def test_each_form_of_a_rule(rule: Rule, lines: list[str]) -> None:
    assert arriving(rule) == [f"ip daddr @group_sg_1 {line}" for line in lines]


def test_a_group_is_the_addresses_of_its_members() -> None:
    text = written(
        (tcp(1, 2, group="sg-2"),), a=("sg-1",), b=("sg-2",), c=("sg-2", "sg-1"), d=("sg-3",)
    )
    assert chain(text, "group_sg_1") == ["type ipv4_addr", "elements = { 10.1.0.4, 10.1.0.6 }"]
    assert chain(text, "group_sg_2") == ["type ipv4_addr", "elements = { 10.1.0.5, 10.1.0.6 }"]
    line = "ip daddr @group_sg_1 ip saddr @group_sg_2 tcp dport 1-2 return"
    assert chain(text, "arriving") == [line, "counter drop"]


@pytest.mark.parametrize(
    ("rule", "reaches"),
    [
        (OUT, True),
        (tcp(443, 443, *WORLD), True),
        (tcp(1, 65535, "0.0.0.0/1", "128.0.0.0/1"), True),
        (Rule("6", 400, 500, WORLD), True),
        (tcp(80, 80, *WORLD), False),
        (tcp(443, 443, "10.0.0.0/8"), False),
        (tcp(443, 443, "::/0"), False),
        (tcp(443, 443, group="sg-1"), False),
        (Rule("udp", 443, 443, WORLD), False),
    ],
)
def test_aws_is_for_whom_https_to_the_world_is_open(rule: Rule, *, reaches: bool) -> None:
    callers = chain(written(egress=(rule,)), "callers")
    assert callers == ["type ipv4_addr", *(["elements = { 10.1.0.4 }"] if reaches else [])]


def test_each_bridge_leads_to_its_own_services() -> None:
    text = rules("t", [HostNet("10.2.0.9", TWO.name, ())], [], [ONE, TWO])
    assert chain(text, TWO.hosts) == ["type ipv4_addr", "elements = { 10.2.0.9 }"]
    assert chain(text, ONE.hosts) == ["type ipv4_addr"]
    found = [line for line in chain(text, "prerouting") if "dnat" in line and "hook" not in line]
    assert len(found) == 8
    for bridge in (ONE, TWO):
        line = (
            f'iifname "{bridge.name}" ip saddr @{bridge.hosts} ip daddr 169.254.169.254 '
            f"tcp dport 80 dnat ip to {bridge.gateway}:{names.IMDS_PORT}"
        )
        assert line in found


def test_the_table_is_replaced_in_one_step() -> None:
    lines = rules("dask_cluster_1", [], [], []).splitlines()
    assert lines[:3] == [
        "table inet dask_cluster_1",
        "delete table inet dask_cluster_1",
        "table inet dask_cluster_1 {",
    ]
    # Without a bridge there is nothing to say.
    assert not [line for line in lines if line.startswith("chain")]


def test_bridges_of_all_rehearsals_have_the_name_that_rules_keep_apart() -> None:
    bridge = Names.of(Path("/a")).bridge("vpc-0123456789abcdef0")
    assert bridge.startswith("dc-")
    assert len(bridge) <= 15
