"""The nanny's part of a drain: on SIGTERM, or after its lifetime, empty the workers and end.

One process may hold several nannies (`--nworkers`); they are one place and end together.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import random
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import rpc
from distributed.core import Status

from dask_node.drain.scheduler import DRAIN_OPERATION, Drained

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import FrameType

    from distributed import Nanny

logger = logging.getLogger("distributed.dask_node.drain")

DRAIN_VARIABLE = "DASK_CLUSTER_DRAIN_SECONDS"
LIFETIME_VARIABLE = "DASK_CLUSTER_LIFETIME_SECONDS"
# A file in which whoever sends SIGTERM may have left `{"reason": ..., "seconds": ...}`.
NOTICE_VARIABLE = "DASK_CLUSTER_NOTICE"
DRAIN_SECONDS = 900.0
# The scheduler keeps the deadline; this much later it is given up as unreachable.
SLACK_SECONDS = 5.0
# Workers that were started together must not end together.
STAGGER = 0.1


class Place:
    """The nannies of this process.

    Attributes:
        nannies: All of them.
        told: Whether somebody told the process to end: then it is not to be started again.
    """

    def __init__(self) -> None:
        self.nannies: list[Nanny] = []
        self.told = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._previous: Any = None
        self._tasks: set[asyncio.Task[None]] = set()  # asyncio itself would forget them

    def add(self, nanny: Nanny) -> None:
        """Take in a nanny; the first one brings the handler of the signal and the lifetime."""
        self.nannies.append(nanny)
        if len(self.nannies) > 1:
            return
        self._loop = asyncio.get_running_loop()
        # Dask has set its own handler before it starts its nannies (distributed/_signals.py).
        self._previous = signal.signal(signal.SIGTERM, self._on_signal)
        lifetime = float(os.environ.get(LIFETIME_VARIABLE) or 0)
        if lifetime:
            self._end_after(lifetime)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Begin to drain. A second signal ends at once, as with Dask itself."""
        self.told = True
        signal.signal(signal.SIGTERM, self._previous)
        # No logging in a signal handler (distributed/_signals.py): the loop does the rest.
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._drain_and_end, number, frame)

    def _drain_and_end(self, number: int, frame: FrameType | None) -> None:
        async def drain() -> None:
            for nanny in self._alive():
                # A worker that dies now is not to be started again.
                nanny.close_gracefully(reason="drain")
            try:
                await self._drain(**_notice(), must_end=True)
            finally:
                if callable(self._previous):
                    self._previous(number, frame)

        self._start(drain())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _alive(self) -> list[Nanny]:
        """Return the nannies that have not ended by themselves."""
        ended = (Status.closing, Status.closed, Status.failed)
        return [nanny for nanny in self.nannies if nanny.status not in ended]

    def _end_after(self, lifetime: float) -> None:
        loop = asyncio.get_running_loop()
        seconds = lifetime * (1 + STAGGER * random.uniform(-1, 1))  # noqa: S311  # no secret

        async def end() -> None:
            answer = await self._drain(reason="lifetime", seconds=_drain_seconds(), must_end=False)
            if self.told:
                return  # it ends now because of that, with a drain of its own
            if answer is None or not answer["ended"]:
                self._end_after(lifetime * STAGGER)
                return
            # The process ends with the code of one that is to be started again.
            await asyncio.gather(*(nanny.close(reason="lifetime") for nanny in self._alive()))

        def begin() -> None:
            if not self.told:
                self._start(end())

        loop.call_later(seconds, begin)

    async def _drain(self, *, reason: str, seconds: float, must_end: bool) -> Drained | None:
        """Ask the scheduler to empty the workers; None if it does not answer."""
        nannies = self._alive()
        # Dask calls a worker that was given no name by its address.
        names = [n.worker_address if n.name is None else n.name for n in nannies]
        shown = ", ".join(map(str, names))
        logger.info("Ending: %s. Draining %s within %g s", reason, shown, seconds)
        try:
            async with asyncio.timeout(seconds + SLACK_SECONDS):
                # Not by a nanny's own connection: it ends with its worker, also if that one dies.
                one = self.nannies[0]
                async with rpc(one.scheduler_addr, connection_args=one.connection_args) as server:
                    answer: Drained = await getattr(server, DRAIN_OPERATION)(
                        names=names, seconds=seconds, reason=reason, must_end=must_end
                    )
        except Exception:
            # Whatever it is, the process must end: it was told to.
            logger.exception("The scheduler did not drain %s; data may be lost", shown)
            return None
        if answer["lost"]:
            logger.error("LOST %d results: %s", answer["lost"], answer["why"])
        if answer["ended"]:
            logger.info(
                "Drained: %d results handed over (%d bytes)", *(answer["keys"], answer["bytes"])
            )
        return answer


PLACE = Place()
"""The place that this process is; there is one process for each."""


def install(nanny: Nanny) -> None:
    """Let this nanny empty its worker before it ends."""
    PLACE.add(nanny)


def _drain_seconds() -> float:
    return float(os.environ.get(DRAIN_VARIABLE) or DRAIN_SECONDS)


def _notice() -> dict[str, Any]:
    """Return why this process ends and how long that may take."""
    found: dict[str, Any] = {"reason": "SIGTERM", "seconds": _drain_seconds()}
    path = Path(os.environ.get(NOTICE_VARIABLE) or os.devnull)
    try:
        # Read as a whole before it is believed: whoever wrote it may have been killed meanwhile.
        told = found | json.loads(path.read_text() or "{}")
        reason, seconds = str(told["reason"]), float(told["seconds"])
    except FileNotFoundError:
        return found
    except (OSError, ValueError, TypeError) as error:
        logger.warning("The notice %s cannot be read: %s", path, error)
        return found
    if not 0 <= seconds < math.inf:
        logger.warning("The notice %s gives %s seconds", path, seconds)
        return found
    return {"reason": reason, "seconds": seconds}
