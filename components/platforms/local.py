"""A Dask cluster of real processes on this machine."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pulumi

from components.certificates import Certificate, CertificateAuthority, Role
from components.environment import Environment, dask_configuration
from components.local.files import LocalFiles
from components.local.host import LocalHost
from components.local.scheduler import LocalScheduler
from components.local.supervisor import LocalSupervisor
from components.local.workers import CLUSTER_FILE, LocalWorkers
from components.settings import ports

if TYPE_CHECKING:
    from pathlib import Path

    from components.settings import Layout, LocalSettings, LocalWorkerGroup

ROLES: tuple[Role, ...] = ("scheduler", "worker", "client")


class LocalCluster(pulumi.ComponentResource):
    """A scheduler and workers as processes of this machine, kept by a supervisor.

    Creates the cluster's folder, an authority and three certificates, the environment, the
    rendered ``dask.yaml``, a supervisor, the scheduler and one resource for each group of
    workers. It costs nothing but the machine's memory, and everything listens on loopback.

    Attributes:
        outputs: What the stack exports.
    """

    outputs: dict[str, pulumi.Output[Any]]

    def __init__(
        self,
        name: str,
        *,
        settings: LocalSettings,
        folder: Path,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("dask-cluster:platforms:Local", name, None, opts)
        self._settings = settings
        self._folder = folder
        self._host = self._create_host()
        self._after_host = pulumi.ResourceOptions(parent=self, depends_on=[self._host])
        self._authority, self._certificates = self._create_certificates(name)
        self._environment = Environment(
            "environment", packages=settings.packages, opts=self._after_host
        )
        self._configuration = self._render_configuration()
        self._files = self._create_files()
        self._supervisor = LocalSupervisor(
            "supervisor",
            folder=self._host.folder,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._files, self._environment]),
        )
        self._scheduler = self._create_scheduler()
        self._groups = {
            name: self._create_workers(name, group)
            for name, group in settings.worker_groups.items()
        }
        self.outputs = self._outputs()
        self.register_outputs({})

    def _create_host(self) -> LocalHost:
        settings = self._settings
        return LocalHost(
            "host",
            folder=self._folder,
            ports={
                "schedulerPort": settings.scheduler_port,
                "dashboardPort": settings.dashboard_port,
            },
            memory={
                name: {"workers": group.most_workers, "each": group.memory}
                for name, group in settings.worker_groups.items()
            },
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _create_certificates(
        self, name: str
    ) -> tuple[CertificateAuthority, dict[Role, Certificate]]:
        authority = CertificateAuthority(
            "authority", common_name=f"{name} authority", opts=self._after_host
        )
        certificates = {
            role: Certificate(
                role,
                role=role,
                common_name=f"{name} {role}",
                authority=authority,
                opts=self._after_host,
            )
            for role in ROLES
        }
        return authority, certificates

    def _render_configuration(self) -> str:
        """Return the one ``dask.yaml`` of scheduler, workers and clients."""
        certificates = self._folder / "certificates"
        tls: dict[str, Any] = {"ca-file": str(certificates / "authority.pem")}
        for role in ROLES:
            tls[role] = {
                "cert": str(certificates / f"{role}.pem"),
                "key": str(certificates / f"{role}.key"),
            }
        placed = {
            "scheduler-address": f"tls://127.0.0.1:{self._settings.scheduler_port}",
            "temporary-directory": str(self._folder / "scratch"),
            "distributed": {"comm": {"tls": tls}},
        }
        return dask_configuration(self._settings.dask, placed)

    def _render_stops(self) -> str:
        """Return what the scheduler reads of the whole fleet, again and again."""
        settings = self._settings
        return json.dumps(
            {
                "groups": list(settings.worker_groups),
                "idleStop": settings.idle_stop,
                "noClientStop": settings.no_client_stop,
            }
        )

    def _create_files(self) -> LocalFiles:
        contents: dict[str, pulumi.Input[str]] = {
            "dask.yaml": self._configuration,
            CLUSTER_FILE: self._render_stops(),
            "certificates/authority.pem": self._authority.certificate,
        }
        for role, certificate in self._certificates.items():
            contents[f"certificates/{role}.pem"] = certificate.certificate
            contents[f"certificates/{role}.key"] = certificate.private_key
        return LocalFiles(
            "files",
            folder=self._host.folder,
            contents=contents,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _fingerprint(self, role: Role) -> pulumi.Output[str]:
        """Return a hash of what a process of this role reads when it starts."""
        parts = pulumi.Output.all(
            self._configuration, self._authority.certificate, self._certificates[role].certificate
        )
        return parts.apply(lambda p: hashlib.sha256("\n".join(p).encode()).hexdigest()[:16])

    def _create_scheduler(self) -> LocalScheduler:
        return LocalScheduler(
            "scheduler",
            folder=self._supervisor.folder,
            python=self._environment.python,
            port=self._settings.scheduler_port,
            dashboard_port=self._settings.dashboard_port,
            environment=self._environment.identity,
            fingerprint=self._fingerprint("scheduler"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._supervisor]),
        )

    def _create_workers(self, name: str, group: LocalWorkerGroup) -> LocalWorkers:
        layout = group.layout
        return LocalWorkers(
            name,
            folder=self._supervisor.folder,
            count=group.workers,
            limit=group.max_workers,
            layout={
                "processes": layout.processes,
                "threads": layout.threads,
                "memory": layout.memory,
                "resources": dict(layout.resources),
            },
            command=self._worker_command(layout),
            variables=self._worker_variables(),
            drain_seconds=self._settings.drain_timeout,
            scheduler=self._scheduler,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._scheduler]),
        )

    def _worker_command(self, layout: Layout) -> pulumi.Output[list[str]]:
        options = {
            "--name": "{name}",
            "--nworkers": layout.processes,
            "--nthreads": layout.threads,
            "--memory-limit": layout.memory,
            "--host": "127.0.0.1",
            "--worker-port": _span(ports.WORKERS),
            "--nanny-port": _span(ports.NANNIES),
            # Any free port: several clusters may share this machine.
            "--dashboard-address": "127.0.0.1:0",
        }
        if layout.resources:
            amounts = layout.resources.items()
            options["--resources"] = ",".join(f"{key}={value!r}" for key, value in amounts)
        words = [str(word) for pair in options.items() for word in pair]
        return self._environment.python.apply(
            lambda python: [python, "-m", "dask_node.worker", *words]
        )

    def _worker_variables(self) -> pulumi.Output[dict[str, str]]:
        variables: dict[str, pulumi.Input[str]] = {
            "DASK_CLUSTER_ENVIRONMENT": self._environment.identity,
            # A process with other certificates or another configuration is another process.
            "DASK_CLUSTER_FINGERPRINT": self._fingerprint("worker"),
        }
        if self._settings.lifetime is not None:
            variables["DASK_CLUSTER_LIFETIME_SECONDS"] = f"{self._settings.lifetime:g}"
        return pulumi.Output.all(**variables)

    def _outputs(self) -> dict[str, pulumi.Output[Any]]:
        ends = pulumi.Output.all(*(c.expires for c in self._certificates.values()))
        return {
            "scheduler_address": self._scheduler.address,
            "dashboard": self._scheduler.dashboard,
            "workers": pulumi.Output.all(*(g.count for g in self._groups.values())).apply(sum),
            "environment": self._environment.identity,
            "environment_folder": self._environment.folder,
            "folder": self._host.folder,
            "certificates_expire": ends.apply(min),
        }


def _span(of: range) -> str:
    """Write a range of ports as Dask's command line takes it, both ends included."""
    return f"{of.start}:{of.stop - 1}"
