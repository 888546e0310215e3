"""DNS for hosts."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.hosts.dns_answers import Network, look
from sandbox.hosts.dns_messages import (
    AAAA,
    CNAME,
    NOERROR,
    NS,
    NXDOMAIN,
    PTR,
    REFUSED,
    SERVFAIL,
    SOA,
    TXT,
    A,
    read_tcp,
)
from sandbox.hosts.resolver import SILENT_SECONDS, Resolver, nameservers
from sandbox.hosts.zones import Record, Zone
from tests.sandbox.hosts.dns_client import Answer, packed, query, read
from tests.sandbox.hosts.instances import hosts, network, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sandbox.server.account import Account

ASKER = "10.0.0.4"
# Seconds: for what answers, however busy this machine is, and for what does not.
PATIENT = 20.0
BRIEF = 0.3


ZONE = Zone(
    "Z1",
    "dev.internal",
    frozenset({"vpc-1"}),
    (
        Record("dev.internal", "SOA", 900, ("whatever",)),
        Record("scheduler.dev.internal", "A", 10, ("10.0.0.9", "10.0.0.10")),
        Record("alias.dev.internal", "CNAME", 30, ("Scheduler.dev.internal.",)),
        Record("outside.dev.internal", "CNAME", 30, ("example.org.",)),
        Record("loop.dev.internal", "CNAME", 30, ("loop.dev.internal",)),
        Record("a.b.dev.internal", "TXT", 30, ('"' + "x" * 300 + '"',)),
        Record("wrong.dev.internal", "A", 30, ("no address",)),
        Record("long.dev.internal", "A", 5, tuple(f"10.0.1.{n}" for n in range(50))),
    ),
)
INNER = Zone(
    "Z2",
    "b.dev.internal",
    frozenset({"vpc-1"}),
    (Record("c.b.dev.internal", "A", 1, ("10.0.0.11",)),),
)


HERE = Network((ZONE,), (), "10.0.0.0/16", "eu-west-1.compute.internal")


def resolver(
    *zones: Zone, servers: tuple[str, ...] = (), port: int = 53, seconds: float = PATIENT
) -> Resolver:
    here = replace(HERE, zones=zones or HERE.zones)
    return Resolver({ASKER: here}.get, lambda: servers, port=port, seconds=seconds)


def ask(name: str, kind: int = A, **more: Any) -> Answer:  # noqa: ANN401
    return read(resolver().answer(query(name, kind, **more), ASKER))


def test_a_private_zone_answers() -> None:
    for name in ("scheduler.dev.internal", "SCHEDULER.Dev.internal"):
        found = ask(name)
        assert (found.code, found.authoritative, found.authority) == (NOERROR, True, [])
        assert found.rows == [
            ("scheduler.dev.internal", A, 10, packed("10.0.0.9")),
            ("scheduler.dev.internal", A, 10, packed("10.0.0.10")),
        ]
    # A name without such a record, and a name that only has names below it.
    for name, kind in (("scheduler.dev.internal", AAAA), ("b.dev.internal", A)):
        found = ask(name, kind)
        assert (found.code, found.rows) == (NOERROR, [])
        assert found.authority[0][:2] == ("dev.internal", SOA)
    found = ask("other.dev.internal")
    assert (found.code, found.rows, found.authority[0][1]) == (NXDOMAIN, [], SOA)


def test_aliases_are_followed_within_the_zone() -> None:
    found = ask("alias.dev.internal")
    assert [row[:3] for row in found.rows] == [
        ("alias.dev.internal", CNAME, 30),
        ("scheduler.dev.internal", A, 10),
        ("scheduler.dev.internal", A, 10),
    ]
    assert [row[1] for row in ask("outside.dev.internal").rows] == [CNAME]
    assert ask("loop.dev.internal").code == NOERROR
    text = ask("a.b.dev.internal", TXT).rows[0][3]
    assert text == b"\xff" + b"x" * 255 + b"\x2d" + b"x" * 45
    assert ask("wrong.dev.internal").rows == []


def test_the_zone_with_the_longest_name_answers() -> None:
    found = read(resolver(ZONE, INNER).answer(query("c.b.dev.internal"), ASKER))
    assert found.rows == [("c.b.dev.internal", A, 1, packed("10.0.0.11"))]
    assert (
        read(resolver(ZONE, INNER).answer(query("a.b.dev.internal", TXT), ASKER)).code == NXDOMAIN
    )


def test_an_answer_that_does_not_fit_is_cut() -> None:
    name = "long.dev.internal"
    assert (ask(name).cut, ask(name).rows) == (True, [])
    roomy = ask(name, room=4096)
    assert (roomy.cut, len(roomy.rows), roomy.additional) == (False, 50, 1)
    by_tcp = read(resolver().answer(query(name), ASKER, tcp=True))
    assert (by_tcp.cut, len(by_tcp.rows)) == (False, 50)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x12\x34",
        query("scheduler.dev.internal")[:-1],
        # An answer, no question, and a name that points elsewhere.
        struct.pack(">6H", 1, 0x8180, 1, 0, 0, 0) + query("a.b")[12:],
        struct.pack(">6H", 1, 0x0100, 0, 0, 0, 0),
        struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + b"\xc0\x0c\0\x01\0\x01",
    ],
)
def test_what_is_no_query_is_not_answered(raw: bytes) -> None:
    assert resolver().answer(raw, ASKER) is None


def test_others_are_refused() -> None:
    found = read(resolver().answer(query("scheduler.dev.internal"), "10.0.0.5"))
    assert (found.code, found.rows) == (REFUSED, [])


@contextmanager
def upstream(answer: bytes) -> Iterator[int]:
    """Another name server, which answers everything with the same."""

    class ByUdp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            received, sock = self.request
            # Nothing that is asked is changed.
            assert received == query("example.org", room=1232)
            sock.sendto(received[:2] + answer, self.client_address)

    class ByTcp(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            received = read_tcp(self.rfile.read)
            whole = received[:2] + answer + b" by tcp"
            self.wfile.write(struct.pack(">H", len(whole)) + whole)

    with (
        socketserver.TCPServer(("127.0.0.1", 0), ByTcp) as tcp,
        socketserver.UDPServer(("127.0.0.1", tcp.server_address[1]), ByUdp) as udp,
    ):
        both: tuple[socketserver.BaseServer, ...] = (tcp, udp)
        threads = [threading.Thread(target=one.serve_forever, args=(0.02,)) for one in both]
        for thread in threads:
            thread.start()
        yield int(tcp.server_address[1])
        for one in both:
            one.shutdown()
        for thread in threads:
            thread.join()


def test_everything_else_is_forwarded_as_it_is() -> None:
    asked = query("example.org", room=1232)
    with upstream(b"their answer") as port:
        made = resolver(servers=("127.0.0.1",), port=port)
        assert made.answer(asked, ASKER) == b"\x12\x34their answer"
        assert made.answer(asked, ASKER, tcp=True) == b"\x12\x34their answer by tcp"
        # The first one that answers.
        made = resolver(servers=("127.0.0.2", "127.0.0.1"), port=port)
        assert made.answer(asked, ASKER) == b"\x12\x34their answer"
        # What is ours is not asked elsewhere.
        assert read(made.answer(query("x.dev.internal"), ASKER)).code == NXDOMAIN
        assert read(made.answer(query("4.0.0.10.in-addr.arpa", PTR), ASKER)).code == NXDOMAIN


def test_a_name_server_that_does_not_answer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        made = resolver(servers=("127.0.0.1",), port=port, seconds=BRIEF)
        assert read(made.answer(query("example.org"), ASKER)).code == SERVFAIL
        assert read(made.answer(query("example.org"), ASKER, tcp=True)).code == SERVFAIL
    assert read(resolver().answer(query("example.org"), ASKER)).code == SERVFAIL


@dataclass
class Silent:
    """A name server that takes questions and answers only when it is told to."""

    sock: socket.socket
    now: float = 0.0

    def resolver(self) -> Resolver:
        return Resolver(
            {ASKER: HERE}.get,
            lambda: ("127.0.0.1",),
            port=self.sock.getsockname()[1],
            seconds=BRIEF,
            clock=lambda: self.now,
        )

    def asked(self) -> int:
        """Return how often it was asked since the last time."""
        count = 0
        self.sock.settimeout(0)
        with suppress(BlockingIOError):
            while self.sock.recv(512):
                count += 1
        return count

    def answers(self, made: Resolver, name: str) -> bool:
        """Tell whether a resolver forwards a question, which is answered here."""

        def answer() -> None:
            message, client = self.sock.recvfrom(512)
            self.sock.sendto(message[:2] + b"their answer", client)

        self.sock.settimeout(PATIENT)
        thread = threading.Thread(target=answer)
        thread.start()
        made._seconds = PATIENT
        answered = made.answer(query(name), ASKER) == b"\x12\x34their answer"
        made._seconds = BRIEF
        thread.join()
        return answered


@pytest.fixture
def silent() -> Iterator[Silent]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield Silent(sock)


def test_a_silent_name_server_costs_its_time_once(silent: Silent) -> None:
    made = silent.resolver()
    for name, asked in (("example.org", 1), ("example.org", 0), ("does-not-exist.example.com", 0)):
        assert read(made.answer(query(name), ASKER)).code == SERVFAIL
        assert silent.asked() == asked, name
    # What is ours is known all the same.
    assert read(made.answer(query("scheduler.dev.internal"), ASKER)).code == NOERROR
    silent.now += SILENT_SECONDS
    assert silent.answers(made, "example.org")


def test_a_name_that_takes_a_name_server_long_does_not_make_it_silent(silent: Silent) -> None:
    made = silent.resolver()
    assert silent.answers(made, "example.org")
    silent.now += SILENT_SECONDS
    for _ in range(2):
        assert read(made.answer(query("slow.example.org"), ASKER)).code == SERVFAIL
        assert silent.asked() == 1
    silent.now += 1
    assert read(made.answer(query("slow.example.org"), ASKER)).code == SERVFAIL
    assert silent.asked() == 1
    assert read(made.answer(query("example.org"), ASKER)).code == SERVFAIL
    assert silent.asked() == 0


NOBODYS = (
    "example.invalid",
    "invalid",
    "a.b.Invalid",
    "__cloud_init_expected_not_found__",
    "localhost",
)


def test_names_that_nobody_has_are_not_asked_for(silent: Silent) -> None:
    made = silent.resolver()
    for name in NOBODYS:
        for kind in (A, AAAA):
            found = read(made.answer(query(name, kind), ASKER))
            assert (found.code, found.rows) == (NXDOMAIN, []), name
    assert read(made.answer(query("example.invalid", TXT), ASKER)).code == NXDOMAIN
    assert silent.asked() == 0
    # Of the top itself others know, and so they do of a name that only ends alike.
    for name, kind in (("com", NS), ("", NS), ("notinvalid.org", A), ("my-invalid.x-invalid", A)):
        other = silent.resolver()
        assert read(other.answer(query(name, kind), ASKER)).code == SERVFAIL
        assert silent.asked() == 1, name


def test_a_private_zone_may_have_such_a_name() -> None:
    for name in ("corp", "db.invalid"):
        zone = Zone("Z3", name, frozenset({"vpc-1"}), (Record(name, "A", 1, ("10.0.0.12",)),))
        found = read(resolver(zone).answer(query(name), ASKER))
        assert found.rows == [(name, A, 1, packed("10.0.0.12"))]


def test_name_servers_of_the_machine(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# nameserver 1.1.1.1\nsearch a b\nnameserver 10.9.9.9\nnameserver ::1 \n")
    assert nameservers(file) == ["10.9.9.9", "::1"]
    assert nameservers(tmp_path / "none") == []


def test_hosts_of_the_account(account: Account) -> None:
    vpc, subnet = network(account)
    group = hosts(account, 2, subnet=subnet)
    first, second = group.instances()
    zone_of(account, vpc, {"scheduler.dev.dask-cluster.internal": second["PrivateIpAddress"]})
    made = Resolver(look, lambda: ())

    def rows(name: str, kind: int = A) -> list[Any]:
        return read(made.answer(query(name, kind), first["PrivateIpAddress"])).rows

    address = packed(second["PrivateIpAddress"])
    name = "scheduler.dev.dask-cluster.internal"
    assert rows(name) == [(name, A, 10, address)]
    name = second["PrivateDnsName"]
    assert name.endswith(".ec2.internal")
    assert rows(name) == [(name, A, 60, address)]
    assert rows(name, AAAA) == []
    unknown = made.answer(query("ip-10-0-15-254.ec2.internal"), first["PrivateIpAddress"])
    assert read(unknown).code == NXDOMAIN
    reverse = ".".join(reversed(second["PrivateIpAddress"].split("."))) + ".in-addr.arpa"
    assert [row[1] for row in rows(reverse, PTR)] == [PTR]
    assert look("10.0.15.254") is None
    assert look(first["PrivateIpAddress"], "vpc-other") is None
    other, other_subnet = network(account)
    assert other != vpc
    # The same range: only the VPC tells who asks.
    hosts(account, name="others", subnet=other_subnet)
    seen = look(first["PrivateIpAddress"], vpc)
    assert seen is not None
    assert {one.vpc for one in seen.hosts} == {vpc}
