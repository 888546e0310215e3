"""Who uses this machine: a file for each rehearsal, under one lock."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from sandbox.hosts.errors import HostsError
from sandbox.hosts.sysctls import BOOT
from sandbox.machine import lock

RUN: Final = Path("/run/dask-cluster-hosts")
LOCK_SECONDS: Final = 180.0


@dataclass(frozen=True)
class User:
    """A rehearsal that uses this machine, until it is undone.

    Attributes:
        folder: Where its server keeps itself.
        pid: The server's process.
        started: When that started, as the kernel counts it.
        boot: Of the machine, in which that was.
        data: Of our own Docker.
        docker: The address of the engine that its hosts run on.
    """

    folder: str
    pid: int
    started: str
    boot: str
    data: str
    docker: str

    @classmethod
    def this(cls, folder: Path, data: Path, docker: str) -> "User":
        """Return the user that this process is."""
        pid = os.getpid()
        places = (str(folder.resolve()), pid, _started(pid) or "", BOOT.read_text().strip())
        return cls(*places, str(data), docker)

    @property
    def alive(self) -> bool:
        """Whether its server runs: a pid is given out again, but not with its start time."""
        same_boot = self.boot == BOOT.read_text().strip()
        return same_boot and _started(self.pid) == self.started

    @classmethod
    def read(cls, file: Path) -> "User | None":
        """Return the user that a file has, None without one."""
        try:
            return cls(**json.loads(file.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise HostsError(f"{file} cannot be read ({error}): remove it by hand") from error

    def write(self, file: Path) -> None:
        """Write the file, in one step."""
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = file.with_suffix(".new")
        beside.write_text(json.dumps(asdict(self)))
        beside.replace(file)


class Machine:
    """What all rehearsals on this machine share."""

    def __init__(self, run: Path = RUN) -> None:
        """Name it.

        Args:
            run: The folder of the state; short, for it has a socket. It does not outlive a
                restart of the machine, or is recognised as old.
        """
        self.run = run

    def file(self, key: str) -> Path:
        """Return the file of a rehearsal."""
        return self.run / "users" / f"{key}.json"

    def users(self) -> dict[str, User]:
        """Return all users by their keys, also those whose server is dead."""
        files = sorted((self.run / "users").glob("*.json"))
        return {file.stem: user for file in files if (user := User.read(file)) is not None}

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other rehearsal from changing the machine meanwhile.

        Raises:
            HostsError: Another one does so for three minutes.
        """
        path = self.run / "lock"

        def busy() -> HostsError:
            return HostsError(
                f"another rehearsal is changing this machine for {LOCK_SECONDS:.0f} s: see who "
                f"holds {path}"
            )

        with lock.held(path, LOCK_SECONDS, busy):
            yield


def _started(pid: int) -> str | None:
    """Return when a process started, in ticks since the machine did; None if it is dead."""
    try:
        # The name before it may have spaces and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in {"Z", "X"} else fields[19]
