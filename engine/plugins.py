"""Finding and starting provider plugins, where and as Pulumi does.

The order is that of pulumi/sdk/go/common/workspace/plugins.go: `plugins.providers` of Pulumi.yaml,
then `pulumi-resource-NAME` on PATH. `pulumi-python` is the SDK's own module `pulumi.dynamic`.
"""

import contextlib
import functools
import os
import select
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import EngineError
from engine.processes import Processes, append_log, read_lines
from engine.project import Project

DYNAMIC: Final = "pulumi-python"
_START_SECONDS: Final = 30.0
_LOG_LINES: Final = 15


@dataclass(frozen=True)
class Plugin:
    """A running plugin.

    Attributes:
        name: Its package.
        port: Where it listens on this machine.
        log: The file with what it wrote.
    """

    name: str
    port: int
    log: Path


class Plugins:
    """The plugins of one run."""

    def __init__(
        self, project: Project, stack: str, processes: Processes, engine_address: str
    ) -> None:
        """Say where plugins are looked for and which engine they talk to."""
        self._project = project
        self._processes = processes
        self._engine_address = engine_address
        self._environment = {
            "PULUMI_PROJECT": project.name,
            "PULUMI_STACK": stack,
            "PULUMI_ORGANIZATION": "organization",
        }
        self._early: dict[str, subprocess.Popen[str]] = {}
        self._mutex = threading.Lock()

    def prepare(self, name: str) -> None:
        """Start a plugin that is going to be needed, without waiting for it."""
        with self._mutex:
            if name not in self._early:
                self._early[name] = self._spawn(name)

    def start(self, name: str) -> Plugin:
        """Start a plugin, or take the one that was prepared, and wait until it listens.

        Raises:
            EngineError: It cannot be found, or does not start.
        """
        with self._mutex:
            process = self._early.pop(name, None)
        process = process or self._spawn(name)
        log = self._processes.logs / _log_name(name)
        assert process.stdout is not None  # noqa: S101 - it was started with a pipe
        line = _first_line(process, time.monotonic() + _START_SECONDS)
        if not line.strip().isdigit():
            process.stdout.close()
            raise EngineError(_start_failure(name, line, log))
        read_lines(process.stdout, functools.partial(append_log, log))
        return Plugin(name, int(line), log)

    def close(self) -> None:
        """Let go of plugins that were prepared and never needed; `Processes` ends them."""
        with self._mutex:
            early, self._early = self._early, {}
        for process in early.values():
            assert process.stdout is not None  # noqa: S101
            process.stdout.close()

    def _spawn(self, name: str) -> subprocess.Popen[str]:
        dynamic = name == DYNAMIC
        return self._processes.start(
            "module" if dynamic else "guard",
            ["pulumi.dynamic" if dynamic else str(self.find(name)), self._engine_address],
            directory=self._project.program,
            log=_log_name(name),
            variables=self._environment,
        )

    def find(self, name: str) -> Path:
        """The executable of a plugin.

        Raises:
            EngineError: There is none.
        """
        binary = f"pulumi-resource-{name}"
        if folder := self._project.providers.get(name):
            if os.access(folder / binary, os.X_OK):
                return folder / binary
            raise EngineError(
                f"{folder}, the folder of provider '{name}', holds no executable {binary}"
            )
        if found := shutil.which(binary, path=self._processes.environment.get("PATH")):
            return Path(found)
        raise EngineError(
            f"no resource plugin '{binary}' found: put it on PATH or name its folder under "
            "'plugins.providers' in Pulumi.yaml; this engine downloads nothing"
        )


def _log_name(name: str) -> str:
    return f"provider-{name}.log"


def _first_line(process: subprocess.Popen[str], deadline: float) -> str:
    stream = process.stdout
    assert stream is not None  # noqa: S101
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([stream], [], [], left)
        if ready:
            return stream.readline()
    return ""


def _start_failure(name: str, line: str, log: Path) -> str:
    tail = ""
    with contextlib.suppress(OSError):
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
    said = f"it wrote {line.strip()!r} instead of a port" if line else "it ended, or wrote no port"
    return f"the provider plugin '{name}' did not start: {said} (log: {log})\n{tail}".rstrip()
