"""Run install.sh, and the one built environment that all tests share."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent.parent
INSTALL = ROOT / "images" / "environment" / "install.sh"


def run_install(
    *arguments: str | Path, script: Path = INSTALL, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run install.sh to its end, on the Python of the tests; `more` are variables."""
    return subprocess.run(
        install_command(*arguments, script=script),
        capture_output=True,
        text=True,
        check=False,
        env=clean_environ(**more),
        timeout=280,
    )


def install_command(*arguments: str | Path, script: Path = INSTALL) -> list[str]:
    """Return the command of install.sh on the Python of the tests."""
    return [str(script), "--python", sys.executable, *map(str, arguments)]


def uv(*arguments: str | Path, **more: str) -> str:
    """Run uv and return what it prints."""
    done = subprocess.run(
        [find_uv(), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environ(**more),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def find_uv() -> str:
    """Return the uv of the checkout, or another one."""
    ours = ROOT / ".cache" / "uv-tool" / "bin" / "uv"
    return str(ours) if ours.exists() else os.environ.get("UV") or shutil.which("uv") or "uv"


def change_packages(environment: Path, *packages: str) -> None:
    """Install packages into an environment by hand, as its user might."""
    python = environment / "bin" / "python"
    uv("pip", "install", "--quiet", "--no-deps", "--python", python, *packages)


def linked_copy(environment: Path, target: Path) -> Path:
    """Copy an environment by hard links, to change its packages without touching the original.

    uv replaces files and never writes into them, so the original keeps its own.
    """
    return shutil.copytree(environment, target, symlinks=True, copy_function=os.link)


def bare_host(home: Path, scratch: Path) -> dict[str, str]:
    """Return variables for `run_install` on a host with no checkout, no uv and no cache."""
    path = "/usr/bin:/bin"
    return {"HOME": str(home), "TMPDIR": str(scratch), "UV_CACHE_DIR": "", "UV": "", "PATH": path}


def clean_environ(**more: str) -> dict[str, str]:
    """Return this process's variables without what would steer uv, Python or Dask elsewhere.

    Args:
        more: Variables to add; an empty value removes one.
    """
    steering = ("DASK_", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "UV_PROJECT")
    environ = {name: v for name, v in os.environ.items() if not name.startswith(steering)}
    environ |= {"UV": find_uv(), "UV_CACHE_DIR": str(ROOT / ".cache" / "uv"), **more}
    return {name: value for name, value in environ.items() if value}


def shared_environment() -> Path:
    """Return the built environment, building it if need be.

    It lies where `DASK_CLUSTER_ENVIRONMENTS` says, else in the checkout's `.dask-cluster`, under
    its identity: all tiers of tests share it, and a parallel run waits for the first builder.
    """
    default = ROOT / ".dask-cluster" / "environments"
    folder = Path(os.environ.get("DASK_CLUSTER_ENVIRONMENTS") or default)
    target = folder / run_install("--identity").stdout.strip()
    done = run_install(target)
    assert done.returncode == 0, done.stderr
    return target


def wait_for(done: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Poll until `done`; fail with `what` after `seconds`."""
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit, f"waited {seconds:g} s for {what}"
        time.sleep(0.05)


def cut_down(export: str, *names: str) -> str:
    """Return the part of an export that pins `names`, so that building it takes a second."""
    parts = re.split(r"^(?=\S)", export, flags=re.MULTILINE)
    return "".join(part for part in parts if part.split("==")[0] in names)
