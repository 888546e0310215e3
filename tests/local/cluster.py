"""A project folder of its own with a local stack, driven by the ``dask-cluster`` command."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import yaml
from distributed import Client, Security

from components.local.process_table import ProcessTable

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
COMMAND = Path(sys.executable).with_name("dask-cluster")
PARTS = ("Pulumi.yaml", "__main__.py", "pyproject.toml", "uv.lock", "components", "images")


# Below the ports that the kernel itself gives out, which anybody may have in the next moment; for
# each process of tests its own, and in any order, as another run may go on beside this one.
_MANY = 1_500
_FIRST = 20_000 + _MANY * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_NEXT = itertools.cycle(random.sample(range(_FIRST, _FIRST + _MANY), _MANY))


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, all different."""
    found: list[int] = []
    while len(found) < count:
        port = next(_NEXT)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
    return found


@dataclass
class Cluster:
    """A copy of the project with one stack file, ``stacks/Pulumi.local.yaml``."""

    directory: Path
    settings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def prepare(cls, directory: Path, **settings: Any) -> Cluster:  # noqa: ANN401
        directory.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, directory / part, ignore=ignore)
            else:
                shutil.copy(source, directory / part)
        # Environments are built once for all tests: they are the same bytes.
        shared = ROOT / ".dask-cluster" / "environments"
        shared.mkdir(parents=True, exist_ok=True)
        (directory / ".dask-cluster").mkdir()
        (directory / ".dask-cluster" / "environments").symlink_to(shared)
        scheduler, dashboard = free_ports(2)
        wanted = {
            "platform": "local",
            "workers": 2,
            "memory": "512 MiB",
            "schedulerPort": scheduler,
            "dashboardPort": dashboard,
        }
        cluster = cls(directory)
        cluster.edit(**wanted | settings)
        return cluster

    @property
    def folder(self) -> Path:
        """The folder that the running cluster owns."""
        return self.directory / ".dask-cluster" / "clusters" / "local"

    @property
    def file(self) -> Path:
        return self.directory / "stacks" / "Pulumi.local.yaml"

    def edit(self, **settings: Any) -> None:  # noqa: ANN401
        """Change keys of the stack file; None removes one."""
        changed = self.settings | settings
        self.settings = {key: value for key, value in changed.items() if value is not None}
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(yaml.safe_dump({"config": self.settings}))

    def command(self, *words: str, code: int | None = 0, **options: Any) -> str:  # noqa: ANN401
        """Run ``dask-cluster`` and return what it printed, standard error last."""
        done = subprocess.run(
            [str(COMMAND), *words],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            **options,
        )
        printed: str = done.stdout + done.stderr
        assert code is None or done.returncode == code, f"exit {done.returncode}:\n{printed}"
        return printed

    def up(self, code: int = 0) -> str:
        return self.command("up", "local", "--yes", code=code)

    def destroy(self) -> str:
        return self.command("destroy", "local", "--yes")

    def status(self, code: int | None = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.command("status", "local", "--json", code=code))
        return found

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.command("outputs", "local", "--json"))
        return found

    def pids(self) -> dict[str, int]:
        """Return the pids of the process table by name; 0 for what does not run."""
        with contextlib.closing(ProcessTable(self.folder)) as table:
            return {name: row["pid"] for name, row in table.states().items()}

    def security(self) -> Security:
        """Return the client's certificate and key, as the cluster's folder holds them."""
        certificates = self.folder / "certificates"
        return Security(
            tls_ca_file=str(certificates / "authority.pem"),
            tls_client_cert=str(certificates / "client.pem"),
            tls_client_key=str(certificates / "client.key"),
            require_encryption=True,
        )

    def client(self) -> Client:
        address = f"tls://127.0.0.1:{self.settings['schedulerPort']}"
        return Client(address, security=self.security(), timeout=30)

    def processes(self) -> Iterator[psutil.Process]:
        """Yield every process that has anything to do with this project folder."""
        for process in psutil.process_iter():
            try:
                where = [process.cwd(), *process.cmdline(), *process.environ().values()]
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
            if any(str(self.directory) in word for word in where) and process.pid != os.getpid():
                yield process

    def left(self) -> list[str]:
        """Return what of a cluster is still there: processes, ports, files. Empty when gone."""
        found = [f"process {p.pid}: {' '.join(p.cmdline())}" for p in self.processes()]
        for key in ("schedulerPort", "dashboardPort"):
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", self.settings[key])) == 0:
                    found.append(f"port {self.settings[key]}")
        state = self.directory / ".dask-cluster"
        return found + [f"file {path}" for path in state.iterdir() if path.name != "environments"]


def changes(printed: str) -> dict[str, int]:
    """Return the counts of the summary that ``up``, ``preview`` and ``destroy`` print."""
    summary = printed.split("Resources:")[1].split("Duration", maxsplit=1)[0]
    words = re.findall(r"(\d+) (created|updated|replaced|deleted|unchanged|to \w+)", summary)
    return {word: int(number) for number, word in words}
