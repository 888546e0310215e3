"""A cluster's environment, built into the root of its hosts: a boot finds it there.

It is built as `images/host/boot.sh` builds it, by the archive's own `install.sh` on the host's own
Python.
"""

from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING, Final

from sandbox.hosts.errors import HostsError
from sandbox.hosts.names import DIRECT
from sandbox.hosts.root_image import BUILDER, STOP, changes, labelled
from sandbox.machine.registries import Registries

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.machine.docker import Docker

_SECONDS: Final = 1800
_UNPACKED: Final = "/root/archive"
_CACHE: Final = "/mnt/uv-cache"
_INSTALL: Final = """
set -eu
cd "$0"
environment/install.sh "/opt/dask-cluster/$1" --expect "$1" --python "python$(cat python.txt)" \
  --requirements requirements.txt --extra extra.txt
rm -rf "$0" /tmp/* /root/.cache
"""


def ensure(
    docker: Docker,
    base_tag: str,
    archive: bytes,
    identity: str,
    say: Callable[[str], None],
    *,
    label: str = "",
    uv_cache: Path | None = None,
) -> str:
    """Return the tag of the image, after building it where it is not there.

    Args:
        docker: The engine that has it.
        base_tag: Image of the root of hosts.
        archive: The tar that the cluster's machines boot from.
        identity: Of its environment.
        say: Told what takes long.
        label: As `key=value`, of the container in which it is built, which a kill leaves.
        uv_cache: A folder of uv's with what was downloaded before; it is added to.

    Raises:
        HostsError: It cannot be built, in the words of `install.sh`.
    """
    tag = f"{base_tag}-{identity}"
    if docker.image_exists(tag):
        return tag
    say(f"building the environment {identity} for hosts")
    registries = Registries.here(direct=DIRECT)
    name = f"{BUILDER}-{os.getpid()}-{identity}"
    cached, variables = _cached(uv_cache)
    docker.remove(name)
    try:
        # Nothing of this machine's that is told to `exec` alone is in the image.
        options = ("--network", "host", *STOP, *labelled(label), *registries.mounts(), *cached)
        docker.run(name, base_tag, options, ("sleep", str(_SECONDS)))
        docker.put(name, _below(archive, _UNPACKED))
        done = docker.exec(
            name, "bash", "-c", _INSTALL, _UNPACKED, identity,
            environment={"HOME": "/root", **registries.variables, **variables}, seconds=_SECONDS,
        )  # fmt: skip
        if done.returncode:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
            raise HostsError(f"the environment {identity} cannot be built for hosts:\n{said}")
        docker.commit(name, tag, changes(label))
    finally:
        docker.remove(name)
    return tag


def identity_of(tag: str) -> str:
    """Return the identity of the environment that an image has, or nothing for the root alone."""
    return tag.partition(":")[2].partition("-")[2]


def _cached(uv_cache: Path | None) -> tuple[list[str], dict[str, str]]:
    """Return options and variables with which a build uses uv's cache, on another file system."""
    if uv_cache is None:
        return [], {}
    uv_cache.mkdir(parents=True, exist_ok=True)
    mount = f"--mount=type=bind,source={uv_cache.resolve()},target={_CACHE}"
    return [mount], {"UV_CACHE_DIR": _CACHE, "UV_LINK_MODE": "copy"}


def _below(archive: bytes, folder: str) -> bytes:
    """Return a tar with its files below a folder, which `docker cp` would not make."""
    buffer = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as given,
        tarfile.open(fileobj=buffer, mode="w") as tar,
    ):
        for entry in given:
            entry.name = f"{folder.lstrip('/')}/{entry.name}"
            tar.addfile(entry, given.extractfile(entry) if entry.isfile() else None)
    return buffer.getvalue()
