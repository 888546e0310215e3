"""Preload of nannies: a file that is there while all workers of this process are registered.

Active where `DASK_CLUSTER_READY_FILE` names it. Whoever keeps the process running asks for it, such
as the readiness probe of a pod.

The file is there while a worker that has reached its lifetime hands over its data: it still
serves them. When a group of pods shrinks, those that are not ready go before any that was chosen.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from distributed.core import Status

from dask_node.worker import READY_VARIABLE

if TYPE_CHECKING:
    from distributed import Nanny

logger = logging.getLogger("distributed.dask_node.ready")

LOOK_SECONDS = 0.5


class Ready:
    """Keeps the file for the nannies of this process.

    Args:
        file: Its folder is there.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._nannies: list[Nanny] = []
        self._complaint = ""
        self._task: asyncio.Task[None] | None = None

    def add(self, nanny: Nanny) -> None:
        """Take in a nanny; what a process before this one left is gone from here on."""
        self._nannies.append(nanny)
        self.look()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._watch())

    def look(self) -> None:
        """Make the file, or remove it."""
        try:
            if all(map(_registered, self._nannies)):
                self.file.touch()
            else:
                self.file.unlink(missing_ok=True)
        except OSError as error:
            if str(error) != self._complaint:
                logger.error("Nobody learns whether this worker is ready: %s", error)  # noqa: TRY400
            self._complaint = str(error)

    async def _watch(self) -> None:
        """Look again and again; Dask tells nobody of a worker that comes or goes."""
        try:
            while True:
                self.look()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            with contextlib.suppress(OSError):
                self.file.unlink(missing_ok=True)


def dask_setup(nanny: Nanny) -> None:
    """Begin, if there is to be a file; Dask calls this as each nanny starts."""
    if _READY:
        _READY.add(nanny)


def dask_teardown(_: Nanny) -> None:
    """Say at once that this nanny ends."""
    if _READY:
        _READY.look()


def _registered(nanny: Nanny) -> bool:
    """Say whether a nanny's worker is there.

    A worker process is running to its nanny from its registration on (`WorkerProcess._run`). A
    worker that closes tells its nanny first (`Worker.close`), also if its scheduler has gone away.
    """
    process = nanny.process
    return process is not None and nanny.status == process.status == Status.running


_named = os.environ.get(READY_VARIABLE)
_READY = Ready(Path(_named)) if _named else None
