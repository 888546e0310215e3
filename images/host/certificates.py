# ruff: noqa: INP001  # a script of a host, not a module of a package
"""Write the certificate of a host from its secret: `certificates.py FOLDER`, the JSON on stdin.

Needs the standard library only, of whatever Python 3 the machine has.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

FILES = {"authority": "authority.pem", "certificate": "certificate.pem", "key": "key.pem"}


def write(folder: Path, secret: str) -> None:
    """Write the three files, mode 0400, each in one step.

    Raises:
        ValueError: The secret is not what it should be. What it holds is not said.
    """
    try:
        found = json.loads(secret)
        texts = {file: found[name] for name, file in FILES.items()}
    except (ValueError, KeyError, TypeError):
        raise ValueError("the secret is no JSON with authority, certificate and key") from None
    if not all(isinstance(text, str) and text.startswith("-----BEGIN ") for text in texts.values()):
        raise ValueError("the secret holds something else than PEM")
    for file, text in texts.items():
        partial = folder / f"{file}.partial"
        partial.unlink(missing_ok=True)
        # Nobody else can read it from its first byte on.
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as out:
            out.write(text)
        partial.replace(folder / file)


if __name__ == "__main__":
    try:
        write(Path(sys.argv[1]), sys.stdin.read())
    except ValueError as wrong:
        sys.exit(f"!! {wrong}")
