"""One operation at a time on a stack, across processes."""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from engine.errors import EngineError

WAIT_SECONDS: Final = 10.0
_QUIET_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 0.05


class Lock:
    """An exclusive flock on a file, as a context manager.

    The open file is handed down to the processes that an operation starts, so the stack is free
    only when the last of them is gone, however the first one ended.
    """

    def __init__(self, path: Path, *, waiting: Callable[[str], None]) -> None:
        """Name a lock.

        Args:
            path: The lock file; it is made if need be and holds the pid of its owner.
            waiting: Called once, after a second of waiting, with what is waited for.
        """
        self._path = path
        self._waiting = waiting
        self.fd = -1

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            EngineError: Another process still has it after ten seconds.
        """
        started = time.monotonic()
        told = False
        while not self._try():
            waited = time.monotonic() - started
            if waited >= WAIT_SECONDS:
                raise EngineError(
                    f"the stack is in use by {self._holder()} ({self._path}): "
                    "wait until that has ended, or end it, and try again"
                )
            if waited >= _QUIET_SECONDS and not told:
                told = True
                self._waiting(f"waiting for {self._holder()}, which holds {self._path}")
            time.sleep(_RETRY_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock as far as this process is concerned."""
        os.close(self.fd)
        self.fd = -1

    def _try(self) -> bool:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The last owner may have removed the file, or the folder, since it was opened.
            current = self._path.stat()
            mine = os.fstat(fd)
        except (BlockingIOError, FileNotFoundError):
            os.close(fd)
            return False
        if (current.st_ino, current.st_dev) != (mine.st_ino, mine.st_dev):
            os.close(fd)
            return False
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self.fd = fd
        return True

    def _holder(self) -> str:
        try:
            pid = self._path.read_text().strip()
        except FileNotFoundError:
            pid = ""
        return f"process {pid}" if pid else "another process"
