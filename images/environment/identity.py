# ruff: noqa: INP001  # a script beside install.sh, not a module of a package
"""The identity of an environment, and how a list of requirements is read: the one implementation.

Needs the standard library only, and runs in three places: from install.sh on hosts, imported by
the Pulumi program, and from tests. As a program it prints the identity:

    python identity.py --requirements FILE --python 3.11 [--extra FILE]
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path
from typing import NamedTuple

IMAGES = Path(__file__).resolve().parent.parent
SHORT = 16


class Pin(NamedTuple):
    """One line of a requirements file: `name==version ; marker --hash=...`."""

    name: str
    version: str
    marker: str
    line: str


def pins(text: str) -> list[Pin]:
    """Return the pins of a requirements file, sorted, without comments.

    Raises:
        ValueError: A line is something else than `name==version` with optional marker and hashes.
    """
    found = []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        words = line.split(" #")[0].split()
        if not words or words[0].startswith("#"):
            continue
        joined = " ".join(words)
        match = re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)(?: *; *(.*?))?(?= --hash=|$)", joined)
        if match is None:
            raise ValueError(f"not a pinned requirement: {joined}")
        name, version, marker = match.groups(default="")
        found.append(Pin(re.sub(r"[-_.]+", "-", name).lower(), version, marker, joined))
    return sorted(found, key=lambda pin: pin.line)


def copied_files(python: str, images: Path = IMAGES) -> dict[str, Path]:
    """Return what is copied into an environment: path inside its folder -> source.

    Args:
        python: Python's version, of which the minor counts.
        images: The folder that holds `environment/` and `node/`.
    """
    packages = f"lib/python{minor(python)}/site-packages"
    node = images / "node"
    files = {
        f"{packages}/{source.relative_to(node).as_posix()}": source
        for source in sorted((node / "dask_node").rglob("*.py"))
    }
    return {"etc/dask/dask.yaml": images / "environment" / "dask.yaml", **files}


def digest(requirements: str, python: str, extra: str = "", images: Path = IMAGES) -> str:
    """Return the sha256, in hex, of all that decides what an environment holds.

    That is: the pins with their hashes, Python's minor version, the extra packages, and the name
    and content of each file that is copied in. Comments and order do not count.

    Args:
        requirements: The text that `install.sh --export` prints.
        python: Such as `3.11` or `3.11.7`.
        extra: The text that `install.sh --resolve` prints; empty without extra packages.
        images: The folder that holds `environment/` and `node/`.
    """
    parts = {
        "python": minor(python).encode(),
        "requirements": _text(requirements),
        "extra": _text(extra),
    }
    for path, source in copied_files(python, images).items():
        parts[f"file {path}"] = source.read_bytes()
    total = hashlib.sha256()
    for label, content in parts.items():
        # With its length, so that nothing can move from one part to the next unseen.
        total.update(f"{label} {len(content)}\n".encode() + content)
    return total.hexdigest()


def identity(requirements: str, python: str, extra: str = "", images: Path = IMAGES) -> str:
    """Return the identity: the first 16 hex digits of `digest`, which is what everything shows."""
    return digest(requirements, python, extra, images)[:SHORT]


def minor(python: str) -> str:
    """Return `3.11` for `3.11.7`."""
    return ".".join(python.split(".")[:2])


def _text(requirements: str) -> bytes:
    return "\n".join(pin.line for pin in pins(requirements)).encode()


def main(arguments: list[str] | None = None) -> int:
    """Print the identity; return the exit code."""
    parser = argparse.ArgumentParser(description="Print the identity of an environment.")
    parser.add_argument("--requirements", type=Path, required=True)
    parser.add_argument("--extra", type=Path)
    parser.add_argument("--python", required=True, help="such as 3.11")
    given = parser.parse_args(arguments)
    extra = given.extra.read_text(encoding="utf-8") if given.extra else ""
    requirements = given.requirements.read_text(encoding="utf-8")
    try:
        found = identity(requirements, given.python, extra)
    except ValueError as error:
        sys.stderr.write(f"install.sh: {error}\n")
        return 2
    sys.stdout.write(found + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
