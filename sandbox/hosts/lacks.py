"""What a machine needs for hosts, and does not have."""

import os
import platform
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

# Where Debian has programs for root; not on everybody's PATH.
_ROOT_PATH: Final = "/usr/local/sbin:/usr/sbin:/sbin"
# Program -> the package of Debian 12 that has it.
PROGRAMS: Final = {
    "docker": "docker.io",
    "nft": "nftables",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
}
# Without an engine of the person's.
ENGINE_PROGRAMS: Final = {"dockerd": "docker.io", "containerd": "containerd", "runc": "runc"}


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
    programs = PROGRAMS if engine else {**PROGRAMS, **ENGINE_PROGRAMS}
    found += [
        Lack(f"no {name}", package) for name, package in programs.items() if not program(name)
    ]
    return found


def message(found: Iterable[Lack]) -> str:
    """Say what is missing and what to type."""
    found = list(found)
    lines = ["this machine cannot be a cloud of hosts yet:", *(f"  {one.what}" for one in found)]
    packages = sorted({one.package for one in found if one.package})
    if packages:
        lines.append(f"On Debian: apt-get install {' '.join(packages)}")
    return "\n".join(lines)
