"""`python -m sandbox.hosts [--install]`: says whether this machine can be a cloud of hosts."""

import argparse
import os
import subprocess
import sys

from sandbox.hosts.docker import Docker
from sandbox.hosts.lacks import lacks, message, program


def main() -> int:
    """Say what is missing, or install it.

    Returns:
        The exit code: 0 if nothing is missing (any more), 1 else.
    """
    parser = argparse.ArgumentParser(prog="sandbox.hosts", description=__doc__)
    parser.add_argument("--install", action="store_true", help="what is missing, with apt-get")
    arguments = parser.parse_args()
    found = lacks(engine=Docker.found() is not None)
    packages = sorted({one.package for one in found if one.package})
    if arguments.install and packages:
        sys.stdout.write(f"installing from Debian: {' '.join(packages)}\n")
        sys.stdout.flush()
        _apt("update")
        _apt("install", "--yes", "--no-install-recommends", *packages)
        found = lacks(engine=Docker.found() is not None)
    if found:
        sys.stderr.write(f"{message(found)}\n")
        return 1
    return 0


def _apt(*words: str) -> None:
    subprocess.run(
        [program("apt-get") or "apt-get", "-qq", *words],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        check=True,
    )


if __name__ == "__main__":
    sys.exit(main())
