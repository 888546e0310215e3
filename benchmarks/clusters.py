"""What the benchmarks share: a stack in a copy of the project, and plain Dask beside it.

Whatever is started here is ended where its ``with`` ends, also on Ctrl-C and on failure.
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
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
COMMAND = ROOT / ".venv" / "bin" / "dask-cluster"
PARTS = ("Pulumi.yaml", "__main__.py", "pyproject.toml", "uv.lock", "components", "images")
PATIENCE = 180.0
POLL_SECONDS = 0.02
LAST_CHARACTERS = 2000

Process = subprocess.Popen[str]


@dataclass(frozen=True)
class Scheduler:
    """A running scheduler, and what its workers need.

    Attributes:
        address: For workers and clients.
        roster: Where the registered workers stand, as JSON.
        python: The environment's Python.
        environ: Variables for its workers.
        folder: The folder of the stack's cluster, with certificates and logs.
    """

    address: str
    roster: str
    python: str
    environ: dict[str, str]
    folder: Path

    def registered(self) -> set[str]:
        """Return the registered workers, by name or by address."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is loopback
        with direct.open(self.roster, timeout=PATIENCE) as answer:
            return set(json.load(answer)["workers"])


class Stack:
    """The stack ``local`` in a copy of the project."""

    def __init__(self, folder: Path, *, built: bool, **settings: Any) -> None:  # noqa: ANN401
        """Make the copy.

        Args:
            folder: Where; it is made.
            built: Whether the copy uses the environments that this checkout has built.
            settings: Of the stack file, beside the platform and the ports.
        """
        self.folder = folder
        folder.mkdir(parents=True)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / part)
        (folder / ".dask-cluster").mkdir()
        self.environments = folder / ".dask-cluster" / "environments"
        if built:
            shared = ROOT / ".dask-cluster" / "environments"
            shared.mkdir(parents=True, exist_ok=True)
            self.environments.symlink_to(shared)
        scheduler, dashboard = free_ports()
        self.settings: dict[str, Any] = {"platform": "local"}
        self.edit(schedulerPort=scheduler, dashboardPort=dashboard, **settings)

    def edit(self, **settings: Any) -> None:  # noqa: ANN401
        """Change keys of the stack file."""
        self.settings |= settings
        file = self.folder / "stacks" / "Pulumi.local.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"config": self.settings}))  # JSON is YAML

    def up(self, **settings: Any) -> float:  # noqa: ANN401
        """Change keys of the stack file, run ``dask-cluster up`` and return its seconds."""
        self.edit(**settings)
        start = time.monotonic()
        self.command("up", "local", "--yes")
        return time.monotonic() - start

    def destroy(self) -> None:
        """Take the cluster down."""
        self.command("destroy", "local", "--yes")

    def scheduler(self) -> Scheduler:
        """Return the running scheduler."""
        found = json.loads(self.command("outputs", "local", "--json"))
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}
        # The variables that the platform gives its workers.
        environ = kept | {
            "DASK_CONFIG": str(Path(found["folder"]) / "dask.yaml"),
            "DASK_CLUSTER_FOLDER": found["folder"],
            "DASK_CLUSTER_ENVIRONMENT": found["environment"],
        }
        return Scheduler(
            found["scheduler_address"],
            f"{found['dashboard']}/dask-cluster/workers.json",
            str(Path(found["environment_folder"]) / "bin" / "python"),
            environ,
            Path(found["folder"]),
        )

    def command(self, *words: str) -> str:
        """Run ``dask-cluster`` in the copy and return what it printed.

        Raises:
            SystemExit: It failed.
        """
        # As the Makefile has it: one cache of packages, and compiled files.
        uv = {"UV": ROOT / ".cache" / "uv-tool" / "bin" / "uv", "UV_CACHE_DIR": ROOT / ".cache/uv"}
        environ = {key: str(path) for key, path in uv.items() if path.exists()} | os.environ
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        done = subprocess.run(
            [str(COMMAND), *words],
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"dask-cluster {words[0]}: {done.stdout}{done.stderr}")
        return done.stdout


@contextlib.contextmanager
def stack(folder: Path, *, built: bool = True, **settings: Any) -> Iterator[Stack]:  # noqa: ANN401
    """Make a copy of the project with a stack file, for ``up``; take the cluster down."""
    made = Stack(folder, built=built, **settings)
    try:
        yield made
    finally:
        with undisturbed():
            made.destroy()


@contextlib.contextmanager
def plain_scheduler(ours: Scheduler, folder: Path) -> Iterator[Scheduler]:
    """Run ``dask scheduler`` with the certificates of a stack, and without our preloads."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = ("SCHEDULER", "WORKER", "NANNY")
    # A variable wins over dask.yaml.
    environ = ours.environ | {f"DASK_DISTRIBUTED__{kind}__PRELOAD": "[]" for kind in kinds}
    file, log = folder / "scheduler.json", folder / "scheduler.log"
    words = [ours.python, "-m", "dask", "scheduler", "--protocol", "tls", "--host", "127.0.0.1"]
    words += ["--port", "0", "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file)]
    with started(words, environ, log):
        until(lambda: file.exists() and file.stat().st_size > 0, "the plain scheduler", log)
        found = json.loads(file.read_text())
        # This one fails while tasks run; ours has a page of its own for that.
        roster = f"http://127.0.0.1:{found['services']['dashboard']}/json/identity.json"
        yield Scheduler(found["address"], roster, ours.python, environ, ours.folder)


@contextlib.contextmanager
def started(words: list[str], environ: dict[str, str], log: Path) -> Iterator[Process]:
    """Start a process with its errors in a file; end it and what it has started."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            words,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for this program, which ends the others
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def tell(process: Process, line: str) -> None:
    """Write a line to a process."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def line_of(process: Process, log: Path) -> str:
    """Return the next line that a process prints.

    Raises:
        SystemExit: It ended first.
    """
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        said = log.read_text()[-LAST_CHARACTERS:]
        raise SystemExit(f"a process ended with {process.wait()}:\n{said}")
    return line


def until(done: Callable[[], bool], what: str, log: Path | None = None) -> None:
    """Wait until ``done``.

    Raises:
        SystemExit: It never is.
    """
    limit = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > limit:
            said = log.read_text()[-LAST_CHARACTERS:] if log else ""
            raise SystemExit(f"waited {PATIENCE:g} s for {what}\n{said}")
        time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """Give a temporary folder; from now on, ended by SIGTERM is ended as by Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="dc-") as name:
        yield Path(name).resolve()


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let no second Ctrl-C break off the taking down."""
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def free_ports() -> tuple[int, int]:
    """Return two ports that nobody listens on."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def machine() -> str:
    """Return what the figures depend on."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
