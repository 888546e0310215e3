"""XML-RPC to a supervisord over the socket in a cluster's folder."""

from __future__ import annotations

import socket
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from xmlrpc.client import ServerProxy, Transport

if TYPE_CHECKING:
    from pathlib import Path

SOCKET = "supervisor.sock"
ANSWER_SECONDS = 10  # a supervisor that is stopped or swapped out must not hang its caller


def connect(folder: Path) -> ServerProxy:
    """Return the supervisor of the cluster in ``folder``; nothing is sent before the first call."""
    return ServerProxy("http://localhost", transport=_SocketTransport(folder / SOCKET))


class _SocketConnection(HTTPConnection):
    """HTTP over a unix socket, with a timeout, which supervisor's own transport lacks."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_SECONDS)
        self.sock.connect(str(self._path))


class _SocketTransport(Transport):
    """XML-RPC to a unix socket, whatever the address says."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: tuple[str, dict[str, str]] | str) -> HTTPConnection:
        connection = self._connection[1] or _SocketConnection(self._path)
        self._connection = host, connection
        return connection
