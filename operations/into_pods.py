"""The way to a cluster on Kubernetes: a port forwarding, and the Secret with the certificate."""

from __future__ import annotations

import base64
import contextlib
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from components.settings import ports
from operations import kubeconfig, port_forward
from operations.child import BY_SIGNAL, Signals
from operations.kube import Api
from operations.remote import Reached
from operations.stacks import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from operations.clusters import Cluster

JUPYTER_PORT = 8888
LOOK_SECONDS = 1.0


class Way:
    """The way to one cluster.

    Attributes:
        scheme: Of the dashboard.
    """

    scheme = "http"

    def __init__(self, cluster: Cluster, api: Api) -> None:
        """Name it; nothing is opened yet.

        Raises:
            CommandError: There is no kubectl.
        """
        kubeconfig.find_kubectl()
        self._outputs = cluster.outputs
        self._api = api

    def certificate(self) -> Mapping[str, str]:
        """Return the client's certificate, as the cluster's Secret has it.

        Raises:
            CommandError: Kubernetes refused.
        """
        found = _secret(self._api, self._outputs, self._outputs["client_secret"])
        return {name.removesuffix(".pem"): text for name, text in found.items()}

    @contextlib.contextmanager
    def reach(self, folder: Path) -> Iterator[Reached]:
        """Open the scheduler's ports, and close them in the end.

        Raises:
            CommandError: They cannot be opened.
        """
        both = [ports.SCHEDULER, ports.DASHBOARD]
        service = self._outputs["groups"]["scheduler"]
        namespace = self._outputs["namespace"]
        with port_forward.opened(self._api.context, namespace, service, both, folder=folder) as (
            forward,
        ):
            scheduler, dashboard = forward.local
            yield Reached(scheduler, dashboard, forward.keep)


def jupyter(cluster: Cluster) -> None:
    """Open the JupyterLab of a cluster, print its address, and stay until Ctrl-C.

    Raises:
        CommandError: It has none, or it cannot be opened.
    """
    outputs, name = cluster.outputs, cluster.name
    service = outputs.get("jupyter")
    if service is None:
        raise CommandError(
            f"cluster `{name}` has no JupyterLab. Write `jupyter: {{}}` into its stack file, and "
            f"then: {cluster.typed.up}"
        )
    kubeconfig.find_kubectl()
    api = Api(outputs["context"])
    token = _secret(api, outputs, service)["token"]
    with (
        _until_told(),
        tempfile.TemporaryDirectory(prefix="dask-cluster-") as folder,
        port_forward.opened(
            api.context, outputs["namespace"], service, [JUPYTER_PORT], folder=Path(folder)
        ) as (forward,),
    ):
        address = f"http://127.0.0.1:{forward.local[0]}/lab?token={token}"
        sys.stdout.write(f"JupyterLab: {address}\nIt stays open until Ctrl-C.\n")
        sys.stdout.flush()
        while True:
            time.sleep(LOOK_SECONDS)
            forward.keep()


@contextlib.contextmanager
def _until_told() -> Iterator[None]:
    """Take a signal for the end, and Ctrl-C for a good one."""
    with Signals():
        try:
            yield
        except SystemExit as told:
            if told.code != BY_SIGNAL + signal.SIGINT:
                raise


def _secret(api: Api, outputs: Mapping[str, object], name: str) -> dict[str, str]:
    path = f"/api/v1/namespaces/{outputs['namespace']}/secrets/{name}"
    found = api.get(f"reading the Secret {name}", path)
    return {key: base64.b64decode(text).decode() for key, text in found["data"].items()}
