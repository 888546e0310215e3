"""A world for each scenario: a project with its program, a cloud, and an engine to run it on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.engine.backends import STACK, Backend, Report
from tests.engine.fake_provider.cloud import Call, Cloud, Value
from tests.engine.states import normalise

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = "scenarios"
STACK_URN = f"urn:pulumi:{STACK}::{PROJECT}::pulumi:pulumi:Stack::{PROJECT}-{STACK}"
HERE = Path(__file__).parent
PROLOGUE = "import json\nimport pulumi\nimport fake\nfrom fake import Thing\n\n"
CLOUD_CALLS = ("Create", "Update", "Delete", "create", "update", "delete")


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:{STACK}::{PROJECT}::{kind}::{name}"


def thing_urn(name: str) -> str:
    return urn("fake:index:Thing", name)


@dataclass(frozen=True)
class Run:
    """One operation: what the engine said of it, and what its providers were asked."""

    ok: bool
    changes: dict[str, int]
    urns: list[tuple[str, str]]
    messages: str
    calls: list[Call]

    @property
    def steps(self) -> list[str]:
        """Each step as `op name`, in order, without the stack itself."""
        return [f"{op} {each.rsplit('::', 1)[-1]}" for op, each in self.urns if each != STACK_URN]

    @property
    def cloud_calls(self) -> list[str]:
        """The calls that changed the cloud, in order; those of a preview change nothing."""
        return [
            str(call)
            for call in self.calls
            if call.method in CLOUD_CALLS and not call.arguments.get("preview")
        ]

    def of(self, name: str) -> list[str]:
        """The methods called for one resource, in order."""
        return [call.method for call in self.calls if call.name == name]

    def only(self, method: str, name: str) -> Call:
        """The one call of this method for this resource."""
        found = [call for call in self.calls if (call.method, call.name) == (method, name)]
        assert len(found) == 1, f"{len(found)} calls of {method} for {name}: {self.calls}"
        return found[0]

    def arguments(self, method: str, name: str) -> dict[str, Any]:
        return self.only(method, name).arguments

    def __repr__(self) -> str:
        calls = ", ".join(map(str, self.calls))
        return (
            f"<run ok={self.ok} {self.changes} steps={self.steps} calls=[{calls}] {self.messages}>"
        )


class World:
    """A project in a folder of its own, its cloud, and the engine that runs it."""

    def __init__(self, folder: Path, make: Callable[[Path, Path], Backend]) -> None:
        self.folder = folder / "project"
        self.home = folder / "home"
        self.cloud = Cloud(folder / "cloud")
        self.folder.mkdir()
        self._make = make
        for name in ("fake.py", "things.py"):
            shutil.copy(HERE / "fake_provider" / name, self.folder)
        # A lock file without packages tells the CLI that there is no plugin to look for.
        (self.folder / "uv.lock").write_text('version = 1\nrequires-python = ">=3.11"\n')
        self.project()
        self.config({})
        self.backend = make(self.folder, self.home)

    # The files of the project

    def project(self, **more: Value) -> None:
        """Write Pulumi.yaml, with more keys if there are any."""
        options = {"toolchain": "uv", "virtualenv": sys.prefix}
        runtime = {"name": "python", "options": options}
        self._yaml("Pulumi.yaml", {"name": PROJECT, "runtime": runtime, **more})

    def config(self, values: dict[str, Any], **more: Value) -> None:
        """Write the stack file."""
        self._yaml(f"Pulumi.{STACK}.yaml", {"config": values, **more})

    def program(self, text: str) -> None:
        (self.folder / "__main__.py").write_text(PROLOGUE + textwrap.dedent(text))

    def _yaml(self, name: str, content: dict[str, Any]) -> None:
        (self.folder / name).write_text(yaml.safe_dump(content, sort_keys=False))

    # Operations

    def preview(self, text: str | None = None, *, refresh: bool | None = None) -> Run:
        return self._run("preview", text, refresh=refresh)

    def up(
        self, text: str | None = None, *, refresh: bool | None = None, parallel: int = 16
    ) -> Run:
        return self._run("up", text, refresh=refresh, parallel=parallel)

    def refresh(self) -> Run:
        return self._run("refresh", None)

    def destroy(self) -> Run:
        return self._run("destroy", None)

    def good_up(self, text: str | None = None, **options: Value) -> Run:
        """An update that a scenario needs before its own part begins."""
        run = self.up(text, **options)
        assert run.ok, run
        return run

    def _run(
        self, verb: str, text: str | None, *, refresh: bool | None = None, parallel: int = 16
    ) -> Run:
        if text is not None:
            self.program(text)
        before = len(self.cloud.calls())
        report: Report = self.backend.run(verb, refresh=refresh, parallel=parallel)
        calls = self.cloud.calls(since=before)
        return Run(report.ok, report.changes, report.steps, report.messages, calls)

    def start(self, verb: str, *, log: str = "log") -> subprocess.Popen[bytes]:
        """Begin an operation in a process of its own, for the tests that end it early."""
        self.backend.prepare()
        environment = {**os.environ, **getattr(self.backend, "environment", {})}
        with (self.home.parent / log).open("wb") as output:
            return subprocess.Popen(
                self.backend.command(verb),
                cwd=self.folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self, name: str = "log") -> str:
        return (self.home.parent / name).read_text()

    def wait_for(self, method: str, name: str) -> Call:
        """Wait until a provider is in the middle of this call."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            for call in self.cloud.calls():
                running = (call.method, call.name, call.end) == (method, name, None)
                if running and not call.arguments.get("preview"):
                    return call
            time.sleep(0.02)
        raise AssertionError(f"no {method} of {name} began: {self.log()}")

    # What is left

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        return self.backend.outputs(show_secrets=show_secrets)

    def export(self, *, show_secrets: bool = False) -> dict[str, Any]:
        return self.backend.export(show_secrets=show_secrets)

    def state(self) -> list[dict[str, Any]]:
        """All resources of the state without what differs from run to run."""
        return normalise(self.export(show_secrets=True))

    def resource(self, name: str) -> dict[str, Any]:
        """The one resource of this name."""
        found = [each for each in self.state() if each["urn"].endswith(f"::{name}")]
        assert len(found) == 1, f"{len(found)} resources called {name}: {self.state()}"
        return found[0]

    def names(self) -> list[str]:
        """Names of the resources in the state, in its order, without stack and providers."""
        return [
            each["urn"].rsplit("::", 1)[-1]
            for each in self.state()
            if not each["type"].startswith("pulumi:")
        ]

    def pending(self) -> list[tuple[str, str]]:
        """The operations that were cut short, as the state tells them."""
        deployment = self.export()["deployment"]
        return [
            (each["type"], each["resource"]["urn"].rsplit("::", 1)[-1])
            for each in deployment.get("pending_operations") or []
        ]

    def twin(self, folder: Path) -> World:
        """A second project with an empty state, on a cloud of its own."""
        folder.mkdir()
        return World(folder, self._make)
