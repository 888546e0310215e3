"""The server's only lock, and what happens later.

Everything that reads or changes the account holds the lock: each request of a client, and each
step that is due. moto is not made for threads, and so neither it nor our parts need a lock of
their own.
"""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple

_LOG: Final = logging.getLogger(__name__)


class _Step(NamedTuple):
    due: float  # by `time.monotonic`
    number: int
    real: bool  # whether it waits by real time, whatever the speed
    run: Callable[[], None]


class Clock:
    """Runs steps when they are due, one at a time and under the lock.

    Attributes:
        lock: Held by every request and every step.
        failed: How many steps failed: always 0, or the server itself has a fault (see its log).
    """

    def __init__(self, *, speed: float = 1.0) -> None:
        self.lock = threading.RLock()
        self.failed = 0
        self._speed = speed
        # When the speed was last changed: by `time.monotonic`, and by `now`.
        self._changed = self._passed = time.monotonic()
        self._due = threading.Condition(self.lock)
        self._steps: list[_Step] = []
        self._numbers = itertools.count()
        self._ended = False

    @property
    def speed(self) -> float:
        """How much faster than real time the waits of AWS pass, such as heartbeats.

        A change also holds for what waits already: the rest of its time passes at the new speed.
        """
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        with self.lock:
            self._passed, self._changed = self.now(), time.monotonic()
            slower, self._speed = self._speed / speed, speed
            self._steps = [
                step
                if step.real
                else step._replace(due=self._changed + (step.due - self._changed) * slower)
                for step in self._steps
            ]
            heapq.heapify(self._steps)
            self._due.notify()

    def now(self) -> float:
        """Return seconds of the account's time, for differences only."""
        return self._passed + (time.monotonic() - self._changed) * self._speed

    def after(self, seconds: float, step: Callable[[], None]) -> None:
        """Run a step after some seconds of the account's time.

        Args:
            seconds: As AWS counts them; divided by the speed.
            step: Run under the lock. It must be harmless if it is no longer wanted.
        """
        with self.lock:
            self._add(seconds / self._speed, step, real=False)

    def soon(self, seconds: float, step: Callable[[], None]) -> None:
        """Run a step after some seconds of real time, whatever the speed."""
        self._add(seconds, step, real=True)

    def forget(self) -> None:
        """Drop every step that is not yet due: the account starts anew."""
        with self.lock:
            self._steps.clear()

    def start(self) -> None:
        """Run steps from now on, in a thread of its own."""
        threading.Thread(target=self._run, name="clock", daemon=True).start()

    def end(self) -> None:
        """Run no more steps."""
        with self.lock:
            self._ended = True
            self._due.notify()

    def _add(self, seconds: float, step: Callable[[], None], *, real: bool) -> None:
        with self.lock:
            due = time.monotonic() + seconds
            heapq.heappush(self._steps, _Step(due, next(self._numbers), real, step))
            self._due.notify()

    def _run(self) -> None:
        while True:
            with self.lock:
                while not self._ended and not self._is_due():
                    self._due.wait(self._seconds_to_next())
                if self._ended:
                    return
                step = heapq.heappop(self._steps)
                try:
                    step.run()
                except Exception:  # noqa: BLE001  (see `failed`)
                    # A fault in one step must not stop the time of the whole account.
                    self.failed += 1
                    _LOG.exception("a step of the account failed")
            # Requests that wait for the lock come first, else a thousand steps would starve them.
            time.sleep(0)

    def _is_due(self) -> bool:
        return bool(self._steps) and self._steps[0].due <= time.monotonic()

    def _seconds_to_next(self) -> float | None:
        return max(0.0, self._steps[0].due - time.monotonic()) if self._steps else None


def timestamp() -> datetime:
    """Return the time as moto's serialisers want it: UTC without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)
