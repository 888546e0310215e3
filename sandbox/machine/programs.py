"""Programs of this machine: whether one is there, its package, and how one is started to stay."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# Where Debian has programs for root; not on everybody's PATH.
_ROOT_PATH: Final = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Lack:
    """Something that is missing.

    Attributes:
        what: For a person.
        package: The Debian package that has it; empty if it is not to be installed.
    """

    what: str
    package: str = ""


def program(name: str) -> str | None:
    """Return the path of a program, also of one that only root has on its PATH."""
    return shutil.which(name) or shutil.which(name, path=_ROOT_PATH)


def missing(programs: Mapping[str, str]) -> list[Lack]:
    """Return the programs that this machine lacks.

    Args:
        programs: The Debian package of each.
    """
    return [Lack(f"no {name}", package) for name, package in programs.items() if not program(name)]


def message(purpose: str, found: Iterable[Lack]) -> str:
    """Say what is missing and what to type.

    Args:
        purpose: What the machine cannot do.
        found: What it lacks.
    """
    found = list(found)
    lines = [f"this machine cannot {purpose} yet:", *(f"  {one.what}" for one in found)]
    if packages := _packages(found):
        lines.append(f"On Debian: apt-get install {' '.join(packages)}")
    return "\n".join(lines)


def install(found: Iterable[Lack]) -> list[str]:
    """Install what is missing and can be, with apt-get; return the packages."""
    packages = _packages(found)
    if packages:
        sys.stdout.write(f"installing from Debian: {' '.join(packages)}\n")
        sys.stdout.flush()
        _apt("update")
        _apt("install", "--yes", "--no-install-recommends", *packages)
    return packages


def spawn(command: list[str], log: Path, environment: Mapping[str, str] | None = None) -> int:
    """Start a program in a session of its own, and return its pid; it outlives this process.

    Args:
        command: With the whole path of the program.
        log: Gets both outputs, behind what it has.
        environment: Variables besides those of this process.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        command[0],
        command,
        {
            **os.environ,
            "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
            **(environment or {}),
        },
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        # Python ignores it, and what it starts would, too.
        setsigdef=[signal.SIGPIPE],
        setsigmask=[],
    )


def _packages(found: Iterable[Lack]) -> list[str]:
    return sorted({one.package for one in found if one.package})


def _apt(*words: str) -> None:
    subprocess.run(
        [program("apt-get") or "apt-get", "-qq", *words],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        check=True,
    )
