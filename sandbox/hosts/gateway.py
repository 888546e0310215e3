"""The three services of a VPC's hosts: metadata, DNS, and the AWS API.

They listen on the gateway's address of the VPC's bridge, for what comes in there. This machine
reaches that address as well, but nobody is answered who is not an instance.
"""

import http.server
import logging
import socket
import socketserver
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from sandbox.hosts.aws_api import Application, HostsApplication
from sandbox.hosts.dns_answers import look
from sandbox.hosts.dns_messages import read_tcp
from sandbox.hosts.errors import HostsError
from sandbox.hosts.metadata import Metadata, Reply
from sandbox.hosts.names import AWS_PORT, DNS_PORT, IMDS_PORT
from sandbox.hosts.resolver import Resolver

_LOG: Final = logging.getLogger(__name__)

# Seconds that a connection may say nothing; threads wait for it.
_IDLE_SECONDS: Final = 10.0
_USUAL_HOPS: Final = 64
_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True)
class Ports:
    """Where the three listen; 0 for a free one, which `Gateway.ports` then says."""

    metadata: int = IMDS_PORT
    dns: int = DNS_PORT
    api: int = AWS_PORT


class Gateway:
    """The services of one bridge, each in threads of its own.

    Attributes:
        ports: Where they listen, once they are started.
    """

    def __init__(
        self,
        bridge: str,
        address: str,
        application: Application,
        *,
        metadata: Metadata,
        resolver: Resolver | None = None,
        vpc: str = "",
        ports: Ports | None = None,
    ) -> None:
        """Prepare the services.

        Args:
            bridge: The network interface; empty for none, which needs no root.
            address: The gateway's address on it.
            application: The AWS.
            metadata: Answers hosts about themselves.
            resolver: Answers questions of DNS; by default for this VPC.
            vpc: The bridge's VPC; empty for whichever has an asker's address.
            ports: Where they are to listen.
        """
        self.ports = ports or Ports()
        self._bridge = bridge
        self._address = address
        self._metadata = metadata
        self._vpc = vpc
        self._resolver = resolver or Resolver(lambda asker: look(asker, vpc))
        self._api = HostsApplication(application, vpc=vpc)
        self._servers: list[socketserver.BaseServer] = []
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Answer from now on.

        Raises:
            HostsError: The address or a port of it is not to be had.
        """
        try:
            self._open()
        except OSError as error:
            self.stop()
            where = f"{self._address} of the bridge {self._bridge or '(none)'}"
            raise HostsError(f"The services of hosts cannot listen on {where}: {error}") from error
        for server in self._servers:
            name = f"{type(server).__name__} {self._bridge}"
            thread = threading.Thread(
                target=server.serve_forever, args=(_POLL_SECONDS,), name=name, daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Answer no more."""
        for server in self._servers:
            if self._threads:
                server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()
        self._servers.clear()
        self._threads.clear()

    def _open(self) -> None:
        metadata = _MetadataServer(self._bind(self.ports.metadata), self._metadata, self._vpc)
        self._servers.append(metadata)
        # TCP first: a free port of TCP is rarely taken of UDP.
        by_tcp = _TcpDns(self._bind(self.ports.dns), self._resolver)
        self._servers.append(by_tcp)
        dns = int(by_tcp.server_address[1])
        self._servers.append(_UdpDns(self._bind(dns, udp=True), self._resolver))
        with self._bind(self.ports.api) as sock:
            # It makes a socket of its own of the descriptor.
            api = make_server(
                self._address,
                self.ports.api,
                self._api,
                threaded=True,
                request_handler=_ApiHandler,
                fd=sock.fileno(),
            )
        self._servers.append(api)
        self.ports = Ports(int(metadata.server_address[1]), dns, api.port)

    def _bind(self, port: int, *, udp: bool = False) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        try:
            if not udp:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self._bridge:
                name = self._bridge.encode() + b"\0"
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
            sock.bind((self._address, port))
            if not udp:
                sock.listen(128)
        except OSError:
            sock.close()
            raise
        return sock


class _ApiHandler(MotoRequestHandler):
    timeout = 60  # seconds that a connection may say nothing


class _Threads(socketserver.ThreadingMixIn):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Log what a thread failed at, and go on."""
        _LOG.exception("%s: a request of %s failed", type(self).__name__, client_address)


class _TcpServer(_Threads, socketserver.TCPServer):
    def __init__(
        self, sock: socket.socket, handler: type[socketserver.StreamRequestHandler]
    ) -> None:
        super().__init__(sock.getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = sock
        self.server_address = sock.getsockname()


class _MetadataServer(_TcpServer):
    def __init__(self, sock: socket.socket, metadata: Metadata, vpc: str) -> None:
        super().__init__(sock, _MetadataHandler)
        self.metadata, self.vpc = metadata, vpc


class _MetadataHandler(http.server.BaseHTTPRequestHandler):
    server: _MetadataServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "EC2ws", ""
    timeout = _IDLE_SECONDS

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.metadata.answer(
            self.command, self.path, headers, self.client_address[0], self.server.vpc
        )
        self._send(reply)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815  (http.server's names)

    def _send(self, reply: Reply) -> None:
        hops = reply.hops or _USUAL_HOPS
        self.connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
        self.send_response(reply.status)
        # One request a connection: a client that has done leaves no thread behind.
        headers = [
            ("Content-Type", reply.kind),
            ("Content-Length", str(len(reply.body))),
            ("Connection", "close"),
            *reply.headers,
        ]
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its name there)
        """Log nothing: hosts ask every few seconds."""


class _TcpDns(_TcpServer):
    def __init__(self, sock: socket.socket, resolver: Resolver) -> None:
        super().__init__(sock, _TcpDnsHandler)
        self.resolver = resolver


class _TcpDnsHandler(socketserver.StreamRequestHandler):
    server: _TcpDns
    timeout = _IDLE_SECONDS

    def handle(self) -> None:
        """Answer queries until the client has no more."""
        # It ended the connection, or was silent for too long.
        with suppress(OSError, ValueError):
            while True:
                query = read_tcp(self.rfile.read)
                answer = self.server.resolver.answer(query, self.client_address[0], tcp=True)
                if answer is None:
                    return
                self.wfile.write(struct.pack(">H", len(answer)) + answer)


class _UdpDns(_Threads, socketserver.UDPServer):
    max_packet_size = 65_535

    def __init__(self, sock: socket.socket, resolver: Resolver) -> None:
        super().__init__(sock.getsockname(), _UdpDnsHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = sock
        self.server_address = sock.getsockname()
        self.resolver = resolver


class _UdpDnsHandler(socketserver.BaseRequestHandler):
    server: _UdpDns

    def handle(self) -> None:
        """Answer one query."""
        query, sock = self.request
        answer = self.server.resolver.answer(query, self.client_address[0])
        if answer is not None:
            # The host may be gone by now.
            with suppress(OSError):
                sock.sendto(answer, self.client_address)
