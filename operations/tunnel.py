"""Ports of a machine on AWS as ports of this one, through Session Manager: none is open to others.

The way of ``aws ssm start-session``: a session is asked for by an API call, and the program
session-manager-plugin carries the bytes. No AWS CLI is needed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from operations.aws import calling
from operations.stacks import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from operations.aws import Clients

PLUGIN = "session-manager-plugin"
INSTALL = (
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "session-manager-working-with-install-plugin.html"
)
DOCUMENT = "AWS-StartPortForwardingSession"
LOOPBACK = "127.0.0.1"
OPEN_SECONDS = 30.0
CLOSE_SECONDS = 5.0
AGAIN_SECONDS = 15.0
# A variable and not an argument, which every user of the machine could read; AWS's CLI does so
# from the first version after this one (awscli/customizations/sessionmanager.py).
RESPONSE = "AWS_SSM_START_SESSION_RESPONSE"
LAST_WITHOUT_RESPONSE = (1, 2, 497, 0)


class Forward:
    """A port of a machine on a free port of this one.

    Attributes:
        local: The port here.
    """

    def __init__(
        self,
        remote: int,
        local: int,
        *,
        machine: Callable[[], str],
        clients: Clients,
        folder: Path,
    ) -> None:
        """Prepare it.

        Args:
            remote: The port there.
            local: The port here; nobody listens on it.
            machine: Says which machine it is: another one after a while, if it was replaced.
            clients: Where the client of Systems Manager comes from.
            folder: For what the plugin prints.
        """
        self.remote = remote
        self.local = local
        self._machine = machine
        self._ssm: Any = clients.client("ssm")
        self._log = folder / f"port-{remote}.log"
        self._plugin: subprocess.Popen[bytes] | None = None
        self._session = ""
        self._told: float | None = None
        self._again = 0.0

    def open(self) -> None:
        """Start it; it does not listen yet.

        Raises:
            CommandError: There is no plugin, no such machine, or AWS refused.
        """
        program = find_plugin()
        request = {
            "Target": self._machine(),
            "DocumentName": DOCUMENT,
            "Parameters": {
                "portNumber": [str(self.remote)],
                "localPortNumber": [str(self.local)],
            },
        }
        with calling(f"opening a session to port {self.remote} of {request['Target']}"):
            found = self._ssm.start_session(**request)
        self._session = found["SessionId"]
        response = json.dumps({key: found[key] for key in ("SessionId", "TokenValue", "StreamUrl")})
        # By its name or by the default one, loopback is where it listens.
        variables = dict(os.environ) | {"SSM_PLUGIN_LOCAL_HOST": LOOPBACK}
        if _takes_variable(program):
            variables[RESPONSE], response = response, RESPONSE
        profile = os.environ.get("AWS_PROFILE", "")
        meta = self._ssm.meta
        words = [response, meta.region_name, "StartSession", profile, json.dumps(request)]
        with self._log.open("wb") as log:
            self._plugin = subprocess.Popen(
                [program, *words, meta.endpoint_url],
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the command and must not cut it off.
                start_new_session=True,
            )

    def wait(self) -> None:
        """Return when it listens.

        Raises:
            CommandError: The plugin ended, or does not listen in time; with what it said.
        """
        limit = time.monotonic() + OPEN_SECONDS
        # A connection would be the surer sign, but Dask's scheduler logs one that says nothing.
        while f"Port {self.local} opened" not in self.said():
            if self.ended:
                raise CommandError(f"{PLUGIN} has ended. It said: {self.said()}")
            if time.monotonic() > limit:
                raise CommandError(
                    f"{PLUGIN} does not listen on port {self.local} after {OPEN_SECONDS:g} s. "
                    f"It said: {self.said()}"
                )
            time.sleep(0.05)

    @property
    def ended(self) -> bool:
        """Whether the plugin has ended."""
        return self._plugin is None or self._plugin.poll() is not None

    def said(self) -> str:
        """Return what the plugin has printed; errors are on its standard output too."""
        return self._log.read_text(errors="replace").strip() if self._log.exists() else ""

    def keep(self) -> None:
        """Open it again where it has ended, as an idle session does after 20 minutes."""
        if not self.ended or time.monotonic() < self._again:
            return
        self._again = time.monotonic() + AGAIN_SECONDS
        try:
            self.open()
        except CommandError as error:
            sys.stderr.write(f"port {self.remote} of the cluster is out of reach: {error}\n")

    def interrupt(self) -> None:
        """Tell the plugin to end."""
        if self._plugin is not None and self._told is None:
            # It ends its session by itself on this signal, and on no other.
            self._plugin.send_signal(signal.SIGINT)
            self._told = time.monotonic()

    def close(self) -> None:
        """Return when the plugin and its session have ended."""
        self.interrupt()
        if self._plugin is None or self._told is None:
            return
        try:
            code = self._plugin.wait(max(0, self._told + CLOSE_SECONDS - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._plugin.kill()
            code = self._plugin.wait()
        self._plugin = None
        if code != 0:
            self._terminate()

    def _terminate(self) -> None:
        try:
            with calling(f"ending session {self._session}"):
                self._ssm.terminate_session(SessionId=self._session)
        except CommandError as error:
            sys.stderr.write(f"{error}. It ends by itself when it has been idle.\n")


@contextlib.contextmanager
def opened(
    ports: Sequence[int], *, machine: Callable[[], str], clients: Clients, folder: Path
) -> Iterator[list[Forward]]:
    """Open ports of a machine, and close them in the end.

    Args:
        ports: The ports there.
        machine: Says which machine it is.
        clients: Where clients of AWS's services come from.
        folder: A private folder.

    Raises:
        CommandError: One cannot be opened.
    """
    with contextlib.ExitStack() as closing:
        forwards = []
        for remote, local in zip(ports, _free_ports(len(ports)), strict=True):
            forward = Forward(remote, local, machine=machine, clients=clients, folder=folder)
            forwards.append(forward)
            closing.callback(forward.close)
        for forward in forwards:
            closing.callback(forward.interrupt)  # all at once, before the first is waited for
        for forward in forwards:
            forward.open()
        for forward in forwards:
            forward.wait()
        yield forwards


def find_plugin() -> str:
    """Return the plugin's path.

    Raises:
        CommandError: There is none.
    """
    found = shutil.which(PLUGIN)
    if found is None:
        raise CommandError(
            f"there is no `{PLUGIN}` on PATH: AWS's program that reaches a machine without an open "
            f"port. Install it: {INSTALL}"
        )
    return found


def _takes_variable(program: str) -> bool:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    parts = done.stdout.strip().split(".")
    known = all(part.isdecimal() for part in parts)
    return known and tuple(map(int, parts)) > LAST_WITHOUT_RESPONSE


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, all different."""
    with contextlib.ExitStack() as closing:
        held = [closing.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in held]
