"""How the container of a host is started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sandbox.hosts.names import RESOLVER
from sandbox.hosts.root_image import STOP

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.machine.registries import Registries

_MANAGER: Final = "/etc/systemd/system.conf.d/20-machine.conf"


@dataclass(frozen=True)
class Given:
    """What all hosts of a rehearsal are given from outside of them.

    Attributes:
        resolver: The file that is `/etc/resolv.conf` of each.
        manager: A file of systemd's with variables for every unit.
        shared: The folder whose folders are file systems of EFS.
        registries: How they reach package registries.
    """

    resolver: Path
    manager: Path
    shared: Path
    registries: Registries

    @classmethod
    def prepare(cls, folder: Path, registries: Registries) -> Given:
        """Write what is given into a folder of the rehearsal."""
        folder = folder.resolve()
        given = cls(
            resolver=folder / "resolv.conf",
            manager=folder / "manager.conf",
            shared=folder / "efs",
            registries=registries,
        )
        given.shared.mkdir(parents=True, exist_ok=True)
        given.resolver.write_text(f"nameserver {RESOLVER}\n")
        given.manager.write_text(registries.drop_in())
        return given


def host_name(address: str) -> str:
    """Return the name that AWS gives to a host with this private address."""
    return f"ip-{address.replace('.', '-')}"


def host_arguments(given: Given, *, network: str, address: str, label: str) -> list[str]:
    """Return the options of `docker run` for a host.

    It is not privileged: systemd and the units' own protections need to mount, within the
    container's own view, and nothing else that Docker would not give.

    Args:
        given: What all hosts of the rehearsal are given.
        network: Docker's name of the VPC's network.
        address: Its private one.
        label: As `key=value`.
    """
    return [
        *("--hostname", host_name(address)),
        *("--network", network, "--ip", address),
        *("--label", label),
        *STOP,
        *("--cap-add", "SYS_ADMIN"),
        *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
        # Of the machine's control groups a host sees its own part alone, of either version.
        *("--cgroupns", "private"),
        *("--tmpfs", "/run:exec,mode=755", "--tmpfs", "/run/lock"),
        *("--tmpfs", "/tmp:exec,mode=1777"),  # noqa: S108 - the container's
        *("--log-driver", "local", "--log-opt", "max-size=1m", "--log-opt", "max-file=2"),
        f"--mount=type=bind,source={given.resolver},target=/etc/resolv.conf,readonly",
        f"--mount=type=bind,source={given.manager},target={_MANAGER},readonly",
        f"--mount=type=bind,source={given.shared},target=/mnt/rehearsal-efs",
        *given.registries.mounts(),
    ]
