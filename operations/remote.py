"""A command of a person beside a cluster on AWS: its environment, its certificate, a way to it."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from components.settings import VmSettings, ports
from operations import machines, tunnel
from operations.aws import calling
from operations.child import Signals
from operations.stacks import CommandError
from operations.view import variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from operations.aws import Clients
    from operations.stacks import Opened

RECIPE = Path("images") / "environment" / "install.sh"
BUILT = Path(".dask-cluster") / "environments"


@dataclass(frozen=True)
class Reached:
    """A cluster that can be reached from here.

    Attributes:
        scheduler: The scheduler's port on loopback.
        dashboard: The dashboard's port on loopback.
        keep: To be called now and then.
    """

    scheduler: int
    dashboard: int
    keep: Callable[[], None]


@dataclass(frozen=True)
class Typed:
    """What a person types about a cluster.

    Attributes:
        up: What brings it to the state of this checkout.
        status: What shows it.
    """

    up: str
    status: str


Reach: TypeAlias = "Callable[[Path], AbstractContextManager[Reached]]"
"""Opens the way to a cluster, with a private folder for what that needs."""


def run(
    opened: Opened,
    outputs: Mapping[str, Any],
    words: Sequence[str],
    *,
    clients: Clients,
    reach: Reach,
    typed: Typed,
) -> int:
    """Run a command in the cluster's environment, where a bare ``Client()`` connects.

    Args:
        opened: The stack.
        outputs: Its outputs.
        words: The command.
        clients: Where clients of AWS's services come from.
        reach: Opens the way to the cluster.
        typed: What a person types about it.

    Returns:
        The command's exit code.

    Raises:
        CommandError: Something that it needs is not there.
    """
    settings = opened.settings()
    if not isinstance(settings, VmSettings):
        raise CommandError(f"stack `{opened.name}` is not on AWS.")
    environment = _environment(opened, outputs, typed)
    scheme = "https" if settings.allowed_cidrs else "http"
    with Signals() as signals, tempfile.TemporaryDirectory(prefix="dask-cluster-") as name:
        folder = Path(name)
        variables_ = variables(environment, outputs["environment"], folder / "dask")
        program = shutil.which(words[0], path=variables_["PATH"])
        if program is None:
            raise CommandError(
                f"{words[0]}: no such command in the cluster's environment or on PATH."
            )
        tls = _write_certificate(folder / "tls", outputs["client_secret"], clients)
        with reach(folder) as reached:
            dashboard = f"{scheme}://127.0.0.1:{reached.dashboard}/status"
            placed = _placed(f"tls://127.0.0.1:{reached.scheduler}", dashboard, tls)
            _write_configuration(folder / "dask", settings.dask, placed)
            if sys.stderr.isatty():
                sys.stderr.write(f"Dashboard: {dashboard}\n")
            return signals.run([program, *words[1:]], variables_, reached.keep)


def session_manager(outputs: Mapping[str, Any], clients: Clients, typed: Typed) -> Reach:
    """Return the way through Session Manager, which needs no open port.

    Raises:
        CommandError: Its plugin is missing.
    """
    tunnel.find_plugin()

    @contextlib.contextmanager
    def reach(folder: Path) -> Iterator[Reached]:
        machine = partial(machines.scheduler_machine, outputs, clients, typed.status)
        both = [ports.SCHEDULER, ports.DASHBOARD]
        with tunnel.opened(both, machine=machine, clients=clients, folder=folder) as forwards:

            def keep() -> None:
                for forward in forwards:
                    forward.keep()

            scheduler, dashboard = (forward.local for forward in forwards)
            yield Reached(scheduler, dashboard, keep)

    return reach


def _environment(opened: Opened, outputs: Mapping[str, Any], typed: Typed) -> Path:
    """Return the folder of the cluster's environment, building it if it is not there.

    Raises:
        CommandError: This checkout makes another one, or it cannot be built.
    """
    project = opened.project.directory
    wanted: str = outputs["environment"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(outputs["extra_packages"])
        file.flush()
        extra = ["--extra", file.name] if outputs["extra_packages"] else []
        here = _install(project, "--identity", *extra)
        if here != wanted:
            raise CommandError(
                f"this checkout makes environment {here}, and cluster `{opened.name}` runs "
                f"{wanted}: their programs would not understand each other. Check out the version "
                "that made the cluster and use its Python, or bring the cluster to this one: "
                f"{typed.up}"
            )
        folder = project / BUILT / wanted
        # Written last; whether it was changed since then is asked when a client connects.
        if not (folder / "environment.json").exists():
            _install(project, str(folder), *extra)
    return folder


def _install(project: Path, *words: str) -> str:
    """Run the recipe and return what it prints; what it says on the way, the person sees."""
    # The Python behind the program's own virtual environment, as the program itself does it.
    python = str(Path(sys.executable).resolve())
    done = subprocess.run(
        [str(project / RECIPE), *words, "--python", python],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CommandError(f"the environment cannot be built: {RECIPE} says above why.")
    return done.stdout.strip()


def _write_certificate(folder: Path, secret: str, clients: Clients) -> dict[str, Any]:
    """Fetch the client's certificate into a private folder; return where Dask finds it."""
    with calling("reading the client's certificate"):
        found = clients.client("secretsmanager").get_secret_value(SecretId=secret)
    parts = json.loads(found["SecretString"])
    folder.mkdir(mode=0o700)
    for part in ("authority", "certificate", "key"):
        file = folder / f"{part}.pem"
        file.touch(mode=0o600)
        file.write_text(parts[part])
    return {
        "ca-file": str(folder / "authority.pem"),
        "client": {"cert": str(folder / "certificate.pem"), "key": str(folder / "key.pem")},
    }


def _placed(address: str, dashboard: str, tls: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "scheduler-address": address,
        # Dask's own guess would be the port over there.
        "distributed": {"comm": {"tls": tls}, "dashboard": {"link": dashboard}},
    }


def _write_configuration(folder: Path, *parts: Mapping[str, Any]) -> None:
    """Write Dask's configuration as files that Dask itself merges, the last one over the others."""
    folder.mkdir(mode=0o700)
    for number, part in enumerate(parts):
        (folder / f"{number}.yaml").write_text(json.dumps(part))  # JSON is YAML
