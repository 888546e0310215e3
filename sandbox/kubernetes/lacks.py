"""What a machine needs for a Kubernetes of its own, and does not have."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox.kubernetes.nodes import CNI
from sandbox.machine import programs
from sandbox.machine.programs import Lack, program

if TYPE_CHECKING:
    from collections.abc import Iterable

# Program -> the package of Debian 12 that has it.
PROGRAMS: Final = {
    "containerd": "containerd",
    "docker": "docker.io",
    "docker-registry": "docker-registry",
    "dockerd": "docker.io",
    "etcd": "etcd-server",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "nsenter": "util-linux",
    "runc": "runc",
    "slirp4netns": "slirp4netns",
    "unshare": "util-linux",
}
# What the newest of the Go modules asks for; Debian's is too old.
GO: Final = (1, 26)


def lacks() -> list[Lack]:
    """Return everything that this machine lacks."""
    if platform.system() != "Linux":
        return [Lack(f"this is {platform.system()}: nodes are processes of Linux")]
    found = []
    if os.geteuid() != 0:
        found.append(Lack("not root: namespaces, containers and cgroups need it"))
    found += programs.missing(PROGRAMS)
    if not (Path(CNI) / "bridge").exists():
        found.append(Lack("no network plugins", "containernetworking-plugins"))
    if not Path("/dev/net/tun").exists():
        found.append(Lack("no /dev/net/tun: this kernel has no such networks"))
    if program("kubectl") is None:
        found.append(Lack("no kubectl: https://kubernetes.io/docs/tasks/tools"))
    if _go() < GO:
        found.append(Lack(f"no Go {'.'.join(map(str, GO))} or newer: https://go.dev/dl"))
    return found


def message(found: Iterable[Lack]) -> str:
    """Say what is missing and what to type."""
    return programs.message("be a Kubernetes", found)


def _go() -> tuple[int, ...]:
    command = program("go")
    if command is None:
        return ()
    said = subprocess.run(
        [command, "env", "GOVERSION"], capture_output=True, text=True, timeout=60, check=False
    ).stdout
    return tuple(map(int, re.findall(r"\d+", said)[:2]))
