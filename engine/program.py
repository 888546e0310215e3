"""The program of a project, in its own process."""

import json
import subprocess
import threading
from typing import TYPE_CHECKING

from engine.config import Config
from engine.processes import Processes, append_log, read_lines, stop
from engine.project import Project
from engine.reporter import Reporter

if TYPE_CHECKING:
    from collections.abc import Mapping


class Program:
    """A started program; it imports the SDK while it waits to be told the addresses."""

    def __init__(
        self,
        project: Project,
        stack: str,
        config: Config,
        processes: Processes,
        reporter: Reporter,
    ) -> None:
        """Start the process."""
        self._project = project
        self._stack = stack
        self._reporter = reporter
        self._log = processes.logs / "program.log"
        self._mutex = threading.Lock()
        self._process: subprocess.Popen[str] = processes.start(
            "program",
            [str(project.program)],
            directory=project.program,
            log=self._log.name,
            stderr=True,
            variables={
                "PULUMI_CONFIG": json.dumps(dict(config.values)),
                "PULUMI_CONFIG_SECRET_KEYS": json.dumps(sorted(config.secret_keys)),
                "PULUMI_PROJECT": project.name,
                "PULUMI_STACK": stack,
            },
        )
        streams = (self._process.stdout, self._process.stderr)
        self._readers = [read_lines(stream, self._say) for stream in streams if stream]

    def begin(self, address: str, *, preview: bool, parallel: int) -> None:
        """Tell the program where the engine listens, which lets it run."""
        settings: Mapping[str, object] = {
            "monitor": address,
            "engine": address,
            "project": self._project.name,
            "stack": self._stack,
            "parallel": parallel,
            "dry_run": preview,
            "organization": "organization",
            "root_directory": str(self._project.directory),
        }
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - it was started with a pipe
        try:
            stdin.write(json.dumps(settings) + "\n")
            stdin.flush()
            stdin.close()
        except BrokenPipeError:
            # It has ended already; its exit code and what it wrote say why.
            return

    @property
    def exit_code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> int | None:
        """Wait for the end and return the exit code, or None after the time is up."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        for reader in self._readers:
            reader.join(1)
        return code

    def stop(self) -> None:
        """End it."""
        stop(self._process)

    def _say(self, line: str) -> None:
        with self._mutex:
            append_log(self._log, line)
        self._reporter.say("info", line)
