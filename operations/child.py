"""A command that is run for a person, between an opening and a closing that must take place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
BY_SIGNAL = 128  # a shell's exit code for a command that a signal has ended, less its number
LOOK_SECONDS = 1.0


class Signals:
    """Takes the signals that would end this process, so that what it has opened is closed.

    Before there is a child they end the ``with`` block by an exception. A child gets them, and its
    end is waited for. After that they have nothing to do.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._over = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in SIGNALS:
            # `nohup` ignores one, and then it stays ignored: by the child too.
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() has returned

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], look: Callable[[], None]
    ) -> int:
        """Run a command to its end.

        Args:
            command: Its words; the first is a path.
            environment: Its variables.
            look: Is called every second meanwhile.

        Returns:
            Its exit code; 128 and the signal's number where a signal has ended it.
        """
        sys.stdout.flush()
        self._child = subprocess.Popen(command, env=environment)
        while True:
            try:
                code = self._child.wait(timeout=LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                look()
                continue
            self._over = True
            return code if code >= 0 else BY_SIGNAL - code

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self._over:
            return
        if self._child is None:
            self._over = True
            raise SystemExit(BY_SIGNAL + number)
        # What a terminal sends has reached the child, which is in the same group, already.
        if number == signal.SIGTERM or not _has_terminal():
            self._child.send_signal(number)


def _has_terminal() -> bool:
    """Say whether the keys of a terminal reach this process."""
    try:
        return os.tcgetpgrp(sys.__stdin__.fileno()) == os.getpgrp()  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):  # none, closed, or no terminal
        return False
