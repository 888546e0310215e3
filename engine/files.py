"""Writing files so that a crash leaves the old or the new one, and saying why a disk refuses."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from engine.errors import EngineError

_REMEDIES: Final = {
    errno.ENOSPC: "the disk is full: free some space and try again",
    errno.EDQUOT: "the disk quota is used up: free some space and try again",
    errno.EROFS: "the disk is read-only: make it writable, or name another folder",
    errno.EACCES: "permission denied: make it writable, or name another folder",
    errno.EPERM: "permission denied: make it writable, or name another folder",
}


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Turn a disk's refusal into a message that says what to do.

    Args:
        folder: What the message names if the system does not name a file.

    Raises:
        EngineError: The disk is full or read-only, or the folder belongs to somebody else.
    """
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0)
        if remedy is None:
            raise
        path = error.filename or folder
        raise EngineError(f"could not write {path}: {remedy}") from error


def replace(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all.

    Raises:
        OSError: It could not be written; the old one, if there was one, is still there.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    # The new name lasts once the folder is written too.
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
