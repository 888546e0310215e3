"""The two engines that every scenario runs on: the embedded one and the real `pulumi`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from engine import EngineError, Project, Stack
from engine.events import Diagnostic, StepStarted

if TYPE_CHECKING:
    from pathlib import Path

STACK = "test"

_COLOUR = re.compile(r"<\{%.*?%\}>")

_SCRIPT = """
import sys
from pathlib import Path
from engine import Project, Stack
folder, stack, home, verb = sys.argv[1:]
result = getattr(Stack(Project.load(Path(folder)), stack, home=Path(home)), verb)()
for diagnostic in result.diagnostics:
    print(diagnostic.severity, diagnostic.message, file=sys.stderr)
sys.exit(0 if result.ok else 1)
"""


@dataclass(frozen=True)
class Report:
    """What an engine says about one operation."""

    ok: bool
    changes: dict[str, int] = field(default_factory=dict)
    steps: list[tuple[str, str]] = field(default_factory=list)
    messages: str = ""


class Backend(Protocol):
    """What the scenarios ask of an engine."""

    def run(self, verb: str, *, refresh: bool | None, parallel: int) -> Report:
        """Run one operation to its end."""

    def prepare(self) -> None:
        """Make what an operation needs to begin."""

    def command(self, verb: str) -> list[str]:
        """The command line of the same operation, for the tests that kill it."""

    def outputs(self, *, show_secrets: bool) -> dict[str, Any]:
        """The stack's outputs."""

    def export(self, *, show_secrets: bool) -> dict[str, Any]:
        """The stack's whole state."""

    def import_(self, deployment: dict[str, Any]) -> None:
        """Put a state in the place of the stack's own."""

    def state_folder(self) -> Path:
        """Where everything lies that the engine keeps."""


class Embedded:
    """The engine of this project, in this process."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._folder = folder
        self._home = home

    @property
    def stack(self) -> Stack:
        # Read anew each time, as a new command would: nothing may live in memory only.
        return Stack(Project.load(self._folder), STACK, home=self._home)

    def run(self, verb: str, *, refresh: bool | None, parallel: int) -> Report:
        steps: list[tuple[str, str]] = []
        messages: list[str] = []

        def listen(event: object) -> None:
            if isinstance(event, StepStarted) and not event.internal:
                steps.append((event.op, event.urn))
            elif isinstance(event, Diagnostic) and not event.ephemeral:
                messages.append(f"{event.severity}: {event.message}")

        options: dict[str, Any] = {"listener": listen}
        if verb in {"preview", "up"}:
            options["refresh"] = refresh
        if verb == "up":
            options["parallel"] = parallel
        try:
            result = getattr(self.stack, verb)(**options)
        except EngineError as error:
            return Report(ok=False, steps=steps, messages="\n".join([*messages, f"error: {error}"]))
        return Report(result.ok, _counts(result.changes), steps, "\n".join(messages))

    def prepare(self) -> None:
        # The first update makes the stack.
        pass

    def command(self, verb: str) -> list[str]:
        script = [sys.executable, "-c", _SCRIPT]
        return [*script, str(self._folder), STACK, str(self._home), verb]

    def outputs(self, *, show_secrets: bool) -> dict[str, Any]:
        return self.stack.outputs(show_secrets=show_secrets)

    def export(self, *, show_secrets: bool) -> dict[str, Any]:
        # Through JSON, as the command prints it: a value that only Python knows would not pass.
        deployment: dict[str, Any] = json.loads(
            json.dumps(self.stack.export(show_secrets=show_secrets), allow_nan=False)
        )
        return deployment

    def import_(self, deployment: dict[str, Any]) -> None:
        self.stack.import_(deployment)

    def state_folder(self) -> Path:
        return self._home


class RealPulumi:
    """The `pulumi` command on a folder as its backend. It needs no account and no network."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._folder = folder
        self._home = home
        # The CLI starts the program with uv, as the project itself does (`toolchain: uv`).
        assert shutil.which("uv"), "the real Pulumi CLI needs uv on PATH"
        self._backend = home / "backend"
        self._backend.mkdir(parents=True, exist_ok=True)
        self._runs = 0
        self.environment = {
            **os.environ,
            "PULUMI_HOME": str(home / "pulumi"),
            "PULUMI_BACKEND_URL": f"file://{self._backend}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK": "true",
            "NO_COLOR": "1",
        }

    def run(self, verb: str, *, refresh: bool | None, parallel: int) -> Report:
        self.prepare()
        self._runs += 1
        log = self._home / f"events-{self._runs}.jsonl"
        command = [*self.command(verb), "--event-log", str(log)]
        if verb in {"preview", "up"} and refresh is not None:
            command.append(f"--refresh={str(refresh).lower()}")
        if verb != "preview":
            command += ["--parallel", str(parallel)]
        done = self._pulumi(*command[1:])
        events = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return _report(done, events)

    def command(self, verb: str) -> list[str]:
        # The event log has the steps and the counts of all four verbs in one form, where `--json`
        # has them for previews only; both are written by the same code of the CLI.
        options = ["--stack", STACK, "--non-interactive", "--color", "never"]
        sure = [] if verb == "preview" else ["--yes", "--skip-preview"]
        return ["pulumi", verb, *options, *sure]

    def outputs(self, *, show_secrets: bool) -> dict[str, Any]:
        return self._json("stack", "output", "--json", *_secrets(show_secrets=show_secrets))

    def export(self, *, show_secrets: bool) -> dict[str, Any]:
        return self._json("stack", "export", *_secrets(show_secrets=show_secrets))

    def import_(self, deployment: dict[str, Any]) -> None:
        self.prepare()
        path = self._home / "import.json"
        path.write_text(json.dumps(deployment))
        done = self._pulumi("stack", "import", "--stack", STACK, "--file", str(path))
        assert done.returncode == 0, done.stderr

    def state_folder(self) -> Path:
        return self._backend

    def prepare(self) -> None:
        if not list(self._backend.glob(f".pulumi/stacks/*/{STACK}.json")):
            done = self._pulumi("stack", "init", STACK, "--non-interactive")
            assert done.returncode == 0, done.stderr

    def _json(self, *arguments: str) -> dict[str, Any]:
        done = self._pulumi(*arguments, "--stack", STACK)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(shutil.which("pulumi")), *arguments],
            cwd=self._folder,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


def _secrets(*, show_secrets: bool) -> list[str]:
    return ["--show-secrets"] if show_secrets else []


def _report(done: subprocess.CompletedProcess[str], events: list[dict[str, Any]]) -> Report:
    """Read the CLI's events (`apitype.EngineEvent`, sdk/go/common/apitype/events.go)."""
    changes: dict[str, int] = {}
    steps: list[tuple[str, str]] = []
    messages: list[str] = []
    for event in events:
        if before := event.get("resourcePreEvent"):
            step = before["metadata"]
            if not _is_default_provider(step["urn"]):
                steps.append((step["op"], step["urn"]))
        elif (said := event.get("diagnosticEvent")) and not said.get("ephemeral"):
            severity = "info" if said["severity"].startswith("info") else said["severity"]
            messages.append(f"{severity}: {_COLOUR.sub('', said['message'])}")
        elif summary := event.get("summaryEvent"):
            changes = summary["resourceChanges"]
    messages += [done.stdout, done.stderr]
    return Report(done.returncode == 0, _counts(changes), steps, "\n".join(messages))


def _is_default_provider(urn: str) -> bool:
    # The CLI counts no step of a default provider (isInternalStep, pkg/engine/update.go).
    kind, name = urn.split("::")[2:4]
    return kind.startswith("pulumi:providers:") and (
        name == "default" or name.startswith("default_")
    )


def _counts(changes: dict[str, int]) -> dict[str, int]:
    return {op: count for op, count in changes.items() if count}
