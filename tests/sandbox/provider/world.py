"""A project on a server, run by the embedded engine, and what AWS then has."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import jmespath
import yaml
from botocore.config import Config

from engine import EngineError, Project, Stack
from engine.events import Diagnostic, StepDone, StepEvent
from engine.values import unwrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.state import ResourceState
    from tests.sandbox.provider.cases.case import Call, Case, Value

ROOT = Path(__file__).resolve().parents[3]
PLUGINS = ROOT / "sandbox" / "aws" / "plugins"
STACK = "dev"
_PLACE = re.compile(r"\$\{(\w+)(?:\.(\w+))?\}")


@dataclass
class Run:
    """What one operation did."""

    ok: bool = False
    steps: dict[str, set[str]] = field(default_factory=dict)
    paths: dict[str, set[str]] = field(default_factory=dict)
    found: dict[str, str] = field(default_factory=dict)
    events: dict[str, list[StepEvent]] = field(default_factory=dict)
    messages: str = ""

    def changed(self) -> dict[str, set[str]]:
        """The resources with a step other than `same`."""
        return {name: ops for name, ops in self.steps.items() if ops - {"same"}}


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def inputs_of(case: Case, *, later: bool = False) -> dict[str, Value]:
    """The inputs of a case, at first or after its change."""
    merged = {**case.first, **(case.then if later else {})}
    return {key: value for key, value in merged.items() if value is not None}


class World:
    """One project with its stack."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.folder = folder
        self.endpoint = endpoint
        self.tags = {"dask-cluster": "dev"}
        folder.mkdir(parents=True)
        runtime = {"name": "python", "options": {"toolchain": "uv"}}
        project = {"name": "scenarios", "runtime": runtime}
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
        shutil.copy(Path(__file__).with_name("program.py"), folder / "__main__.py")
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
            "PATH": f"{PLUGINS}:{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self._clients: dict[str, Value] = {}
        self._mutex = threading.Lock()

    def write(self, resources: Mapping[str, Mapping[str, Value]]) -> None:
        """What the program is to build: for each name its `kind`, `inputs` and `options`."""
        data = {"tags": self.tags, "resources": resources}
        (self.folder / "resources.json").write_text(json.dumps(data))

    def write_cases(self, cases: Iterable[Case], *, later: bool = False) -> None:
        """Let the program build these cases."""
        self.write({c.name: {"kind": c.kind, "inputs": inputs_of(c, later=later)} for c in cases})

    def run(self, verb: str) -> Run:
        """Run one operation of the engine, as a new command would."""
        run = Run()

        def listen(event: object) -> None:
            if isinstance(event, Diagnostic) and not event.ephemeral:
                run.messages += f"{event.severity}: {event.message}\n"
            elif isinstance(event, StepDone) and not event.type.startswith("pulumi:"):
                run.steps.setdefault(event.name, set()).add(event.op)
                run.events.setdefault(event.name, []).append(event)
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

    @property
    def stack(self) -> Stack:
        home = self.folder.parent / "home"
        return Stack(Project.load(self.folder), STACK, home=home, env=self.env)

    def states(self) -> dict[str, ResourceState]:
        """The recorded resources by name."""
        found = self.stack.resources()
        return {s.urn.rsplit("::", 1)[-1]: s for s in found if not s.type.startswith("pulumi:")}

    def client(self, service: str) -> Value:
        """A client of boto3."""
        with self._mutex:
            if service not in self._clients:
                self._clients[service] = boto3.client(
                    service,
                    region_name="us-east-1",
                    endpoint_url=self.endpoint,
                    aws_access_key_id="test",
                    aws_secret_access_key="test",  # noqa: S106 - the sandbox takes any
                    config=Config(s3={"addressing_style": "path"}, proxies={}),
                )
            return self._clients[service]

    def ask(self, call: Call, states: Mapping[str, ResourceState]) -> Value:
        """Make a call and take the part of its answer that it names."""
        operation = getattr(self.client(call.service), call.operation)
        answer = operation(**self.filled(call.params, states))
        if "Body" in answer:
            answer["Body"] = answer["Body"].read().decode()
        return jmespath.search(self.filled(call.path, states), answer)

    def filled(self, template: Value, states: Mapping[str, ResourceState]) -> Value:
        """A template with the outputs of recorded resources."""
        if isinstance(template, dict):
            return {key: self.filled(value, states) for key, value in template.items()}
        if isinstance(template, list):
            return [self.filled(value, states) for value in template]
        if not isinstance(template, str):
            return template
        return _PLACE.sub(lambda found: self._output(states, found[1], found[2]), template)

    def _output(self, states: Mapping[str, ResourceState], name: str, attribute: str) -> str:
        if name == "account":
            return str(self.client("sts").get_caller_identity()["Account"])
        if name == "ami":
            return str(unwrap(states["template"].outputs["imageId"]))
        state = states[name]
        if attribute == "id":
            return state.id
        return str(unwrap(state.outputs[camel(attribute)]))
