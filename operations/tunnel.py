"""Ports of a machine on AWS as ports of this one, through Session Manager: none is open to others.

The way of ``aws ssm start-session``: a session is asked for by an API call, and the program
session-manager-plugin carries the bytes. No AWS CLI is needed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from operations import carrier
from operations.aws import calling
from operations.carrier import LOOPBACK, Carrier
from operations.stacks import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from operations.aws import Clients

PLUGIN = "session-manager-plugin"
INSTALL = (
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "session-manager-working-with-install-plugin.html"
)
DOCUMENT = "AWS-StartPortForwardingSession"
# A variable and not an argument, which every user of the machine could read; AWS's CLI does so
# from the first version after this one (awscli/customizations/sessionmanager.py).
RESPONSE = "AWS_SSM_START_SESSION_RESPONSE"
LAST_WITHOUT_RESPONSE = (1, 2, 497, 0)


class Forward(Carrier):
    """A port of a machine on a free port of this one.

    Attributes:
        remote: The port there.
        local: The port here.
    """

    program = PLUGIN
    # An idle session ends after 20 minutes.
    again_seconds = 15.0

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
        super().__init__(folder / f"port-{remote}.log")
        self.remote = remote
        self.local = local
        self._machine = machine
        self._ssm: Any = clients.client("ssm")
        self._session = ""

    @property
    def here(self) -> str:
        """Where it listens, for people."""
        return f"port {self.local}"

    @property
    def there(self) -> str:
        """What it leads to, for people."""
        return f"port {self.remote} of the cluster"

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
        self._start([program, *words, meta.endpoint_url], variables)

    def listens(self) -> bool:
        """Whether it says so."""
        # A connection would be the surer sign, but Dask's scheduler logs one that says nothing.
        return f"Port {self.local} opened" in self.said()

    def _closed(self, code: int) -> None:
        # It ends its session by itself on the signal that it got, and on no other.
        if code != 0:
            self._terminate()

    def _terminate(self) -> None:
        try:
            with calling(f"ending session {self._session}"):
                self._ssm.terminate_session(SessionId=self._session)
        except CommandError as error:
            sys.stderr.write(f"{error}. It ends by itself when it has been idle.\n")


def opened(
    ports: Sequence[int], *, machine: Callable[[], str], clients: Clients, folder: Path
) -> AbstractContextManager[Sequence[Forward]]:
    """Open ports of a machine, and close them in the end.

    Args:
        ports: The ports there.
        machine: Says which machine it is.
        clients: Where clients of AWS's services come from.
        folder: A private folder.

    Raises:
        CommandError: One cannot be opened.
    """
    pairs = zip(ports, carrier.free_ports(len(ports)), strict=True)
    return carrier.opened(
        [
            Forward(remote, local, machine=machine, clients=clients, folder=folder)
            for remote, local in pairs
        ]
    )


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
