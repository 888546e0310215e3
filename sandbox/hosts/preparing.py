"""What has to be on this machine before hosts can be: Docker, and the root of all hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.hosts import root_image
from sandbox.hosts.ground import Ground

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.machine.docker import Docker


@dataclass(frozen=True)
class Ready:
    """A machine that can be a cloud.

    Attributes:
        docker: Its engine.
        root: The image of all hosts.
    """

    docker: Docker
    root: str


def prepare(folder: Path, cache: Path, *, say: Callable[[str], None]) -> Ready:
    """Take this machine for a rehearsal, and build what is missing: the first time some minutes.

    Args:
        folder: The server's own; `ground.undo` of it gives the machine back.
        cache: Where images are kept.
        say: Told what takes long.

    Raises:
        HostsError: Something is missing (all of it is named), or cannot be built.
    """
    ground = Ground(folder, cache)
    ground.take(say)
    return Ready(
        ground.docker, root_image.ensure(ground.docker, cache, say, label=ground.names.label)
    )
