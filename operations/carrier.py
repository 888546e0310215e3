"""Ports of a cluster as ports of this machine, carried by a program that runs beside us."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeVar

from operations.stacks import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

LOOPBACK = "127.0.0.1"
OPEN_SECONDS = 30.0
CLOSE_SECONDS = 5.0


class Carrier(ABC):
    """A program that listens on ports of this machine, until it is closed.

    Attributes:
        program: What people call it.
        again_seconds: How long to wait before it is started once more.
    """

    program: str
    again_seconds: float

    def __init__(self, log: Path) -> None:
        """Prepare it.

        Args:
            log: Gets what it prints.
        """
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._told: float | None = None
        self._again = 0.0

    @abstractmethod
    def open(self) -> None:
        """Start it; it does not listen yet.

        Raises:
            CommandError: It cannot be started.
        """

    @abstractmethod
    def listens(self) -> bool:
        """Whether it listens by now."""

    @property
    @abstractmethod
    def here(self) -> str:
        """Where it listens, for people."""

    @property
    @abstractmethod
    def there(self) -> str:
        """What it leads to, for people."""

    def wait(self) -> None:
        """Return when it listens.

        Raises:
            CommandError: It ended, or does not listen in time; with what it said.
        """
        limit = time.monotonic() + OPEN_SECONDS
        while not self.listens():
            if self.ended:
                raise CommandError(f"{self.program} has ended. It said: {self.said()}")
            if time.monotonic() > limit:
                raise CommandError(
                    f"{self.program} does not listen on {self.here} after {OPEN_SECONDS:g} s. "
                    f"It said: {self.said()}"
                )
            time.sleep(0.05)

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process is None or self._process.poll() is not None

    def said(self) -> str:
        """Return what it has printed, errors too."""
        return self._log.read_text(errors="replace").strip() if self._log.exists() else ""

    def keep(self) -> None:
        """Start it again where it has ended."""
        if not self.ended or time.monotonic() < self._again:
            return
        self._again = time.monotonic() + self.again_seconds
        try:
            self.open()
        except CommandError as error:
            sys.stderr.write(f"{self.there} is out of reach: {error}\n")

    def interrupt(self) -> None:
        """Tell it to end."""
        if self._process is not None and self._told is None:
            self._process.send_signal(signal.SIGINT)
            self._told = time.monotonic()

    def close(self) -> None:
        """Return when it has ended."""
        self.interrupt()
        if self._process is None or self._told is None:
            return
        try:
            code = self._process.wait(max(0, self._told + CLOSE_SECONDS - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._process = None
        self._closed(code)

    @abstractmethod
    def _closed(self, code: int) -> None:
        """Tidy up after it; by its exit code."""

    def _start(self, words: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                words,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the command and must not cut it off.
                start_new_session=True,
            )


AnyCarrier = TypeVar("AnyCarrier", bound=Carrier)


@contextlib.contextmanager
def opened(carriers: Sequence[AnyCarrier]) -> Iterator[Sequence[AnyCarrier]]:
    """Open some, and close them in the end.

    Raises:
        CommandError: One cannot be opened.
    """
    with contextlib.ExitStack() as closing:
        for each in carriers:
            closing.callback(each.close)
        for each in carriers:
            closing.callback(each.interrupt)  # all at once, before the first is waited for
        for each in carriers:
            each.open()
        for each in carriers:
            each.wait()
        yield carriers


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, all different."""
    with contextlib.ExitStack() as closing:
        held = [closing.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in held]
