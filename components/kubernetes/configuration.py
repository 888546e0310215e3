"""Dask's configuration as pods read it, and what makes another pod of it."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from typing import Any

import pulumi
from pulumi_kubernetes.core import v1 as core

from components.environment import dask_configuration
from components.kubernetes.names import WHOLE, Names

CONFIGURATION = PurePosixPath("/etc/dask")
CERTIFICATES = PurePosixPath("/run/dask/certificates")
SCRATCH = PurePosixPath("/scratch")
FILE = "dask.yaml"


class Configuration(pulumi.ComponentResource):
    """A ConfigMap with the one ``dask.yaml`` of scheduler, workers and notebooks.

    Attributes:
        name: Name of the ConfigMap.
        text: The YAML.
        ready: The ConfigMap.
    """

    name: str
    text: str
    ready: pulumi.Resource

    def __init__(
        self,
        name: str,
        *,
        names: Names,
        scheduler_address: str,
        chosen: dict[str, Any],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the ConfigMap.

        Args:
            name: Name of the component.
            names: What objects are called.
            scheduler_address: Such as ``tls://dask-dev-scheduler.dask-dev.svc:8786``.
            chosen: The stack file's ``dask:`` mapping.
            opts: Resource options.
        """
        super().__init__("dask-cluster:kubernetes:Configuration", name, None, opts)
        self.name = names.of("configuration")
        self.text = dask_configuration(chosen, _placed(scheduler_address))
        self.ready = core.ConfigMap(
            self.name,
            metadata=names.metadata("configuration", WHOLE),
            # With the provider's `enableConfigMapMutable`: an update, and the fingerprints roll.
            immutable=False,
            data={FILE: self.text},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})

    def fingerprint(self, certificate: pulumi.Output[str]) -> pulumi.Output[str]:
        """Return another value wherever running pods would not see a change by themselves.

        Args:
            certificate: What is public of the role's certificate and its authority.
        """
        text = self.text
        return certificate.apply(
            lambda pem: hashlib.sha256(f"{text}\n{pem}".encode()).hexdigest()[:16]
        )


def _placed(scheduler_address: str) -> dict[str, Any]:
    """Return what pods decide in ``dask.yaml``: a pod has the certificate of one role."""
    pair = {"cert": str(CERTIFICATES / "certificate.pem"), "key": str(CERTIFICATES / "key.pem")}
    roles = {role: dict(pair) for role in ("scheduler", "worker", "client")}
    return {
        "scheduler-address": scheduler_address,
        "temporary-directory": str(SCRATCH),
        "distributed": {
            "comm": {"tls": {"ca-file": str(CERTIFICATES / "authority.pem"), **roles}},
        },
    }
