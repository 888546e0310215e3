"""What an engine leaves when it is killed: processes, mounts, cgroups."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sandbox.machine.programs import program

_KILL_SECONDS: Final = 10.0
_CGROUPS: Final = Path("/sys/fs/cgroup")


def processes(name: str, argument: str) -> list[int]:
    """Return the processes of a program that were started with an argument.

    Args:
        name: What the program's name begins with.
        argument: One of its arguments, the whole of it.
    """
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            # A zombie has no words.
            if Path(words[0]).name.startswith(name) and argument in words[1:]:
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def end(pids: Iterable[int], seconds: float) -> None:
    """End processes with SIGTERM, and with SIGKILL those that live longer than some seconds."""
    left = [(pid, descriptor) for pid in pids if (descriptor := _open(pid)) is not None]
    try:
        for sign, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, _KILL_SECONDS)):
            for _, descriptor in left:
                if patience:
                    with contextlib.suppress(ProcessLookupError):
                        signal.pidfd_send_signal(descriptor, sign)
            until = time.monotonic() + patience
            while left and time.monotonic() < until:
                time.sleep(0.05)
                for one in [one for one in left if dead(one[0])]:
                    left.remove(one)
                    os.close(one[1])
    finally:
        for _, descriptor in left:
            os.close(descriptor)


def in_cgroups(name: str) -> list[int]:
    """Return the processes below a cgroup, in every hierarchy."""
    found: set[int] = set()
    for top in _tops(name):
        for file in top.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                found |= {int(word) for word in file.read_text().split()}
    # 0 is a process of another namespace.
    return sorted(found - {0})


def remove_cgroups(name: str) -> None:
    """Remove a cgroup and what is below it; those with processes stay."""
    for top in _tops(name):
        folders = sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True)
        for folder in [*folders, top]:
            with contextlib.suppress(OSError):
                folder.rmdir()


def unmount(folder: Path) -> None:
    """Take away every mount at or below a folder."""
    below = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        # Spaces are written as \\040.
        place = line.split()[4].encode().decode("unicode_escape")
        if Path(place).is_relative_to(folder):
            below.append(place)
    command = program("umount") or "umount"
    for place in reversed(below):
        # Lazily: whoever still looks into it does not keep it.
        subprocess.run([command, "--lazy", place], capture_output=True, timeout=30, check=False)


def _tops(name: str) -> list[Path]:
    """Return a cgroup in the hierarchies of cgroup v1, and in the one of v2."""
    return [top for top in (*_CGROUPS.glob(f"*/{name}"), _CGROUPS / name) if top.is_dir()]


def _open(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def dead(pid: int) -> bool:
    """Return whether a process has ended; one of our own is forgotten then."""
    with contextlib.suppress(ChildProcessError):
        # Of our own children nobody else takes note.
        os.waitpid(pid, os.WNOHANG)
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in {"Z", "X"}
