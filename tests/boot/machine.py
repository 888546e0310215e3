"""A folder as a fresh machine, on which user data is really run; what it calls is faked."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.boot import TEMPLATE, boot_text
from tests.boot.hosts import other

if TYPE_CHECKING:
    from components.boot import SchedulerHost, WorkerHost

COMMANDS = Path(__file__).with_name("commands.sh")
IMAGES = Path("images")
NAMES = ("aws", "curl", "systemctl", "dnf", "rpm", "apt-get", "dpkg-query", "useradd", "getent",
         "chown", "mount", "mountpoint", "blkid", "mkfs.xfs", "mdadm", "sleep")  # fmt: skip
AGENT = "opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"
INSTANCE = "i-0123456789abcdef0"
KIB = 7_936_204
PEM = "-----BEGIN THING-----\nabc\n-----END THING-----\n"

# Stands for the real one, which is tested by itself; of the environment only its Python counts.
INSTALL = """\
#!/bin/bash
echo "install.sh $*" >>"$FAKES/install.log"
if [[ $1 == --identity ]]; then
  cat "$FAKES/identity"
else
  [[ ! -e $FAKES/broken-build ]] || { echo "install.sh: uv could not" >&2; exit 1; }
  mkdir -p "$1/bin"
fi
"""


class Machine:
    """A host that has not booted yet."""

    def __init__(self, folder: Path, host: SchedulerHost | WorkerHost, os_id: str = "amzn") -> None:
        self.root = folder / "root"
        self.fakes = folder / "fakes"
        self.bin = folder / "bin"
        for path in (self.root / "etc", self.root / "proc", self.fakes / "faults", self.bin):
            path.mkdir(parents=True)
        (self.root / "proc" / "meminfo").write_text(f"MemTotal: {KIB} kB\nMemFree: 1 kB\n")
        quoted = f'"{os_id}"' if os_id == "amzn" else os_id
        (self.root / "etc" / "os-release").write_text(f'NAME="x"\nVERSION_ID="1"\nID={quoted}\n')
        self._fake()
        self.files: dict[str, str | bytes] = {
            "environment/install.sh": INSTALL,
            "environment/packages.txt": (IMAGES / "environment" / "packages.txt").read_bytes(),
            "requirements.txt": "x==1\n",
            "extra.txt": "",
            "python.txt": "3.12",
            "dask.yaml": "a: 1\n",
        }
        self.host = host
        self.put("identity", host.environment + "\n")
        self.put("installed", "")
        self.put("parameter.json", "{}")
        self.put("secret.json", json.dumps(dict.fromkeys(("authority", "certificate", "key"), PEM)))
        self.metadata = {"instance-id": INSTANCE, "local-ipv4": "10.0.1.7"}
        self.faults: dict[str, int] = {}
        self.variables: dict[str, str] = {}

    def put(self, name: str, text: str) -> None:
        file = self.fakes / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def boot(self, *, wrong_archive: bool = False) -> int:
        """Run the user data of the host, with the archive that `files` makes; return its code."""
        data = self._pack()
        digest = hashlib.sha256(data).hexdigest()
        (self.fakes / "archive.tar").write_bytes(data + b"x" * wrong_archive)
        for call, times in self.faults.items():
            self.put(f"faults/{call}", str(times))
        for path, text in self.metadata.items():
            self.put(f"metadata/{path}", text)
        key = f"archive/{digest}.tar"
        host = other(self.host, archive_key=key, archive_sha256=digest)
        text = boot_text(host, template=TEMPLATE)
        done = subprocess.run(
            ["bash", "-c", text],
            env={
                "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                "DASK_CLUSTER_ROOT": str(self.root),
                "FAKES": str(self.fakes),
                **self.variables,
            },
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.stdout == b""  # all of it is in the log
        return done.returncode

    @property
    def log(self) -> str:
        return (self.root / "var/log/dask-cluster-boot.log").read_text()

    def steps(self) -> list[str]:
        return [line[3:] for line in self.log.splitlines() if line.startswith("== ")]

    def calls(self, *start: str) -> list[list[str]]:
        """Return the calls that begin with these words."""
        records = (self.fakes / "calls").read_text().split("\x1e")[:-1]
        found = [record.split("\x1f")[:-1] for record in records]
        return [call for call in found if call[: len(start)] == list(start)]

    def operations(self) -> list[str]:
        """Return what AWS was asked for, in order."""
        return [" ".join(call[1:3]) for call in self.calls("aws")]

    def parameter(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.fakes / "parameter.json").read_text())
        return found

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def add(self, path: str) -> Path:
        """Put a file on the machine."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        return file

    def _fake(self) -> None:
        program = self.bin / "commands"
        shutil.copy(COMMANDS, program)
        program.chmod(0o755)
        agent = self.root / AGENT
        agent.parent.mkdir(parents=True)
        for path in (*(self.bin / name for name in NAMES), agent):
            path.symlink_to(program)
        if shutil.which("python3", path="/usr/bin:/bin") is None:
            (self.bin / "python3").symlink_to(sys.executable)

    def _pack(self) -> bytes:
        buffer = io.BytesIO()
        host = IMAGES / "host"
        real = {f"host/{p.relative_to(host)}": p for p in host.rglob("*") if p.is_file()}
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, path in real.items():
                tar.add(path, name)
            for name, text in self.files.items():
                data = text.encode() if isinstance(text, str) else text
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), 0o755 if name.endswith(".sh") else 0o644
                tar.addfile(entry, io.BytesIO(data))
        return buffer.getvalue()


def environment_of(text: str) -> dict[str, str]:
    """Return what systemd reads of an EnvironmentFile as simple as ours."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: value.strip('"') for name, _, value in pairs}


def cpus() -> int:
    return len(os.sched_getaffinity(0))
