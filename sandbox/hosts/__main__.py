"""`python -m sandbox.hosts [--install]`: says whether this machine can be a cloud of hosts."""

import argparse
import sys

from sandbox.hosts.lacks import lacks, message
from sandbox.machine.docker import Docker
from sandbox.machine.programs import install


def main() -> int:
    """Say what is missing, or install it.

    Returns:
        The exit code: 0 if nothing is missing (any more), 1 else.
    """
    parser = argparse.ArgumentParser(prog="sandbox.hosts", description=__doc__)
    parser.add_argument("--install", action="store_true", help="what is missing, with apt-get")
    arguments = parser.parse_args()
    found = lacks(engine=Docker.found() is not None)
    if arguments.install and install(found):
        found = lacks(engine=Docker.found() is not None)
    if found:
        sys.stderr.write(f"{message(found)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
