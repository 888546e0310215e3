"""Ports of a Service as ports of this machine, by ``kubectl``: none is open to others."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from operations import carrier, kubeconfig
from operations.carrier import LOOPBACK, Carrier

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path


class PortForward(Carrier):
    """Ports of the pod behind a Service, on free ports of this machine.

    Attributes:
        local: The ports here.
    """

    program = "kubectl port-forward"
    # It ends with its pod, and the next one may be there in a moment.
    again_seconds = 2.0

    def __init__(
        self, context: str, namespace: str, service: str, ports: Sequence[int], *, folder: Path
    ) -> None:
        """Prepare it.

        Args:
            context: The context of the kubeconfig.
            namespace: Where the Service is.
            service: The Service.
            ports: Its ports.
            folder: For what kubectl prints.
        """
        super().__init__(folder / f"{service}.log")
        self._service = service
        self.local = carrier.free_ports(len(ports))
        self._words = ["--context", context, "--namespace", namespace, "port-forward"]
        self._words += ["--address", LOOPBACK, f"service/{service}"]
        self._words += [f"{here}:{there}" for here, there in zip(self.local, ports, strict=True)]

    @property
    def here(self) -> str:
        """Where it listens, for people."""
        return f"port {self.local[-1]}"

    @property
    def there(self) -> str:
        """What it leads to, for people."""
        return f"service {self._service}"

    def open(self) -> None:
        """Start it; raises as the base does."""
        self._start([kubeconfig.find_kubectl(), *self._words])

    def listens(self) -> bool:
        """Whether it takes a connection to the last port, which it opens last."""
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, self.local[-1])) == 0

    def _closed(self, code: int) -> None:
        """Nothing: it leaves nothing."""


def opened(
    context: str, namespace: str, service: str, ports: Sequence[int], *, folder: Path
) -> AbstractContextManager[Sequence[PortForward]]:
    """Open ports of a Service, and close them in the end; arguments as of `PortForward`.

    Raises:
        CommandError: They cannot be opened, or there is no kubectl.
    """
    return carrier.opened([PortForward(context, namespace, service, ports, folder=folder)])
