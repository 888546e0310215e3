"""This machine's one Kubernetes: the first rehearsal that claims it starts it, the last ends it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox.kubernetes import build, starting
from sandbox.kubernetes import lacks as needs
from sandbox.kubernetes.box import Box
from sandbox.kubernetes.errors import KubernetesError
from sandbox.kubernetes.images import Host, Images
from sandbox.kubernetes.places import Place
from sandbox.machine import leftovers, lock
from sandbox.machine.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sandbox.machine.programs import Lack

LOCK_SECONDS: Final = 600.0


@dataclass(frozen=True)
class Running:
    """A Kubernetes that answers.

    Attributes:
        kubeconfig: File whose only context is `dask-rehearsal`, with all rights.
        docker_host: Address of the engine that builds images and pushes them, for `DOCKER_HOST`.
    """

    kubeconfig: Path
    docker_host: str


def lacks() -> list[Lack]:
    """Return everything that this machine lacks."""
    return needs.lacks()


def find(place: Place | None = None) -> Running | None:
    """Return the Kubernetes that runs on this machine, or nothing.

    Args:
        place: For tests.
    """
    place = place or Place()
    # The folder is root's: for another one it has nothing.
    if os.geteuid() != 0 or not starting.complete(place):
        return None
    return _running(place)


def start(
    claim: Path,
    cache: Path,
    *,
    say: Callable[[str], None],
    repositories: Collection[str] = (),
    place: Place | None = None,
) -> Running:
    """Start this machine's Kubernetes, or join the one that runs.

    One of which a program has died is started anew, empty.

    Args:
        claim: The rehearsal's folder; it keeps the cluster until it is released.
        cache: Where binaries and images are kept, for all rehearsals.
        say: Told what takes long.
        repositories: Of images (`ghcr.io/me/dask`), whose host our own registry answers for.
        place: For tests.

    Raises:
        KubernetesError: Something is missing (all of it is named), or does not start.
    """
    place = place or Place()
    claim.mkdir(parents=True, exist_ok=True)
    if found := lacks():
        raise KubernetesError(needs.message(found))
    for repository in repositories:
        Host.of(repository)
    cache = cache.absolute()
    # Minutes, the first time: nobody waits for them who only joins.
    binaries = None if starting.complete(place) else build.ensure(cache, say)
    with _alone(place):
        try:
            if starting.complete(place):
                starting.renew(place)
            else:
                _end(place)
                starting.start(place, cache, binaries or build.ensure(cache, say), say)
            _claim(place, claim)
            Images(place).answer_for(Box(place), repositories)
        except MachineError as error:
            raise KubernetesError(str(error)) from error
        finally:
            # Nobody would end what nobody has claimed.
            if not _claims(place):
                _end(place)
                shutil.rmtree(place.run)
    return _running(place)


def release(claim: Path, say: Callable[[str], None], *, place: Place | None = None) -> None:
    """Take back a claim; the last one ends everything. Where there is nothing, nothing happens.

    Raises:
        KubernetesError: Something did not end; call again then.
    """
    place = place or Place()
    if not place.run.exists():
        return
    if os.geteuid() != 0:
        raise KubernetesError("the Kubernetes of this machine is ended by root: say it with sudo")
    with _alone(place):
        _file(place, claim).unlink(missing_ok=True)
        claims = _claims(place)
        if claims:
            say(f"Kubernetes stays for {', '.join(map(str, claims))}")
            return
        say("ending Kubernetes")
        _end(place)
        shutil.rmtree(place.run)


def _running(place: Place) -> Running:
    return Running(place.kubeconfig, place.docker)


def _end(place: Place) -> None:
    """End the box, and remove what it leaves: cgroups, and a folder."""
    Box(place).end()
    leftovers.remove_cgroups(place.cgroup)
    if not place.run.exists():
        return
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(Path((place.run / "state").read_text()))
    for path in place.run.iterdir():
        if path in (place.claims, place.lock):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _alone(place: Place) -> contextlib.AbstractContextManager[None]:
    def busy() -> KubernetesError:
        return KubernetesError(
            f"another rehearsal is starting or ending the Kubernetes of this machine for "
            f"{LOCK_SECONDS:.0f} s: see who holds {place.lock}"
        )

    return lock.held(place.lock, LOCK_SECONDS, busy)


def _claim(place: Place, folder: Path) -> None:
    place.claims.mkdir(mode=0o700, parents=True, exist_ok=True)
    _file(place, folder).write_text(json.dumps(str(folder.resolve())))


def _file(place: Place, folder: Path) -> Path:
    return place.claims / hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]


def _claims(place: Place) -> list[Path]:
    """Return the folders that claim it, without those that are gone."""
    found = [Path(json.loads(file.read_text())) for file in sorted(place.claims.glob("*"))]
    return [folder for folder in found if folder.is_dir()]
