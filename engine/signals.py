"""Ctrl-C and SIGTERM while an operation runs."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupt:
    """Calls one function on the first SIGINT or SIGTERM, and another on those that follow.

    Only the main thread can take signals; elsewhere this does nothing.
    """

    def __init__(self, first: Callable[[], None], then: Callable[[], None]) -> None:
        """Take the functions; they run on threads of their own."""
        self._first = first
        self._then = then
        self._calls = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Take over the signals."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Give them back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self._calls += 1
        # A handler may interrupt a thread that holds a lock, so it must take none itself.
        call = self._first if self._calls == 1 else self._then
        threading.Thread(target=call, daemon=True).start()
