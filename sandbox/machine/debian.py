"""A root of Debian as a tar, made of this machine's own mirrors."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.machine import apt_sources
from sandbox.machine.errors import MachineError
from sandbox.machine.programs import program

if TYPE_CHECKING:
    from collections.abc import Sequence


def make(target: Path, packages: Sequence[str], *, trims: Sequence[str] = (), what: str) -> None:
    """Make a tar; it is there when it is whole.

    Args:
        target: The tar.
        packages: Those of Debian, besides the least that it is.
        trims: Paths that are left out, as patterns; one that begins with `!` stays.
        what: For a person.

    Raises:
        MachineError: mmdebstrap is missing, or cannot do it.
    """
    if (command := program("mmdebstrap")) is None:
        raise MachineError("mmdebstrap is missing: apt-get install mmdebstrap")
    partial = target.with_suffix(".tar.partial")
    options = [
        f"--dpkgopt=path-include={each[1:]}" if each[0] == "!" else f"--dpkgopt=path-exclude={each}"
        for each in trims
    ]
    with tempfile.TemporaryDirectory() as folder:
        mirrors = []
        for n, text in enumerate(apt_sources.sources()):
            mirrors.append(str(Path(folder) / f"{n}.sources"))
            Path(mirrors[-1]).write_text(text)
        argv = [
            command,
            "--mode=root",
            "--variant=minbase",
            "--format=tar",
            f"--include={','.join(packages)}",
            *options,
            apt_sources.RELEASE,
            str(partial),
            *mirrors,
        ]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(argv, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[-8:])
        raise MachineError(f"{what} cannot be made: mmdebstrap says\n{said}")
    partial.rename(target)
