"""The way to a cluster on AWS through Session Manager, which needs no open port."""

from __future__ import annotations

import contextlib
import json
from functools import partial
from typing import TYPE_CHECKING

from components.settings import ports
from operations import machines, tunnel
from operations.aws import calling
from operations.remote import Reached

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from operations.aws import Clients
    from operations.clusters import Cluster


class Way:
    """The way to one cluster.

    Attributes:
        scheme: Of the dashboard.
    """

    def __init__(self, cluster: Cluster, clients: Clients, *, dashboard_tls: bool) -> None:
        """Name it; nothing is opened yet.

        Args:
            cluster: The cluster.
            clients: Where clients of AWS's services come from.
            dashboard_tls: Whether its dashboard is reached by https.

        Raises:
            CommandError: The plugin is missing.
        """
        tunnel.find_plugin()
        self.scheme = "https" if dashboard_tls else "http"
        self._cluster = cluster
        self._clients = clients

    def certificate(self) -> Mapping[str, str]:
        """Return the client's certificate, as the cluster's secret has it.

        Raises:
            CommandError: AWS refused.
        """
        secrets = self._clients.client("secretsmanager")
        with calling("reading the client's certificate"):
            found = secrets.get_secret_value(SecretId=self._cluster.outputs["client_secret"])
        parts: dict[str, str] = json.loads(found["SecretString"])
        return parts

    @contextlib.contextmanager
    def reach(self, folder: Path) -> Iterator[Reached]:
        """Open the scheduler's ports, and close them in the end.

        Raises:
            CommandError: No scheduler is in service, or a session cannot be opened.
        """
        outputs, status = self._cluster.outputs, self._cluster.typed.status
        machine = partial(machines.scheduler_machine, outputs, self._clients, status)
        both = [ports.SCHEDULER, ports.DASHBOARD]
        with tunnel.opened(both, machine=machine, clients=self._clients, folder=folder) as forwards:

            def keep() -> None:
                for forward in forwards:
                    forward.keep()

            scheduler, dashboard = (forward.local for forward in forwards)
            yield Reached(scheduler, dashboard, keep)
