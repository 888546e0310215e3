"""What a machine needs for hosts, and does not have."""

import os
import platform
from collections.abc import Iterable
from typing import Final

from sandbox.machine import programs
from sandbox.machine.programs import Lack

# Program -> the package of Debian 12 that has it.
PROGRAMS: Final = {
    "docker": "docker.io",
    "nft": "nftables",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
}
# Without an engine of the person's.
ENGINE_PROGRAMS: Final = {"dockerd": "docker.io", "containerd": "containerd", "runc": "runc"}


def lacks(*, engine: bool) -> list[Lack]:
    """Return everything that this machine lacks.

    Args:
        engine: Whether an engine of Docker answers already.
    """
    if platform.system() != "Linux":
        return [Lack(f"this is {platform.system()}: hosts are containers of Linux")]
    found = []
    if os.geteuid() != 0:
        found.append(Lack("not root: networks, firewall and Docker need it"))
    return found + programs.missing(PROGRAMS if engine else {**PROGRAMS, **ENGINE_PROGRAMS})


def message(found: Iterable[Lack]) -> str:
    """Say what is missing and what to type."""
    return programs.message("be a cloud of hosts", found)
