"""Processes that end when the engine ends, however it ends."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Literal

from engine.errors import EngineError

_CHILD: Final = Path(__file__).with_name("child.py")
_GRACE_SECONDS: Final = 3.0
_HIDDEN: Final = (
    "PULUMI_CONFIG_PASSPHRASE",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
    "PULUMI_ACCESS_TOKEN",
)

Mode = Literal["program", "module", "guard"]


class Processes:
    """Starts children and ends them all on leaving the `with` block.

    Attributes:
        environment: What children inherit: this process's environment without DASK_* and secrets.
        logs: The folder of their log files.
    """

    def __init__(self, *, logs: Path, lock_fd: int, environment: Mapping[str, str]) -> None:
        """Prepare to start children.

        Args:
            logs: Where their stderr goes.
            lock_fd: The open lock file, which every child keeps open; -1 if there is none.
            environment: The environment to inherit from.
        """
        self.environment = {
            key: value
            for key, value in environment.items()
            if not key.startswith("DASK_") and key not in _HIDDEN
        }
        # gRPC sends even loopback through a proxy of the person's shell, unless it is told not to.
        direct = (environment.get("no_grpc_proxy"), "127.0.0.1")
        self.environment["no_grpc_proxy"] = ",".join(filter(None, direct))
        self.logs = logs
        self._lock_fd = lock_fd
        # The write end stays here: it closes with this process, and then every child ends itself.
        self._pipe, self._held = os.pipe()
        self._running: list[subprocess.Popen[str]] = []
        self._mutex = threading.Lock()
        self._closed = False

    def start(
        self,
        mode: Mode,
        arguments: Sequence[str],
        *,
        directory: Path,
        log: str,
        variables: Mapping[str, str] | None = None,
        stderr: bool = False,
    ) -> subprocess.Popen[str]:
        """Start a child.

        Args:
            mode: What `engine.child` does with the arguments.
            arguments: A folder, a module and its arguments, or a command.
            directory: Its working folder.
            log: Name of its log file.
            variables: Environment variables for it alone.
            stderr: Give a pipe for stderr instead of writing it to the log.

        Returns:
            The process, with pipes for stdin and stdout.

        Raises:
            EngineError: The run is over.
        """
        inherited = [fd for fd in (self._pipe, self._lock_fd) if fd >= 0]
        fds = ",".join(map(str, inherited))
        command = [sys.executable, "-P", "-u", str(_CHILD), mode, str(self._pipe), fds, *arguments]
        # Under the lock, for the pipe is closed under it.
        with self._mutex, open_log(self.logs / log) as file:
            if self._closed:
                raise EngineError("the operation was stopped")
            process = subprocess.Popen(
                command,
                cwd=directory,
                env=self.environment | dict(variables or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if stderr else file,
                pass_fds=inherited,
                start_new_session=True,
                text=True,
                errors="replace",
            )
            self._running.append(process)
        return process

    def close(self) -> None:
        """End every child: those that do not go at once are killed."""
        with self._mutex:
            running, self._running = self._running, []
            if not self._closed:
                self._closed = True
                os.close(self._held)
                os.close(self._pipe)
        for process in running:
            stop(process)


def append_log(path: Path, text: str) -> None:
    """Add lines to a log file, as far as the disk allows."""
    # A full disk must not hide the message that is being written down, nor stop its reader.
    with contextlib.suppress(OSError), open_log(path) as file:
        file.write(text.rstrip("\n") + "\n")


def open_log(path: Path) -> IO[str]:
    """Open a log file for more; only its owner may read it."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a")


def stop(process: subprocess.Popen[str], grace: float = _GRACE_SECONDS) -> None:
    """End one process, by SIGTERM and if need be by SIGKILL."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(ProcessLookupError):
        # What it started and left behind in its group; a daemon has a session of its own.
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def read_lines(stream: IO[str], take: Callable[[str], None]) -> threading.Thread:
    """Hand every line of a stream to a function, on a thread of its own that then closes it.

    Nobody else may close it: that would wait for the reader, and so for any daemon that the process
    has left behind with the stream open.
    """

    def run() -> None:
        with stream, contextlib.suppress(OSError):
            for line in stream:
                take(line.rstrip("\n"))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
