"""The processes of one cluster on this machine: how they are marked, found and ended.

Every process of a cluster carries the cluster's folder in its environment, and so do the
processes that it starts. A process is found by that mark alone: a pid file may be stale, and
its number may belong to a stranger by now.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from pathlib import Path

MARK = "DASK_CLUSTER_FOLDER"

# What of the caller's environment the cluster's processes get. They live long and every client
# can read theirs, so no secret is on the list; boto3 and s3fs find credentials in ~/.aws.
_PASSED = re.compile(
    "PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_.*|TZ|TMPDIR|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE"
    "|AWS_(PROFILE|REGION|DEFAULT_REGION|CONFIG_FILE|SHARED_CREDENTIALS_FILE|CA_BUNDLE)"
    "|(HTTPS?|NO|https?|no)_(PROXY|proxy)"
)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of the cluster's processes: a part of the caller's, marked."""
    kept = {key: value for key, value in os.environ.items() if _PASSED.fullmatch(key)}
    return kept | {MARK: str(folder), "DASK_CONFIG": str(folder / "dask.yaml")}


def of_cluster(folder: Path) -> list[psutil.Process]:
    """Return the running processes that carry the mark of the cluster in ``folder``."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(folder):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue  # gone meanwhile, or of another person: not one of ours
    return [p for p in found if p.pid != os.getpid()]


def end(folder: Path, *, grace: float = 0.0) -> int:
    """End every process of the cluster in ``folder`` and wait until none is left.

    Args:
        folder: The cluster's folder.
        grace: Seconds between asking (SIGTERM) and killing; 0 kills at once.

    Returns:
        How many processes were found.

    Raises:
        RuntimeError: One of them is still there 10 seconds after it was killed.
    """
    found = of_cluster(folder)
    if found and grace:
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        psutil.wait_procs(found, timeout=grace)
    # A process may have started another one while we looked: look until a round finds none.
    for _ in range(20):
        left = of_cluster(folder)
        if not left:
            return len(found)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=0.5)
    pids = ", ".join(f"{p.pid} ({p.name()})" for p in of_cluster(folder))
    raise RuntimeError(f"{folder}: these processes cannot be ended: {pids}")


def taken(port: int, *, folder: Path) -> str | None:
    """Say who holds a TCP port of this machine.

    Returns:
        None if the port is free or held by the cluster in ``folder``, else words such as
        ``nginx (pid 812)``.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return None
    for process in psutil.process_iter():
        try:
            holds = any(c.laddr.port == port for c in process.net_connections("tcp"))
            if holds and process.environ().get(MARK) == str(folder):
                return None
            if holds:
                return f"{process.name()} (pid {process.pid})"
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return "a process that cannot be seen from here"
