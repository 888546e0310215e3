"""The root of all hosts: Debian with systemd and cloud-init, as an image of Docker.

Its recipe is the folder `root`, with the packages that `images/` asks hosts to have, so that a boot
installs none. It is kept by a hash of the recipe; what Debian has changed since is in it when the
recipe changes, or when image and cache are removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox.hosts.errors import HostsError
from sandbox.machine import apt_sources, debian

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.machine.docker import Docker

RECIPE: Final = Path(__file__).with_name("root")
IMAGES: Final = Path(__file__).parents[2] / "images"
TABLES: Final = (IMAGES / "environment" / "packages.txt", IMAGES / "host" / "packages.txt")
REPOSITORY: Final = "dask-cluster-host"
CHANGES: Final = (
    "ENV container=docker",
    "ENV LANG=C.UTF-8",
    "ENTRYPOINT []",
    'CMD ["/usr/local/sbin/host-init"]',
)
"""What every image of hosts says of itself, with `STOP`, which Docker does not take as a change."""
STOP: Final = ("--stop-signal", "SIGRTMIN+3")
"""Options of a container whose first process is systemd: what ends it in an orderly way."""
BUILDER: Final = "dask-cluster-build"
"""How the names of containers begin in which images are built; they are gone afterwards."""

# Packages that are not Debian's, and that finish.sh makes.
_STAND_INS: Final = {"amazon-efs-utils"}
# Needs that a container cannot have: disks of its own.
_NEVER: Final = {"nvme"}
_INSIDE: Final = "/root/recipe"


def ensure(docker: Docker, cache: Path, say: Callable[[str], None], *, label: str = "") -> str:
    """Return the tag of the image, after building it where it is not there.

    Args:
        docker: The engine that has it.
        cache: Folder that keeps the Debian root as a tar, of which one is kept.
        say: Told what takes long.
        label: As `key=value`, of the container in which it is built, which a kill leaves.

    Raises:
        HostsError: It cannot be built.
    """
    tag = f"{REPOSITORY}:{recipe_hash()}"
    if docker.image_exists(tag):
        return tag
    cache.mkdir(parents=True, exist_ok=True)
    with alone(cache / "root.lock"):
        if not docker.image_exists(tag):
            tar = _debian(cache, say)
            say("building the root of hosts")
            _finish(docker, tar, tag, label)
    return tag


def labelled(label: str) -> list[str]:
    """Return the options of a container in which an image is built."""
    return ["--label", label] if label else []


def changes(label: str) -> list[str]:
    """Return what an image says of itself; its containers do not inherit the label's value."""
    return [*CHANGES, f"LABEL {label.partition('=')[0]}="] if label else [*CHANGES]


def packages() -> list[str]:
    """Return the Debian packages of the root, sorted."""
    named = set(_words(RECIPE / "packages.txt"))
    for table in TABLES:
        for line in table.read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                need, debian, _amazon = line.split()
                if need not in _NEVER:
                    named.update(debian.split(","))
    return sorted(named - {"-"} - _STAND_INS)


def recipe_hash() -> str:
    """Return the hash of all that the image is made of, in hex."""
    digest = hashlib.sha256(_debian_hash().encode())
    digest.update("\n".join(CHANGES).encode())
    digest.update(_recipe_tar())
    return digest.hexdigest()[:12]


def _debian_hash() -> str:
    made_of = [apt_sources.RELEASE, *packages(), *_words(RECIPE / "trim.txt")]
    return hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:12]


def _debian(cache: Path, say: Callable[[str], None]) -> Path:
    """Return the tar of the Debian root."""
    tar = cache / f"debian-{_debian_hash()}.tar"
    if tar.exists():
        return tar
    say(f"installing Debian {apt_sources.RELEASE} for hosts: {len(packages())} packages and theirs")
    for old in cache.glob("debian-*.tar*"):
        old.unlink()
    trims = _words(RECIPE / "trim.txt")
    debian.make(tar, packages(), trims=trims, what="the Debian root of hosts")
    return tar


def _finish(docker: Docker, tar: Path, tag: str, label: str) -> None:
    """Make the image of the tar and the recipe's files."""
    plain = f"{REPOSITORY}:debian-{_debian_hash()}"
    name = f"{BUILDER}-{os.getpid()}-root"
    if not docker.image_exists(plain):
        docker.image_import(tar, plain)
    docker.remove(name)
    try:
        docker.create(
            name,
            plain,
            ("--network", "none", *STOP, *labelled(label)),
            ("bash", f"{_INSIDE}/finish.sh"),
        )
        docker.put(name, _recipe_tar())
        docker.start(name)
        if code := docker.wait(name, seconds=120):
            said = docker.logs(name)
            raise HostsError(f"the root of hosts cannot be finished (code {code}):\n{said}")
        docker.commit(name, tag, changes(label))
    finally:
        docker.remove(name)


def _recipe_tar() -> bytes:
    """Return the files to lay over, and the script with what it needs, as one tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, inside in _recipe_files():
            entry = tarfile.TarInfo(inside.lstrip("/"))
            entry.mode = 0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644
            if path.is_dir():
                entry.type = tarfile.DIRTYPE
                tar.addfile(entry)
            else:
                entry.size = path.stat().st_size
                tar.addfile(entry, io.BytesIO(path.read_bytes()))
    return buffer.getvalue()


def _recipe_files() -> Iterator[tuple[Path, str]]:
    overlay = RECIPE / "files"
    for path in sorted(overlay.rglob("*")):
        yield path, f"/{path.relative_to(overlay)}"
    yield RECIPE / "finish.sh", f"{_INSIDE}/finish.sh"
    for path in sorted((RECIPE / "efs").rglob("*")):
        yield path, f"{_INSIDE}/{path.relative_to(RECIPE)}"


def _words(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Keep other rehearsals of this machine from the same work; they find it done."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
