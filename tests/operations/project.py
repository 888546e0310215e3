"""A checkout with a stack that is elsewhere, and stand-ins for the programs that reach it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.environment.built import ROOT, clean_environ

HERE = Path(__file__).parent
COMMAND = Path(sys.executable).with_name("dask-cluster")
FILES = ("Pulumi.yaml", "pyproject.toml", "uv.lock", "README.md")
IDENTITY = "0123456789abcdef"
SETTINGS: dict[str, Any] = {
    "platform": "vm",
    "region": "us-east-2",
    "vpc": {"zones": ["us-east-2a"]},
    "workers": 4,
    "instanceTypes": ["m7i.large"],
}
OUTPUTS: dict[str, Any] = {
    "platform": "vm",
    "region": "us-east-2",
    "cluster": "dev",
    "scheduler_address": "tls://scheduler.dev.dask-cluster.internal:8786",
    "groups": {"scheduler": "dask-cluster-dev-scheduler", "worker": "dask-cluster-dev-worker"},
    "workers": 4,
    "environment": IDENTITY,
    "extra_packages": "",
    "client_secret": "dask-dev-client",
    "certificates_expire": "2126-11-21T18:00:00+00:00",
}


@dataclass
class Project:
    """One, with what its commands see around them.

    Attributes:
        directory: The checkout.
        outside: A folder for everything else.
        environ: Variables of the commands.
    """

    directory: Path
    outside: Path
    environ: dict[str, str] = field(default_factory=dict)

    @classmethod
    def prepare(cls, folder: Path, checkout: Path, endpoint: str) -> Project:
        """Make one from a copy of the checkout, with `pulumi` and the plugin on PATH."""
        directory = folder / "checkout"
        directory.mkdir()
        for name in (*FILES, "images", ".dask-cluster"):
            (directory / name).symlink_to(checkout / name)
        made = cls(directory, folder)
        made.edit(**SETTINGS)
        made.answer(OUTPUTS)
        for name in ("home", "temporary", "bin"):
            (folder / name).mkdir()
        made.place("pulumi", HERE / "fake_pulumi.py")
        made.place("session-manager-plugin", HERE / "fake_plugin.py")
        made.place("kubectl", HERE / "fake_kubectl.py")
        made.environ = {
            **{k: v for k, v in clean_environ().items() if not k.startswith(("AWS_", "PULUMI_"))},
            "HOME": str(folder / "home"),
            "TMPDIR": str(made.temporary),
            "PATH": f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "someone",
            "AWS_SECRET_ACCESS_KEY": "something",
            "AWS_EC2_METADATA_DISABLED": "true",
            "FAKE_PULUMI": str(folder / "outputs.json"),
            "FAKE_PULUMI_LOG": str(folder / "pulumi.json"),
            "FAKE_PLUGIN_LOG": str(folder / "plugin.jsonl"),
            "FAKE_KUBECTL_LOG": str(folder / "kubectl.jsonl"),
        }
        return made

    @property
    def temporary(self) -> Path:
        """Where the commands make their temporary folders."""
        return self.outside / "temporary"

    def place(self, name: str, script: Path) -> None:
        """Put a Python script on PATH under a name."""
        program = self.outside / "bin" / name
        words = shlex.join([sys.executable, "-S", "-E", str(script)])
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        program.chmod(0o755)

    def remove(self, name: str) -> None:
        """Take a program off PATH."""
        (self.outside / "bin" / name).unlink()

    def edit(self, **settings: Any) -> None:  # noqa: ANN401
        file = self.directory / "stacks" / "Pulumi.dev.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump({"config": settings}))

    def answer(self, outputs: dict[str, Any] | str) -> None:
        """Set what `pulumi stack output` prints."""
        text = outputs if isinstance(outputs, str) else json.dumps(outputs)
        (self.outside / "outputs.json").write_text(text)

    def asked(self) -> dict[str, Any]:
        """Return how `pulumi` was called last."""
        found: dict[str, Any] = json.loads((self.outside / "pulumi.json").read_text())
        return found

    def plugins(self) -> list[dict[str, Any]]:
        """Return what the plugins noted: their starts and their ends."""
        return self._notes("plugin.jsonl")

    def kubectls(self) -> list[dict[str, Any]]:
        """Return what the kubectls that forward noted: their starts and their ends."""
        return self._notes("kubectl.jsonl")

    def _notes(self, name: str) -> list[dict[str, Any]]:
        log = self.outside / name
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:  # noqa: ANN401
        """Start `dask-cluster`, with nobody at the keyboard."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [str(COMMAND), *words],
            cwd=self.directory,
            env=self.environ,
            text=True,
            **{**pipes, **options},
        )

    def command(self, *words: str, code: int = 0) -> tuple[str, str]:
        """Run `dask-cluster` to its end; return what it printed and its errors."""
        with self.start(*words) as process:
            printed, errors = process.communicate(timeout=100)
        assert process.returncode == code, f"exit {process.returncode}:\n{printed}{errors}"
        assert "Traceback" not in errors
        return printed, errors

    def refused(self, *words: str, code: int) -> str:
        """Run `dask-cluster`, which ends with an error and nothing else; return that."""
        printed, errors = self.command(*words, code=code)
        assert printed == ""
        assert errors.startswith("error: ")
        return errors.removeprefix("error: ").rstrip("\n")


def copy_checkout(folder: Path) -> Path:
    """Copy what the recipe reads, with the environments that are built already."""
    folder.mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "images", folder / "images", ignore=ignore)
    default = ROOT / ".dask-cluster" / "environments"
    shared = Path(os.environ.get("DASK_CLUSTER_ENVIRONMENTS") or default)
    shared.mkdir(parents=True, exist_ok=True)
    (folder / ".dask-cluster").mkdir()
    (folder / ".dask-cluster" / "environments").symlink_to(shared)
    return folder
