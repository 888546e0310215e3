"""What AWS's session-manager-plugin does for a port, for hosts on this machine.

It takes the same six arguments, prints the same lines (errors on standard output too, with exit
code 0), and ends its session on SIGINT only. But it asks no agent in the host: it connects inside
of the host's network namespace, which the security groups do not see either, as on AWS.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import sys
import threading
import urllib.request
from typing import Any, Final

from sandbox.aws.server.starter import ServerError, request

VERSION: Final = "1.2.707.0"
LOOPBACK: Final = "127.0.0.1"
# Of AWS's CLI: the first argument names this variable, which holds the answer to StartSession.
RESPONSE: Final = "AWS_SSM_START_SESSION_RESPONSE"
CONNECT_SECONDS: Final = 10.0
_CLONE_NEWNET: Final = 0x40000000
_PIECE: Final = 65536


class SessionError(Exception):
    """A session that cannot be; the message says why."""


class Target:
    """A host, as long as it runs.

    Attributes:
        end: A file descriptor that can be read once the host has ended.
    """

    def __init__(self, instance: str, endpoint: str) -> None:
        """Find a host.

        Args:
            instance: Its id.
            endpoint: The rehearsal's AWS.

        Raises:
            SessionError: It does not run, or is out of reach.
        """
        try:
            known = request(endpoint, "GET", "/_sandbox/hosts")["hosts"]
        except ServerError as error:
            raise SessionError(str(error)) from error
        pid = next((each["pid"] for each in known if each["instance"] == instance), None)
        if not pid:
            raise SessionError(f"{instance} is not connected.")
        try:
            self.end = os.pidfd_open(pid)
            self._namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        except PermissionError as error:
            raise SessionError(f"only root reaches into {instance}: {error}") from error
        except OSError as error:
            raise SessionError(f"{instance} is not connected: {error}") from error

    def connect(self, port: int) -> socket.socket:
        """Connect to a port of the host's loopback; this thread stays in the host's network.

        Raises:
            OSError: Nobody listens there, or it is not for this user.
        """
        _enter(self._namespace)
        return socket.create_connection((LOOPBACK, port), CONNECT_SECONDS)


def main() -> int:
    """Forward a port until SIGINT or the end of the host.

    Returns:
        The exit code: 0, as AWS's plugin has it, but for wrong arguments.
    """
    if sys.argv[1:] == ["--version"]:
        _say(VERSION)
        return 0
    if len(sys.argv) != 7:  # noqa: PLR2004
        _say("this plugin is started by a command that has asked for a session")
        return 2
    response, region, _operation, _profile, asked, endpoint = sys.argv[1:]
    # Also where a shell without job control has told its children to ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    by_name = response.startswith(RESPONSE)
    session = json.loads(os.environ.pop(response) if by_name else response)["SessionId"]
    try:
        _say(f"\nStarting session with SessionId: {session}")
        _forward(session, json.loads(asked), endpoint)
    except SessionError as error:
        _say(f"Cannot perform start session: {error}")
    except KeyboardInterrupt:
        _say("Terminate signal received, exiting.")
    _terminate(session, region, endpoint)
    _say(f"\n\nExiting session with sessionId: {session}.\n")
    # Threads of open connections are not waited for.
    os._exit(0)


def _forward(session: str, asked: dict[str, Any], endpoint: str) -> None:
    ports = asked["Parameters"]
    remote, local = int(ports["portNumber"][0]), int(ports.get("localPortNumber", ["0"])[0])
    target = Target(asked["Target"], endpoint)
    address = (os.environ.get("SSM_PLUGIN_LOCAL_HOST", LOOPBACK), local)
    try:
        listening = socket.create_server(address)
    except OSError as error:
        raise SessionError(f"Unable to listen on {address[0]}:{local}: {error}") from error
    with listening:
        _say(f"Port {listening.getsockname()[1]} opened for sessionId {session}.")
        _say("Waiting for connections...")
        waited: list[Any] = [listening, target.end]
        while True:
            if target.end in select.select(waited, [], [])[0]:
                return
            near, _ = listening.accept()
            threading.Thread(target=_relay, args=(near, target, remote), daemon=True).start()


def _relay(near: socket.socket, target: Target, port: int) -> None:
    """Carry one connection, in both directions, to its end."""
    with near:
        try:
            far = target.connect(port)
        except OSError as error:
            _say(f"Connection to destination port failed, check SSM Agent logs. ({error})")
            return
        with far:
            far.settimeout(None)
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_PIECE):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _enter(namespace: int) -> None:
    """Bring this thread, and no other one, into a network namespace."""
    # os.setns comes with Python 3.12.
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(namespace, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _terminate(session: str, region: str, endpoint: str) -> None:
    """End the session; an AWS that is gone has ended it."""
    scope = f"rehearsal/20260101/{region}/ssm/aws4_request"
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "AmazonSSM.TerminateSession",
        # Nobody looks at the signature; service and region are read here.
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
    }
    body = json.dumps({"SessionId": session}).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError):
        opener.open(urllib.request.Request(endpoint, body, headers), timeout=2.0).close()  # noqa: S310


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
