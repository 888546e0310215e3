"""Files that nobody else can read, and that are never half there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MODE = 0o600


def write(path: Path, text: str) -> None:
    """Replace a file, mode 0600, in folders of mode 0700 that are made if need be.

    Raises:
        RuntimeError: It cannot be written, with the reason.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise RuntimeError(f"{path} cannot be written: {error.strerror}.") from error
