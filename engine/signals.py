"""Ctrl-C and SIGTERM while an operation runs."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupt:
    """Calls a function on the first SIGINT or SIGTERM and raises KeyboardInterrupt on the second.

    Only the main thread can take signals; elsewhere this does nothing.
    """

    def __init__(self, call: Callable[[], None]) -> None:
        """Take the function; it must return at once."""
        self._call = call
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
        if self._calls > 1:
            raise KeyboardInterrupt
        # A handler may interrupt a thread that holds a lock, so it must take none itself.
        threading.Thread(target=self._call, daemon=True).start()
