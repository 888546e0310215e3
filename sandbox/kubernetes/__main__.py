"""`python -m sandbox.kubernetes [--install | --build]`: can this machine be a Kubernetes?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from sandbox.kubernetes import build
from sandbox.kubernetes.errors import KubernetesError
from sandbox.kubernetes.lacks import lacks, message
from sandbox.machine.programs import install

# Where rehearsals of this checkout look for it.
CACHE: Final = Path(__file__).parents[2] / ".cache" / "kubernetes"


def main() -> int:
    """Say what is missing, install it, or build the programs.

    Returns:
        The exit code: 0 if nothing is missing (any more), 1 else.
    """
    parser = argparse.ArgumentParser(prog="sandbox.kubernetes", description=__doc__)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--install", action="store_true", help="what is missing, with apt-get")
    choice.add_argument("--build", action="store_true", help="the programs, and nothing else")
    arguments = parser.parse_args()
    if arguments.build:
        return _build()
    found = lacks()
    if arguments.install and install(found):
        found = lacks()
    if found:
        sys.stderr.write(f"{message(found)}\n")
        return 1
    return 0


def _build() -> int:
    try:
        folder = build.ensure(CACHE, lambda line: print(line, flush=True))  # noqa: T201
    except KubernetesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
