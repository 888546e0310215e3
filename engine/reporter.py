"""What happens in a run, collected and passed on."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from engine.events import Diagnostic, Event, Listener, Severity, StepDone, ignore


@dataclass
class Result:
    """What an operation came to.

    Attributes:
        changes: How many resources each op touched: create, update, replace, delete, same.
        outputs: The stack's outputs, secrets as `[secret]`.
        duration: Seconds of wall clock.
        diagnostics: Every message that was not ephemeral.
        ok: False if anything failed.
    """

    changes: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    duration: float = 0.0
    diagnostics: list[Diagnostic] = field(default_factory=list)
    ok: bool = True


class Reporter:
    """Passes events to a listener, one at a time, and keeps count."""

    def __init__(self, listener: Listener | None) -> None:
        """Take the listener; None listens to nothing."""
        self._listener = listener or ignore
        self._mutex = threading.Lock()
        self._changes: Counter[str] = Counter()
        self.diagnostics: list[Diagnostic] = []
        self.failed = False

    @property
    def changes(self) -> dict[str, int]:
        """How many resources each op touched so far."""
        with self._mutex:
            return dict(self._changes)

    def emit(self, event: Event) -> None:
        """Pass an event on."""
        with self._mutex:
            if isinstance(event, StepDone) and event.counted and not event.internal:
                self._changes[event.op] += 1
            if isinstance(event, Diagnostic):
                self.failed = self.failed or event.severity == "error"
                if not event.ephemeral:
                    self.diagnostics.append(event)
            self._listener(event)

    def say(
        self, severity: Severity, message: str, urn: str = "", *, ephemeral: bool = False
    ) -> None:
        """Pass a message on; one of severity `error` makes the operation fail."""
        self.emit(Diagnostic(severity, urn, message, ephemeral))
