"""Real scheduler, worker and client processes of a cluster, over TLS on free ports."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Self

from distributed import Client, Security

from tests.environment.built import clean_environ, wait_for
from tests.node.certificates import ROLES

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60.0


class Cluster:
    """Processes of one cluster; what it starts, it ends."""

    def __init__(self, environment: Path, certificates: Path, folder: Path) -> None:
        self.environment = environment
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.config = folder / "dask.yaml"
        self.address = ""
        self._started: list[subprocess.Popen[bytes]] = []
        self._write_config(certificates)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # The scheduler is the first and goes last: a worker whose scheduler is told to stop at the
        # same moment waits for its nanny, and the nanny for it, until Dask kills it after 8 s.
        for processes in (self._started[1:], self._started[:1]):
            for process in processes:
                process.terminate()
            for process in processes:
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def environ(self, **more: str) -> dict[str, str]:
        """Return the variables of a process of this cluster; an empty value removes one."""
        ours = {
            "HOME": str(self.home),
            "DASK_CONFIG": str(self.config),
            "DASK_CLUSTER_ENVIRONMENT": self.environment.name,
            "DASK_TEMPORARY_DIRECTORY": str(self.folder),
            "DASK_SCHEDULER_ADDRESS": self.address,
        }
        return clean_environ(**{**ours, **more})

    def start_scheduler(self, **more: str) -> None:
        """Start a scheduler on free ports and wait until it answers."""
        file = self.folder / "scheduler.json"
        command = ["scheduler", "--host", "127.0.0.1", "--port", "0"]
        command += ["--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file)]
        self._spawn("scheduler", [self._python(None), "-m", "dask", *command], **more)
        wait_for(lambda: file.exists() and file.stat().st_size > 0, "the scheduler's file")
        self.address = json.loads(file.read_text())["address"]

    def start_worker(
        self, name: str, environment: Path | None = None, /, **more: str
    ) -> subprocess.Popen[bytes]:
        """Start one nanny with one worker; do not wait for it."""
        command = [self.address, "--name", name, "--nthreads", "1", "--no-dashboard"]
        command += ["--memory-limit", "1GB", "--host", "127.0.0.1"]
        command += ["--local-directory", str(self.folder / name)]
        return self._spawn(
            name, [self._python(environment), "-m", "dask_node.worker", *command], **more
        )

    def start_python(self, name: str, program: str) -> subprocess.Popen[bytes]:
        """Start a client's program, with its output in a file."""
        return self._spawn(name, [self._python(None), "-c", program])

    def _python(self, environment: Path | None) -> str:
        return str((environment or self.environment) / "bin" / "python")

    def _spawn(self, name: str, command: list[str], **more: str) -> subprocess.Popen[bytes]:
        with self.log_file(name).open("wb") as log:
            process = subprocess.Popen(
                command,
                env=self.environ(**more),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        self._started.append(process)
        return process

    def log_file(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def log(self, name: str) -> str:
        return self.log_file(name).read_text()

    def wait_registered(self, name: str) -> None:
        self.wait_log(name, "Registered to:")

    def wait_log(self, name: str, text: str) -> None:
        wait_for(lambda: text in self.log(name), f"{text!r} in the log of {name}")

    def python(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a client's Python to its end; a warning in it is an error."""
        return self.python_of(self.environment, *arguments, **more)

    def python_of(
        self, environment: Path, /, *arguments: str, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Do the same with the Python of another environment."""
        return subprocess.run(
            [self._python(environment), "-W", "error", *arguments],
            env=self.environ(**more),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            timeout=PATIENCE,
        )

    def report(self, *arguments: str, **more: str) -> tuple[int, dict[str, object]]:
        """Return the exit code and the object that `python -m dask_node.report` prints."""
        done = self.python("-m", "dask_node.report", *arguments, **more)
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout)

    def _write_config(self, certificates: Path) -> None:
        """Write what a component merges over the base: the paths of the certificates."""
        roles = {
            role: {"cert": f"{certificates}/{role}.pem", "key": f"{certificates}/{role}.key"}
            for role in ROLES
        }
        tls = {"ca-file": f"{certificates}/ca.pem", **roles}
        # JSON is YAML.
        self.config.write_text(json.dumps({"distributed": {"comm": {"tls": tls}}}))


def connect(cluster: Cluster, certificates: Path) -> Client:
    """Return a client of a cluster that runs."""
    security = Security(
        tls_ca_file=str(certificates / "ca.pem"),
        tls_client_cert=str(certificates / "client.pem"),
        tls_client_key=str(certificates / "client.key"),
        require_encryption=True,
    )
    return Client(cluster.address, security=security, timeout=30)
