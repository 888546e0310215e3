"""A stack of this checkout, rehearsed in a folder of its own."""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import yaml

from engine import Project, Stack
from engine.events import StepDone
from operations.rehearse_aws import surroundings
from sandbox.aws import server
from sandbox.aws.server.starter import request

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine import Event, Result
    from sandbox.aws.server.starter import Instances

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Run:
    """What an operation did.

    Attributes:
        result: As the engine gave it.
        done: Names of resources, with the last word of their type, by what was done to them.
    """

    result: Result
    done: dict[str, list[str]]

    @property
    def messages(self) -> str:
        return "\n".join(each.message for each in self.result.diagnostics)

    @property
    def changed(self) -> dict[str, list[str]]:
        """Everything that was done, but for what stayed as it was; sorted."""
        shown = {op: sorted(names) for op, names in self.done.items() if op != "same"}
        return {op: shown[op] for op in sorted(shown)}


class Rehearsed:
    """One stack, and its AWS on loopback."""

    instances: Instances = "guests"
    cache: Path | None = None

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.folder = folder
        self.stacks = folder / "stacks"
        self.stacks.mkdir(parents=True, exist_ok=True)
        self.file = self.stacks / f"Pulumi.{name}.yaml"
        self.server = server.start(folder / "aws", instances=self.instances, cache=self.cache)
        self.environment = surroundings(os.environ, self.server.endpoint)
        self.stack = self._open()

    def _open(self) -> Stack:
        project = dataclasses.replace(Project.load(ROOT), stack_directory=self.stacks)
        return Stack(project, self.name, home=self.folder, env=self.environment)

    def forget(self) -> None:
        """Throw the state away, if there is one."""
        shutil.rmtree(self.folder / "state" / self.name, ignore_errors=True)
        self.stack = self._open()

    def take(self, settings: dict[str, Any]) -> None:
        """Write a stack file."""
        self.file.write_text(yaml.safe_dump({"config": settings}))

    def take_committed(self) -> None:
        """Take the stack file of this name as it is committed."""
        self.file.write_text((ROOT / "stacks" / f"Pulumi.{self.name}.yaml").read_text())

    def edit(self, **values: Any) -> None:  # noqa: ANN401
        """Change keys of the stack file; None takes one out."""
        settings = self.settings | values
        self.take({key: value for key, value in settings.items() if value is not None})

    @property
    def settings(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.file.read_text())["config"]
        return found

    def run(self, operation: str) -> Run:
        done: dict[str, list[str]] = {}

        def listen(event: Event) -> None:
            if isinstance(event, StepDone) and event.counted and not event.internal:
                kind = event.type.rpartition(":")[2]
                done.setdefault(event.op, []).append(f"{event.name} {kind}")

        return Run(getattr(self.stack, operation)(listener=listen), done)

    def up(self) -> Run:
        run = self.run("up")
        assert run.result.ok, run.messages
        return run

    def destroy(self) -> Run:
        run = self.run("destroy")
        assert run.result.ok, run.messages
        return run

    def client(self, service: str) -> Any:  # noqa: ANN401
        return boto3.client(
            service,
            region_name=self.settings["region"],
            endpoint_url=self.server.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106
        )

    def group(self, name: str) -> dict[str, Any]:
        names = [f"dask-cluster-{self.name}-{name}"]
        found = self.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=names)
        (group,) = found["AutoScalingGroups"]
        return dict(group)

    def states(self, name: str) -> Counter[str]:
        """How many instances of a group are in which state."""
        return Counter(each["LifecycleState"] for each in self.group(name)["Instances"])

    def eventually(self, look: Callable[[], object], wanted: object) -> None:
        """Wait until something is as it should be."""
        end = time.monotonic() + WAIT_SECONDS
        while (seen := look()) != wanted:
            assert time.monotonic() < end, f"{seen!r} and not {wanted!r}"
            time.sleep(0.1)

    def contents(self) -> list[str]:
        """What the AWS holds, beside what an account has from the start."""
        items = server.contents(self.server.endpoint)
        return [f"{item.service} {item.type} {item.id}" for item in items]

    def sandbox(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        return request(self.server.endpoint, method, f"/_sandbox/{path}", body)

    def end(self) -> None:
        server.stop(self.folder / "aws")
