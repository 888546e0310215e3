"""A small network of namespaces: a machine with bridges, hosts on them, and an outside."""

import contextlib
import ctypes
import errno
import itertools
import os
import selectors
import socket
import struct
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
# What is open answers at once; what is closed costs all of it, but for all connections together.
ANSWER_SECONDS = 1.0
_IDENTIFIERS = itertools.count(1)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@dataclass(eq=False)
class Space:
    """A network namespace; sockets made inside stay there."""

    name: str
    sockets: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")
        # Addresses of IPv6 are there at once: nobody else has them.
        for which in ("all", "default"):
            self.sysctl(f"net/ipv6/conf/{which}/accept_dad", 0)

    def close(self) -> None:
        for one in self.sockets:
            one.close()
        ip("netns", "del", self.name)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        with Path("/proc/thread-self/ns/net").open() as back:
            with Path(f"/run/netns/{self.name}").open() as there:
                _enter(there.fileno())
            try:
                yield
            finally:
                _enter(back.fileno())

    def open(self, kind: int = socket.SOCK_STREAM, family: int = socket.AF_INET) -> socket.socket:
        with self.inside():
            made = socket.socket(family, kind)
        self.sockets.append(made)
        return made

    def listen(self, port: int, address: str = "", device: str = "") -> socket.socket:
        listener = self.open()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if device:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        listener.bind((address, port))
        # The kernel takes connections by itself.
        listener.listen(512)
        listener.settimeout(ANSWER_SECONDS)
        return listener

    def sysctl(self, name: str, value: int) -> None:
        with self.inside():
            Path("/proc/sys", *name.split("/")).write_text(str(value))


@dataclass(frozen=True)
class Try:
    """A connection to try."""

    source: Space
    address: str
    port: int
    bind: str = ""
    family: int = socket.AF_INET


def reached(tries: Iterable[Try]) -> set[Try]:
    """Try all at once, and return those that came through."""
    found: set[Try] = set()
    with selectors.DefaultSelector() as waiting, contextlib.ExitStack() as stack:
        for one in tries:
            with one.source.inside():
                made = stack.enter_context(socket.socket(one.family, socket.SOCK_STREAM))
            made.settimeout(0)
            if one.bind:
                made.bind((one.bind, 0))
            code = made.connect_ex((one.address, one.port))
            if code == 0:
                found.add(one)
            elif code == errno.EINPROGRESS:
                waiting.register(made, selectors.EVENT_WRITE, one)
        until = time.monotonic() + ANSWER_SECONDS
        late = False
        while waiting.get_map() and not late:
            # A busy machine looks a last time.
            late = (left := until - time.monotonic()) <= 0
            for key, _ in waiting.select(max(left, 0)):
                waiting.unregister(key.fileobj)
                assert isinstance(key.fileobj, socket.socket)
                if key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    found.add(key.data)
    return found


def open_ports(source: Space, address: str, ports: Iterable[int]) -> set[int]:
    return {one.port for one in reached(Try(source, address, port) for port in ports)}


def answers_ping(source: Space, address: str) -> bool:
    with source.inside():
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with raw:
        raw.settimeout(ANSWER_SECONDS)
        # A new identifier each time, else it is a connection that stands. The checksum is the
        # complement of the sum.
        identifier = next(_IDENTIFIERS)
        echo = struct.pack(">BBHHH", 8, 0, 0xFFFF - 0x0800 - identifier - 1, identifier, 1)
        raw.sendto(echo, (address, 0))
        try:
            return raw.recv(100)[20] == 0
        except TimeoutError:
            return False


class Net:
    """A machine whose bridges hosts are plugged into, and an outside that it has a way to.

    Attributes:
        machine: Where bridges and rules are.
        outside: 198.51.100.2, which knows the way to the hosts.
    """

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._count = 0
        self._gateways: dict[str, str] = {}
        self.machine = self.space()
        self.outside = self.space()
        self._wire(self.machine, "up0", self.outside)
        ip("-n", self.machine.name, "addr", "add", "198.51.100.1/24", "dev", "up0")
        ip("-n", self.outside.name, "addr", "add", "198.51.100.2/24", "dev", "eth0")
        ip("-n", self.outside.name, "route", "add", "10.0.0.0/8", "via", "198.51.100.1")
        ip("-n", self.machine.name, "route", "add", "default", "via", "198.51.100.2")
        self.machine.sysctl("net/ipv4/ip_forward", 1)
        # As on a machine where nobody asked for it: the bridge's own switch is enough.
        self.machine.sysctl("net/bridge/bridge-nf-call-iptables", 0)
        self.machine.sysctl("net/bridge/bridge-nf-call-ip6tables", 0)

    def close(self) -> None:
        self._stack.close()

    def space(self) -> Space:
        self._count += 1
        made = Space(f"t{os.getpid()}-{self._count}")
        self._stack.callback(made.close)
        return made

    def bridge(self, name: str, gateway: str) -> None:
        inside = ("-n", self.machine.name)
        ip(*inside, "link", "add", name, "type", "bridge")
        ip(*inside, "addr", "add", f"{gateway}/16", "dev", name)
        ip(*inside, "addr", "add", f"fd00::{gateway.split('.')[1]}:1/64", "nodad", "dev", name)
        ip(*inside, "link", "set", name, "up")
        self._gateways[name] = gateway

    def host(self, bridge: str, address: str) -> Space:
        made = self.space()
        port = f"p{self._count}"
        self._wire(self.machine, port, made)
        ip("-n", self.machine.name, "link", "set", port, "master", bridge)
        ip("-n", made.name, "addr", "add", f"{address}/16", "dev", "eth0")
        ip("-n", made.name, "route", "add", "default", "via", self._gateways[bridge])
        return made

    def _wire(self, one: Space, name: str, other: Space) -> None:
        peer = ("peer", "name", "eth0", "netns", other.name)
        ip("-n", one.name, "link", "add", name, "type", "veth", *peer)
        ip("-n", one.name, "link", "set", name, "up")
        ip("-n", other.name, "link", "set", "eth0", "up")


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
