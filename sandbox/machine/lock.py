"""One at a time: a lock whose file may be removed by who holds it."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def held(path: Path, seconds: float, busy: Callable[[], Exception]) -> Iterator[None]:
    """Keep everybody else from holding the same lock meanwhile.

    Args:
        path: Of the lock's file; its folder is made where it is missing.
        seconds: How long to wait for another holder.
        busy: Makes the error of one that holds it longer.
    """
    until = time.monotonic() + seconds
    while (lock := _lock(path)) is None:
        if time.monotonic() > until:
            raise busy()
        time.sleep(0.1)
    try:
        yield
    finally:
        os.close(lock)


def _lock(path: Path) -> int | None:
    """Return a descriptor that holds the lock; closing it lets go."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        lock = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The last user removes the file: the lock of one that is gone keeps nobody out.
            if os.path.samestat(os.fstat(lock), path.stat()):
                return lock
        os.close(lock)
    return None
