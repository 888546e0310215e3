"""The stand-in of session-manager-plugin: a port of this machine is one inside of a host."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.hosts.session import RESPONSE
from tests.operations.hosts_table import HostsTable, host

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="it enters a network namespace: as root")

PLUGIN = Path(__file__).resolve().parents[2] / "sandbox" / "hosts" / "plugins"
SESSION = "rehearsal-abc"
INSTANCE = "i-0123456789abcdef0"
# Answers with the same in capitals, and then with its end.
ECHO = """
import socket, threading
server = socket.create_server(("127.0.0.1", 8786))
print("ready", flush=True)
def serve(near):
    with near:
        while data := near.recv(65536):
            near.sendall(data.upper())
        near.sendall(b"end")
while True:
    threading.Thread(target=serve, args=(server.accept()[0],)).start()
"""


@dataclass
class Plugin:
    """One that runs, beside the table that it asks."""

    table: HostsTable
    local: int = field(default_factory=lambda: free_port())  # noqa: PLW0108  (defined below)
    process: subprocess.Popen[str] | None = None

    def start(self, *, port: int = 8786, by_name: bool = True) -> None:
        response = json.dumps({"SessionId": SESSION, "TokenValue": "t", "StreamUrl": "wss://x"})
        ports = {"portNumber": [str(port)], "localPortNumber": [str(self.local)]}
        asked = json.dumps({"Target": INSTANCE, "Parameters": ports})
        words = [RESPONSE if by_name else response, "us-east-2", "StartSession", "", asked]
        self.process = subprocess.Popen(
            [PLUGIN / "session-manager-plugin", *words, self.table.endpoint],
            env={**os.environ, RESPONSE: response} if by_name else None,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def line(self) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        while not (line := self.process.stdout.readline()).strip():
            assert line, "it has ended"
        return line.strip()

    def opened(self) -> None:
        assert self.line() == f"Starting session with SessionId: {SESSION}"
        assert self.line() == f"Port {self.local} opened for sessionId {SESSION}."
        assert self.line() == "Waiting for connections..."

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.local), 10)

    def rest(self) -> str:
        assert self.process is not None
        said, _ = self.process.communicate(timeout=20)
        assert self.process.returncode == 0
        return said


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


@pytest.fixture
def inside() -> Iterator[subprocess.Popen[str]]:
    """A process in a network of its own, where it listens on loopback."""
    script = f"ip link set lo up && exec \"{sys.executable}\" -c '{ECHO}'"
    command = ["unshare", "--net", "sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@pytest.fixture
def table(inside: subprocess.Popen[str]) -> Iterator[HostsTable]:
    with HostsTable() as serving:
        serving.hosts = [host("i-1", pid=os.getpid()), host(INSTANCE, pid=inside.pid, state="up")]
        yield serving


@pytest.fixture
def plugin(table: HostsTable) -> Iterator[Plugin]:
    made = Plugin(table)
    yield made
    if made.process is not None:
        made.process.kill()
        made.process.communicate()


def talk(near: socket.socket, line: bytes) -> bytes:
    near.sendall(line)
    return near.recv(65536)


@pytest.mark.parametrize("by_name", [True, False])
def test_a_port_inside(plugin: Plugin, *, by_name: bool) -> None:
    plugin.start(by_name=by_name)
    plugin.opened()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 8786), 1)
    with plugin.connect() as one, plugin.connect() as other:
        assert talk(one, b"a\n") == b"A\n"
        assert talk(other, b"b\n") == b"B\n"
        one.shutdown(socket.SHUT_WR)
        assert one.recv(10) == b"end"
        assert one.recv(10) == b""
        assert talk(other, b"c\n") == b"C\n"
    assert plugin.process is not None
    plugin.process.send_signal(signal.SIGINT)
    said = plugin.rest()
    assert said.startswith("Terminate signal received, exiting.\n")
    assert f"Exiting session with sessionId: {SESSION}." in said
    assert plugin.table.ended == [SESSION]


def test_ten_megabytes(plugin: Plugin) -> None:
    plugin.start()
    plugin.opened()
    line = b"x" * 9_999_999 + b"\n"
    with plugin.connect() as near:
        near.settimeout(30)
        writing = threading.Thread(target=near.sendall, args=(line,))
        writing.start()
        got = bytearray()
        while len(got) < len(line):
            got += near.recv(65536)
        writing.join()
        assert got == line.upper()


def test_nobody_listens_inside(plugin: Plugin) -> None:
    plugin.start(port=8787)
    plugin.opened()
    with plugin.connect() as near:
        assert near.recv(10) == b""
    assert plugin.line().startswith("Connection to destination port failed")


def test_it_ends_with_its_host(plugin: Plugin, inside: subprocess.Popen[str]) -> None:
    plugin.start()
    plugin.opened()
    with plugin.connect() as near:
        assert talk(near, b"a\n") == b"A\n"
        inside.kill()
        assert f"Exiting session with sessionId: {SESSION}." in plugin.rest()
        assert near.recv(10) == b""


def test_only_sigint_ends_the_session(plugin: Plugin) -> None:
    plugin.start()
    plugin.opened()
    assert plugin.process is not None
    plugin.process.kill()
    plugin.process.wait()
    time.sleep(0.1)
    assert plugin.table.ended == []


@pytest.mark.parametrize("known", [[], [host(INSTANCE, state="starting")]])
def test_no_such_host(plugin: Plugin, known: list[dict[str, object]]) -> None:
    plugin.table.hosts = known
    plugin.start()
    assert f"Cannot perform start session: {INSTANCE} is not connected." in plugin.rest()


def test_its_version() -> None:
    words = [str(PLUGIN / "session-manager-plugin"), "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert tuple(map(int, done.stdout.strip().split("."))) > (1, 2, 497, 0)
