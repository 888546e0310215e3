"""DNS for hosts, as the Route 53 Resolver of a VPC answers.

What the VPC itself knows is answered here (see `dns_answers`); every other question goes, byte for
byte, to the name servers of this machine.
"""

import logging
import math
import socket
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sandbox.hosts.dns_answers import Look, find, look
from sandbox.hosts.dns_messages import (
    REFUSED,
    SERVFAIL,
    Found,
    MalformedError,
    build,
    parse,
    read_tcp,
)

_LOG: Final = logging.getLogger(__name__)

# Seconds that a name server of this machine has, of which there may be several.
FORWARD_SECONDS: Final = 2.0
# One that lets them pass is not asked for so long, unless it answered so shortly before: it may be
# that one name which takes it long.
SILENT_SECONDS: Final = 10.0
_PORT: Final = 53
_LONGEST: Final = 65_535


def nameservers(path: Path = Path("/etc/resolv.conf")) -> list[str]:
    """Return the name servers of this machine."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return []
    words = [line.split() for line in lines]
    return [row[1] for row in words if len(row) > 1 and row[0] == "nameserver"]


class Resolver:
    """Answers whoever is an instance."""

    def __init__(
        self,
        look: Look = look,
        servers: Callable[[], Sequence[str]] = nameservers,
        *,
        port: int = _PORT,
        seconds: float = FORWARD_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a resolver.

        Args:
            look: Returns the network of an address.
            servers: Returns the addresses of name servers to ask for everything else.
            port: Where those listen.
            seconds: How long each of them has.
            clock: Seconds, for how long one was silent.
        """
        self._look = look
        self._servers = servers
        self._port = port
        self._seconds = seconds
        self._clock = clock
        # By name server and whether by TCP: when it answered last, and until when it is not asked.
        self._answered: dict[tuple[str, bool], float] = {}
        self._silent: dict[tuple[str, bool], float] = {}

    def answer(self, query: bytes, address: str, *, tcp: bool = False) -> bytes | None:
        """Answer a query.

        Args:
            query: The message, without the length that TCP puts before it.
            address: Where it came from.
            tcp: Whether it came by TCP, and is forwarded so.

        Returns:
            The answer; None for what is no query, which is not answered.
        """
        try:
            question = parse(query)
        except MalformedError:
            return None
        network = self._look(address)
        if network is None:
            return build(question, Found(REFUSED), tcp=True)
        found = find(question, network)
        if found is not None:
            return build(question, found, tcp=tcp)
        return self._forward(query, tcp=tcp) or build(question, Found(SERVFAIL), tcp=tcp)

    def _forward(self, query: bytes, *, tcp: bool) -> bytes | None:
        for server in self._servers():
            way = (server, tcp)
            if self._clock() < self._silent.get(way, -math.inf):
                continue
            try:
                answer = self._by_tcp(query, server) if tcp else self._by_udp(query, server)
            except (OSError, ValueError) as error:
                _LOG.info("the name server %s does not answer: %s", server, error)
                # One that refuses costs no time.
                if isinstance(error, TimeoutError):
                    self._note_silence(way)
                continue
            self._answered[way] = self._clock()
            if answer[:2] == query[:2]:
                return answer
        return None

    def _note_silence(self, way: tuple[str, bool]) -> None:
        now = self._clock()
        if now - self._answered.get(way, -math.inf) > SILENT_SECONDS:
            self._silent[way] = now + SILENT_SECONDS

    def _by_udp(self, query: bytes, server: str) -> bytes:
        with socket.socket(_family(server), socket.SOCK_DGRAM) as sock:
            sock.settimeout(self._seconds)
            # Connected: the kernel drops what comes from anybody else.
            sock.connect((server, self._port))
            sock.send(query)
            return sock.recv(_LONGEST)

    def _by_tcp(self, query: bytes, server: str) -> bytes:
        with socket.create_connection((server, self._port), timeout=self._seconds) as sock:
            sock.sendall(struct.pack(">H", len(query)) + query)
            return read_tcp(sock.recv)


def _family(server: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in server else socket.AF_INET
