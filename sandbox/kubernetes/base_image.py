"""The image that the environment's is built on, made of Debian's Python and kept in our engine.

It bears the name of the one on Docker Hub, `python:3.11-slim-bookworm`, so that no build here needs
Docker Hub. What it has beside that one is this machine's way to package registries.
"""

from __future__ import annotations

import hashlib
import shlex
from typing import TYPE_CHECKING, Final

from sandbox.machine import apt_sources, debian
from sandbox.machine.docker_calls import tar_of
from sandbox.machine.registries import Registries

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.machine.docker import Docker

NAME: Final = "python:3.11-slim-bookworm"
_PACKAGES: Final = ("ca-certificates", "netbase", "python3", "python3-pip", "python3-venv", "tini")
# As in hosts' roots: nobody reads them in a container.
_TRIMS: Final = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
_PLAIN: Final = "dask-cluster-python"
_FINISH: Final = """
set -eu
# The one on Docker Hub has its Python here, and lets pip write into it.
for name in python3 python3.11 pip3; do ln -s "/usr/bin/$name" "/usr/local/bin/$name"; done
ln -s python3 /usr/local/bin/python
ln -s pip3 /usr/local/bin/pip
rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
"""


def ensure(docker: Docker, cache: Path, say: Callable[[str], None]) -> None:
    """Make the image where it is not there.

    Args:
        docker: The engine that has it.
        cache: Keeps its root as a tar.
        say: Told what takes long.

    Raises:
        MachineError: It cannot be made.
    """
    registries = Registries.here()
    files = {path: file.read_text() for path, file in registries.files.items() if file.is_file()}
    variables = {
        name: value
        for name, value in registries.variables.items()
        # Folders of this machine are not in the image.
        if not name.endswith("FIND_LINKS") or "://" in value
    }
    made_of = [apt_sources.RELEASE, *_PACKAGES, *_TRIMS, _FINISH, repr(files), repr(variables)]
    key = hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:12]
    tag = f"{_PLAIN}:{key}"
    if not docker.image_exists(tag):
        plain = hashlib.sha256("\n".join(made_of[:-2]).encode()).hexdigest()[:12]
        tar = cache / f"python-{plain}.tar"
        if not tar.exists():
            say(f"installing Debian {apt_sources.RELEASE} with Python, for images of environments")
            for old in cache.glob("python-*.tar*"):
                old.unlink()
            debian.make(tar, _PACKAGES, trims=_TRIMS, what="the image of Python")
        _finish(docker, tar, tag, files, variables)
    docker.call("tag", tag, NAME)


def _finish(
    docker: Docker, tar: Path, tag: str, files: dict[str, str], variables: dict[str, str]
) -> None:
    name = "dask-cluster-python"
    docker.remove(name)
    docker.image_import(tar, f"{_PLAIN}:debian")
    try:
        docker.create(name, f"{_PLAIN}:debian", ("--network=none",), ("sh", "-c", _FINISH))
        docker.put(name, tar_of(files))
        docker.start(name)
        docker.wait(name, seconds=60)
        changes = [
            "ENV LANG=C.UTF-8",
            *(f"ENV {each}={shlex.quote(value)}" for each, value in variables.items()),
            'CMD ["python3"]',
        ]
        docker.commit(name, tag, changes)
    finally:
        docker.remove(name)
