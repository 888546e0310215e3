"""A command of a person beside a cluster elsewhere: environment, certificate, the way to it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from operations.child import Signals
from operations.stacks import CommandError
from operations.view import variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from operations.clusters import Cluster, Typed
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


class Way(Protocol):
    """A way to a cluster from here."""

    @property
    def scheme(self) -> str:
        """Of the dashboard: ``http`` or ``https``."""
        ...

    def certificate(self) -> Mapping[str, str]:
        """Return the client's: ``authority``, ``certificate`` and ``key``, each as PEM.

        Raises:
            CommandError: It cannot be had.
        """
        ...

    def reach(self, folder: Path) -> AbstractContextManager[Reached]:
        """Open it, with a private folder for what that needs.

        Raises:
            CommandError: It cannot be opened.
        """
        ...


def run(cluster: Cluster, words: Sequence[str], *, way: Way) -> int:
    """Run a command in the cluster's environment, where a bare ``Client()`` connects.

    Args:
        cluster: The cluster.
        words: The command.
        way: The way to it.

    Returns:
        The command's exit code.

    Raises:
        CommandError: Something that it needs is not there.
    """
    outputs, settings = cluster.outputs, cluster.opened.settings()
    environment = _environment(cluster.opened, outputs, cluster.typed)
    with Signals() as signals, tempfile.TemporaryDirectory(prefix="dask-cluster-") as name:
        folder = Path(name)
        variables_ = variables(environment, outputs["environment"], folder / "dask")
        program = shutil.which(words[0], path=variables_["PATH"])
        if program is None:
            raise CommandError(
                f"{words[0]}: no such command in the cluster's environment or on PATH."
            )
        tls = _write_certificate(folder / "tls", way.certificate())
        with way.reach(folder) as reached:
            dashboard = f"{way.scheme}://127.0.0.1:{reached.dashboard}/status"
            placed = _placed(f"tls://127.0.0.1:{reached.scheduler}", dashboard, tls)
            _write_configuration(folder / "dask", settings.dask, placed)
            if sys.stderr.isatty():
                sys.stderr.write(f"Dashboard: {dashboard}\n")
            return signals.run([program, *words[1:]], variables_, reached.keep)


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


def _write_certificate(folder: Path, parts: Mapping[str, str]) -> dict[str, Any]:
    """Write the client's certificate into a private folder; return where Dask finds it."""
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
