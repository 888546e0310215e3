"""Real packets between namespaces on bridges: what the firewall lets through, and nothing else."""

import itertools
import os
import shutil
import socket
from collections.abc import Iterator, Sequence

import pytest

from sandbox.hosts import firewall, names, nft
from sandbox.hosts.firewall import Bridge, HostNet
from sandbox.hosts.security_groups import Rule, SecurityGroup
from tests.hosts.namespaces import (
    ANSWER_SECONDS,
    Net,
    Space,
    Try,
    answers_ping,
    ip,
    open_ports,
    reached,
)

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("ip"),
    reason="needs root, nft (nftables) and ip (iproute2)",
)

TABLE = "dask_cluster_packets"
ONE = Bridge("dc-test0001", "10.77.0.1")
TWO = Bridge("dc-test0002", "10.78.0.1")
BRIDGES = (ONE, TWO)
SERVED = (names.IMDS_PORT, names.AWS_PORT, names.DNS_PORT)

# On every host something listens on each of these.
PORTS = (22, 80, 443, 8785, 8786, 8787, 8788, 8999, 9000, 9050, 9099, 9100, 9199, 9200, *SERVED)
ADDRESSES = {
    "scheduler": "10.77.0.4",
    "worker": "10.77.1.5",
    "worker2": "10.77.1.6",
    "stranger": "10.77.2.7",
    "bare": "10.77.2.8",
    "far": "10.78.0.4",
}
GROUPS = {
    "scheduler": "sg-5c",
    "worker": "sg-30",
    "worker2": "sg-30",
    "stranger": "sg-57",
    "far": "sg-fa",
}

OUT = Rule("-1", None, None, ("0.0.0.0/0",))


def tcp(first: int, last: int, *ranges: str, group: str = "") -> Rule:
    return Rule("tcp", first, last, ranges, group)


# The table of the program, with clients at one address outside.
SCHEDULER = SecurityGroup(
    "sg-5c",
    "vpc-1",
    (tcp(8786, 8786, group="sg-30"), tcp(8786, 8787, "198.51.100.2/32")),
    (OUT,),
)
WORKER = SecurityGroup(
    "sg-30",
    "vpc-1",
    (
        tcp(9000, 9099, group="sg-30"),
        tcp(9000, 9099, group="sg-5c"),
        tcp(9100, 9199, group="sg-5c"),
    ),
    (OUT,),
)
STRANGER = SecurityGroup("sg-57", "vpc-1", (), (OUT,))
# Lets everybody in: what does not come is kept back by the VPC's border.
FAR = SecurityGroup("sg-fa", "vpc-2", (OUT,), (OUT,))
USUAL = (SCHEDULER, WORKER, STRANGER, FAR)


class World:
    """The network with its hosts."""

    def __init__(self) -> None:
        self.net = Net()
        for bridge in BRIDGES:
            self.net.bridge(bridge.name, bridge.gateway)
        self.hosts: dict[str, Space] = {}
        self.services: dict[tuple[str, int], socket.socket] = {}

    def build(self) -> None:
        for name, address in ADDRESSES.items():
            bridge = TWO if name == "far" else ONE
            host = self.hosts[name] = self.net.host(bridge.name, address)
            number = address.split(".")[-1]
            ip("-n", host.name, "addr", "add", f"fd00::{number}/64", "nodad", "dev", "eth0")
            for port in PORTS:
                host.listen(port)
            listener = host.open(family=socket.AF_INET6)
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(("::", 9000))
            listener.listen()
        for port in (80, 443, 5000):
            self.net.outside.listen(port)
        self.net.machine.listen(22)
        for bridge, port in itertools.product(BRIDGES, SERVED):
            made = self.net.machine.listen(port, bridge.gateway, bridge.name)
            self.services[bridge.name, port] = made

    def apply(self, groups: Sequence[SecurityGroup] = USUAL, **changed: tuple[str, ...]) -> None:
        """Put groups in force; hosts have their usual ones, or those given."""
        usual = {name: (GROUPS[name],) if name in GROUPS else () for name in ADDRESSES}
        hosts = [
            HostNet(ADDRESSES[name], (TWO if name == "far" else ONE).name, has)
            for name, has in {**usual, **changed}.items()
        ]
        with self.net.machine.inside():
            nft.apply(firewall.rules(TABLE, hosts, groups, BRIDGES), BRIDGES)

    def open(self, source: str, to: str, ports: Sequence[int] = PORTS) -> set[int]:
        return open_ports(self.hosts[source], ADDRESSES[to], ports)


@pytest.fixture(scope="module")
def built() -> Iterator[World]:
    world = World()
    try:
        world.build()
        yield world
    finally:
        world.net.close()


@pytest.fixture
def world(built: World) -> World:
    built.apply()
    return built


def test_between_hosts_only_the_rows_of_the_table_are_open(world: World) -> None:
    data = {9000, 9050, 9099}
    expected = {
        ("worker", "scheduler"): {8786},
        ("worker2", "scheduler"): {8786},
        ("worker", "worker2"): data,
        ("worker2", "worker"): data,
        ("scheduler", "worker"): data | {9100, 9199},
        ("scheduler", "worker2"): data | {9100, 9199},
        ("outside", "scheduler"): {8786, 8787},
    }
    sources = {**world.hosts, "outside": world.net.outside, "machine": world.net.machine}
    tries = {
        Try(space, ADDRESSES[to], port): (source, to)
        for source, space in sources.items()
        for to in ADDRESSES
        # Into the other VPC by CIDR: that is what its group says, not the border.
        if source != to and (source, to) not in {("outside", "far"), ("machine", "far")}
        for port in PORTS
    }
    found: dict[tuple[str, str], set[int]] = {}
    for one in reached(tries):
        found.setdefault(tries[one], set()).add(one.port)
    assert found == expected


def test_two_vpcs_are_apart_whatever_their_groups_say(world: World) -> None:
    assert world.open("worker", "far") == set()
    assert world.open("far", "worker") == set()
    assert open_ports(world.net.outside, ADDRESSES["far"], PORTS) == set(PORTS)


def test_a_bridge_of_another_rehearsal_is_apart_too(built: World) -> None:
    hosts = [HostNet(ADDRESSES["worker"], ONE.name, ("sg-30",))]
    anybody = SecurityGroup("sg-30", "vpc-1", (OUT,), (OUT,))
    with built.net.machine.inside():
        # Only the first bridge is ours.
        nft.apply(firewall.rules(TABLE, hosts, [anybody], [ONE]), [ONE])
    assert built.open("worker", "far") == set()
    assert built.open("far", "worker") == set()
    assert open_ports(built.hosts["worker"], "198.51.100.2", (80,)) == {80}


def test_a_host_without_groups_reaches_nobody_but_its_services(world: World) -> None:
    bare = world.hosts["bare"]
    assert open_ports(bare, "198.51.100.2", (80, 443, 5000)) == set()
    assert open_ports(bare, names.METADATA, (80,)) == {80}
    assert open_ports(bare, names.RESOLVER, (53,)) == {53}
    assert open_ports(bare, names.API, (80,)) == set()


def test_the_way_out_is_what_egress_says(world: World) -> None:
    https = SecurityGroup("sg-https", "vpc-1", (), (tcp(443, 443, "0.0.0.0/0"),))
    near = SecurityGroup("sg-near", "vpc-1", (), (tcp(1, 65535, "10.77.0.0/16"),))
    to_worker = SecurityGroup("sg-to", "vpc-1", (), (tcp(9000, 9000, group="sg-30"),))
    anybody = SecurityGroup("sg-30", "vpc-1", (OUT,), (OUT,))
    groups = (https, near, to_worker, anybody)
    out = {}
    for name in ("sg-https", "sg-near", "sg-to", "sg-30"):
        world.apply(groups, stranger=(name,))
        stranger = world.hosts["stranger"]
        out[name] = (
            open_ports(stranger, "198.51.100.2", (80, 443, 5000)),
            world.open("stranger", "worker", (443, 9000, 9001)),
            open_ports(stranger, names.API, (80,)),
        )
    assert out == {
        "sg-https": ({443}, {443}, {80}),
        "sg-near": (set(), {443, 9000}, set()),
        "sg-to": (set(), {9000}, set()),
        "sg-30": ({80, 443, 5000}, {443, 9000}, {80}),
    }


def test_what_is_of_aws_alone_never_leaves_the_machine(world: World) -> None:
    # A provider's own service at the same address, which answers whoever asks.
    theirs = [f"{address}/32" for address in (names.API, names.METADATA, "169.254.169.123")]
    for address in theirs:
        ip("-n", world.net.outside.name, "addr", "add", address, "dev", "lo")
    http = SecurityGroup("sg-http", "vpc-1", (), (tcp(80, 81, "0.0.0.0/0"),))
    world.apply([http], stranger=("sg-http",))
    stranger = world.hosts["stranger"]
    addresses = ("198.51.100.2", names.API, "169.254.169.123")
    found = reached(Try(stranger, address, 80) for address in addresses)
    for address in theirs:
        ip("-n", world.net.outside.name, "addr", "delete", address, "dev", "lo")
    assert {one.address for one in found} == {"198.51.100.2"}


def test_hosts_see_each_others_addresses(world: World) -> None:
    with world.hosts["worker2"].listen(9001) as server:
        client = world.hosts["worker"].open()
        client.settimeout(ANSWER_SECONDS)
        client.connect((ADDRESSES["worker2"], 9001))
        connection, peer = server.accept()
        connection.close()
    assert peer[0] == ADDRESSES["worker"]


def test_the_world_sees_the_machine_and_not_the_host(world: World) -> None:
    with world.net.outside.listen(5001) as server:
        client = world.hosts["worker"].open()
        client.settimeout(ANSWER_SECONDS)
        client.connect(("198.51.100.2", 5001))
        connection, peer = server.accept()
        connection.close()
    assert peer[0] == "198.51.100.1"


@pytest.mark.parametrize(
    ("address", "port", "served"),
    [
        (names.METADATA, 80, names.IMDS_PORT),
        (names.RESOLVER, 53, names.DNS_PORT),
        (names.API, 80, names.AWS_PORT),
    ],
)
def test_services_see_which_host_asks(world: World, address: str, port: int, served: int) -> None:
    for name, bridge in (("worker", ONE), ("scheduler", ONE), ("far", TWO)):
        client = world.hosts[name].open()
        client.settimeout(ANSWER_SECONDS)
        client.connect((address, port))
        mine = client.getsockname()
        listener = world.services[bridge.name, served]
        # Scans of other tests may wait before it.
        while True:
            connection, peer = listener.accept()
            connection.close()
            if peer == mine:
                break


def test_names_are_asked_for_by_udp_too(world: World) -> None:
    service = world.net.machine.open(socket.SOCK_DGRAM)
    service.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, ONE.name.encode())
    service.bind((ONE.gateway, names.DNS_PORT))
    service.settimeout(ANSWER_SECONDS)
    client = world.hosts["bare"].open(socket.SOCK_DGRAM)
    client.settimeout(ANSWER_SECONDS)
    client.sendto(b"name?", (names.RESOLVER, 53))
    asked, peer = service.recvfrom(100)
    service.sendto(b"address", peer)
    assert (asked, peer[0]) == (b"name?", ADDRESSES["bare"])
    assert client.recvfrom(100) == (b"address", (names.RESOLVER, 53))


def test_nobody_but_hosts_reaches_the_services(world: World) -> None:
    gateways = [bridge.gateway for bridge in BRIDGES]
    links = [names.METADATA, names.RESOLVER, names.API]
    ports = (*SERVED, 53, 80)
    for space in (world.net.machine, world.net.outside):
        tries = [Try(space, to, port) for to in gateways + links for port in ports]
        assert reached(tries) == set()


def test_hosts_reach_the_services_only_by_their_addresses(world: World) -> None:
    worker = world.hosts["worker"]
    machine = (ONE.gateway, TWO.gateway, "198.51.100.1")
    links = (names.METADATA, names.RESOLVER, names.API)
    # AWS has a clock there; here nobody answers, and nothing of it leaves this machine.
    clock = "169.254.169.123"
    tries = [Try(worker, to, port) for to in (*machine, *links) for port in (22, *SERVED)]
    assert reached([*tries, Try(worker, clock, 80), Try(worker, clock, 443)]) == set()
    assert not answers_ping(worker, ONE.gateway)


def test_a_connection_outlives_its_rule(world: World) -> None:
    client = world.hosts["worker"].open()
    client.settimeout(ANSWER_SECONDS)
    with world.hosts["scheduler"].listen(8700) as server:
        listening = (Rule("tcp", 8700, 8700, (), "sg-30"),)
        world.apply([SecurityGroup("sg-5c", "vpc-1", listening, (OUT,)), WORKER])
        client.connect((ADDRESSES["scheduler"], 8700))
        accepted, _ = server.accept()
        world.apply([SecurityGroup("sg-5c", "vpc-1", (), ()), SecurityGroup("sg-30", "", (), ())])
        assert world.open("worker", "scheduler", (8700,)) == set()
        with accepted:
            accepted.settimeout(ANSWER_SECONDS)
            client.sendall(b"still")
            assert accepted.recv(100) == b"still"
            accepted.sendall(b"here")
            assert client.recv(100) == b"here"


def test_a_host_has_the_rules_of_all_its_groups_and_loses_them(world: World) -> None:
    world.apply(stranger=("sg-57", "sg-30"))
    assert world.open("stranger", "scheduler") == {8786}
    world.apply()
    assert world.open("stranger", "scheduler") == set()


def test_icmp_udp_and_everything(world: World) -> None:
    def let_in(*rules: Rule) -> None:
        world.apply([SecurityGroup("sg-30", "vpc-1", rules, (OUT,)), STRANGER])

    def udp_arrives() -> bool:
        stranger.sendto(b"x", (ADDRESSES["worker"], 7000))
        try:
            return server.recv(10) == b"x"
        except TimeoutError:
            return False

    server = world.hosts["worker"].open(socket.SOCK_DGRAM)
    server.bind(("", 7000))
    server.settimeout(0.5)
    stranger = world.hosts["stranger"].open(socket.SOCK_DGRAM)
    found = {}
    for name, rule in {
        "nothing": None,
        "echo": Rule("icmp", 8, None, ("0.0.0.0/0",)),
        "other icmp": Rule("icmp", 13, None, ("0.0.0.0/0",)),
        "udp": Rule("udp", 7000, 7000, ("10.77.2.0/24",)),
        "other udp": Rule("udp", 7001, 7002, ("10.77.2.0/24",)),
        "everything": Rule("-1", None, None, (), "sg-57"),
        "only ipv6": Rule("-1", None, None, ("::/0",)),
        "unknown group": Rule("-1", None, None, (), "sg-none"),
    }.items():
        let_in(*([rule] if rule else []))
        # A new port each time: what was let in once goes on.
        stranger = world.hosts["stranger"].open(socket.SOCK_DGRAM)
        found[name] = (
            answers_ping(world.hosts["stranger"], ADDRESSES["worker"]),
            udp_arrives(),
            bool(world.open("stranger", "worker", (443,))),
        )
    nothing = (False, False, False)
    assert found == {
        "nothing": nothing,
        "echo": (True, False, False),
        "other icmp": nothing,
        "udp": (False, True, False),
        "other udp": nothing,
        "everything": (True, True, True),
        "only ipv6": nothing,
        "unknown group": nothing,
    }


def test_an_address_of_no_host_is_not_heard(world: World) -> None:
    everybody = [SecurityGroup("sg-30", "vpc-1", (OUT,), (OUT,)), STRANGER]
    stranger = world.hosts["stranger"]
    ip("-n", stranger.name, "addr", "add", "10.77.9.9/16", "dev", "eth0")
    world.apply(everybody)
    to = ((ADDRESSES["worker"], 9000), ("198.51.100.2", 80), (names.METADATA, 80))
    own = {Try(stranger, address, port, bind=ADDRESSES["stranger"]) for address, port in to}
    other = {Try(stranger, address, port, bind="10.77.9.9") for address, port in to}
    assert reached(own | other) == own


def test_an_address_of_another_vpc_is_not_heard(world: World) -> None:
    def arrives(host: str) -> bool:
        sender = world.hosts[host].open(socket.SOCK_DGRAM)
        sender.bind((ADDRESSES["worker"], 0))
        sender.sendto(host.encode(), ("198.51.100.2", 7100))
        try:
            return server.recv(10) == host.encode()
        except TimeoutError:
            return False

    server = world.net.outside.open(socket.SOCK_DGRAM)
    server.bind(("", 7100))
    server.settimeout(ANSWER_SECONDS)
    far = world.hosts["far"].name
    ip("-n", far, "addr", "add", f"{ADDRESSES['worker']}/32", "dev", "lo")
    world.net.machine.sysctl("net/ipv4/conf/all/rp_filter", 0)
    world.net.machine.sysctl(f"net/ipv4/conf/{TWO.name}/rp_filter", 0)
    found = (arrives("worker"), arrives("far"))
    ip("-n", far, "addr", "delete", f"{ADDRESSES['worker']}/32", "dev", "lo")
    assert found == (True, False)


def test_there_is_no_ipv6(world: World) -> None:
    world.apply([SecurityGroup("sg-30", "vpc-1", (OUT,), (OUT,)), STRANGER])
    listener = world.net.machine.open(family=socket.AF_INET6)
    listener.bind(("::", 7777))
    listener.listen()
    stranger = world.hosts["stranger"]
    tries = [
        Try(stranger, "fd00::5", 9000, family=socket.AF_INET6),
        Try(stranger, "fd00::77:1", 7777, family=socket.AF_INET6),
        Try(world.net.machine, "fd00::5", 9000, family=socket.AF_INET6),
    ]
    assert reached(tries) == set()


def test_the_machine_is_an_address_of_the_vpc(world: World) -> None:
    vpc = SecurityGroup("sg-30", "vpc-1", (tcp(9000, 9000, "10.77.0.0/16"),), (OUT,))
    world.apply([vpc])
    assert open_ports(world.net.machine, ADDRESSES["worker"], PORTS) == {9000}


def test_what_is_not_ours_passes(world: World) -> None:
    net = world.net
    ip("-n", net.machine.name, "link", "add", "other0", "type", "bridge")
    ip("-n", net.machine.name, "addr", "add", "10.99.0.1/16", "dev", "other0")
    ip("-n", net.machine.name, "link", "set", "other0", "up")
    net._gateways["other0"] = "10.99.0.1"
    one, two = net.host("other0", "10.99.0.2"), net.host("other0", "10.99.0.3")
    two.listen(80)
    assert open_ports(one, "10.99.0.3", (80,)) == {80}
    assert open_ports(net.outside, "10.99.0.3", (80,)) == {80}
    assert open_ports(net.machine, "10.99.0.3", (80,)) == {80}
    assert open_ports(one, "198.51.100.1", (22,)) == {22}
    # By IPv6, too, which our hosts do not have.
    for space, device, place in (
        (net.machine, "up0", 1),
        (net.machine, "other0", 2),
        (net.outside, "eth0", 1),
        (one, "eth0", 2),
    ):
        number = 1 if space is net.machine else 2
        ip("-n", space.name, "addr", "add", f"fd0{place}::{number}/64", "nodad", "dev", device)
        if number == 2:
            ip("-n", space.name, "-6", "route", "add", "default", "via", f"fd0{place}::1")
    net.machine.sysctl("net/ipv6/conf/all/forwarding", 1)
    listener = one.open(family=socket.AF_INET6)
    listener.bind(("::", 7777))
    listener.listen()
    there = Try(net.outside, "fd02::2", 7777, family=socket.AF_INET6)
    assert reached([there]) == {there}


def test_removing_the_table_twice_is_fine(world: World) -> None:
    with world.net.machine.inside():
        nft.remove(TABLE)
        nft.remove(TABLE)
    assert world.open("stranger", "scheduler", (22, 8786)) == {22, 8786}
