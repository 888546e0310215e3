"""The file systems of a host: its own disks, EFS and Lustre."""

from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING

import pytest

from tests.boot import hosts
from tests.boot.machine import Machine

if TYPE_CHECKING:
    from pathlib import Path

    from components.boot import WorkerHost

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hosts run Linux")


@pytest.mark.parametrize("disks", [1, 3])
def test_an_hpc_worker_has_its_storage(tmp_path: Path, disks: int) -> None:
    machine = Machine(tmp_path, _small(hosts.HPC_WORKER))
    ids = "dev/disk/by-id/nvme-Amazon_EC2_NVMe_Instance_Storage_AWS"
    for number in range(disks):
        device = machine.add(f"dev/nvme{number}n1")
        for suffix in ("", "-ns-1"):  # two names of one disk
            link = machine.root / f"{ids}{number}{suffix}"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(device)
    assert machine.boot() == 0, machine.log
    scratch = str(machine.root / "var/lib/dask/scratch")
    first = str(machine.root / ("dev/nvme0n1" if disks == 1 else "dev/md/dask"))
    mounts = [call[1:] for call in machine.calls("mount")]
    fsx = f"{hosts.HPC_WORKER.lustre.dns_name}@tcp:/a1b2c3d4"  # type: ignore[union-attr]
    assert mounts == [
        ["-o", "noatime", first, scratch],
        ["-t", "efs", "-o", "tls,_netdev", "fs-0123456789abcdef0:/", str(machine.root / "efs")],
        ["-t", "lustre", "-o", "relatime,flock,_netdev", fsx, str(machine.root / "fsx")],
    ]
    assert machine.calls("mkfs.xfs") == [["mkfs.xfs", "-q", "-K", first]]
    raid = machine.calls("mdadm")
    assert [call[-disks:] for call in raid] == (
        [] if disks == 1 else [[str(machine.root / f"dev/nvme{n}n1") for n in range(3)]]
    )
    # Of a new file system everybody may use the top; of another one nothing is changed.
    assert stat.S_IMODE((machine.root / "fsx").stat().st_mode) == 0o1777
    assert stat.S_IMODE((machine.root / "efs").stat().st_mode) == 0o755
    asked = machine.calls("dnf")[0]
    assert {"mdadm", "xfsprogs", "amazon-efs-utils", "lustre-client"} <= set(asked)


def _small(host: WorkerHost) -> WorkerHost:
    return hosts.other(host, processes=1, threads=1, memory=2**28)
