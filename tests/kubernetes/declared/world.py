"""A project of declared objects, run by the embedded engine, and what the API server then has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from engine import EngineError, Project, Stack
from engine.events import Diagnostic, StepDone
from tests.running import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.state import ResourceState

PLUGINS = ROOT / "sandbox" / "kubernetes" / "plugins"
STACK = "dev"


@dataclass
class Run:
    """What one operation did."""

    ok: bool = False
    steps: dict[str, set[str]] = field(default_factory=dict)
    paths: dict[str, set[str]] = field(default_factory=dict)
    found: dict[str, str] = field(default_factory=dict)
    messages: str = ""

    @property
    def changed(self) -> dict[str, set[str]]:
        """The objects with a step other than `same`."""
        idle = {"same", "refresh"}
        return {name: ops - idle for name, ops in self.steps.items() if ops - idle}


class World:
    """One project with its stack, on the API server of a kubeconfig."""

    def __init__(self, folder: Path, kubeconfig: Path, namespace: str) -> None:
        self.folder = folder
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        self.provider: dict[str, Any] = {"context": "dask-rehearsal"}
        folder.mkdir(parents=True)
        runtime = {"name": "python", "options": {"toolchain": "uv"}}
        project = {"name": "declared", "runtime": runtime, "options": {"refresh": "always"}}
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
        shutil.copy(Path(__file__).with_name("program.py"), folder / "__main__.py")

    def write(self, **objects: Mapping[str, Any]) -> None:
        """What the program is to make: for each name its `kind`, `inputs` and `options`."""
        data = {"provider": self.provider, "objects": objects}
        (self.folder / "objects.json").write_text(json.dumps(data))

    def run(self, verb: str) -> Run:
        """Run one operation of the engine, as a new command would."""
        run = Run()

        def listen(event: object) -> None:
            if isinstance(event, Diagnostic) and not event.ephemeral:
                run.messages += f"{event.severity}: {event.message}\n"
            elif isinstance(event, StepDone) and not event.type.startswith("pulumi:"):
                run.steps.setdefault(event.name, set()).add(event.op)
                run.paths.setdefault(event.name, set()).update(c.path for c in event.diff)
                if event.found:
                    run.found[event.name] = event.found

        try:
            run.ok = getattr(self.stack, verb)(listener=listen).ok
        except EngineError as error:
            run.messages += str(error)
        return run

    def good(self, verb: str) -> Run:
        """An operation that has to succeed."""
        run = self.run(verb)
        assert run.ok, f"{verb}: {run.messages}"
        return run

    def quiet(self) -> None:
        """A further `up` changes nothing."""
        run = self.good("up")
        assert run.changed == {}, run.paths
        assert set(run.found.values()) <= {"same"}, run.found

    @property
    def stack(self) -> Stack:
        env = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        env["PATH"] = f"{PLUGINS}:{env['PATH']}"
        home = self.folder.parent / "home"
        return Stack(Project.load(self.folder), STACK, home=home, env=env)

    def states(self) -> dict[str, ResourceState]:
        """The recorded objects by name."""
        found = self.stack.resources()
        return {s.urn.rsplit("::", 1)[-1]: s for s in found if not s.type.startswith("pulumi:")}

    def kubectl(self, *words: str, good: bool = True) -> str:
        """What `kubectl` prints, in the namespace of this world."""
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), "-n", self.namespace, *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not good or done.returncode == 0, done.stderr
        return done.stdout or done.stderr

    def get(self, what: str) -> Any:  # noqa: ANN401 - JSON
        """An object, such as `deployment/web`, as the server has it."""
        return json.loads(self.kubectl("get", what, "-o", "json", "--show-managed-fields"))
