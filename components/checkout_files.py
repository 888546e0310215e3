"""The files of this checkout that other machines get, in an archive or in a build's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# What only a build of images reads. An edit of it is no other file for a host.
DOCKERFILE = "Dockerfile"


class CheckoutFile(NamedTuple):
    """One of them.

    Attributes:
        name: Its path, as the other machine knows it.
        data: Its bytes.
        executable: Whether it is a program.
    """

    name: str
    data: bytes
    executable: bool = False


def checkout_files(sources: Mapping[str, Path], root: Path) -> Iterator[CheckoutFile]:
    """Yield the files of some folders, always in the same order.

    Args:
        sources: Folders of the checkout, by the names under which the other machine knows them.
        root: The checkout.
    """
    for folder, source in sources.items():
        for path in sorted((root / source).rglob("*")):
            inside = path.relative_to(root / source)
            # What an editor or a file manager leaves there must not be another archive.
            hidden = any(part.startswith((".", "__pycache__")) for part in inside.parts)
            left = hidden or path.name.endswith("~") or path.name == DOCKERFILE
            if path.is_file() and not left:
                executable = bool(path.stat().st_mode & 0o100)
                yield CheckoutFile(f"{folder}/{inside.as_posix()}", path.read_bytes(), executable)
