"""What the benchmarks of AWS share: an AWS on this machine that counts calls, and a stack in it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3

from benchmarks.clusters import ROOT, undisturbed, until
from engine import Project, Stack
from engine.events import StepDone, StepStarted
from operations.rehearse_aws import surroundings
from sandbox.aws import server
from sandbox.aws.server.starter import request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine import Event

REGION = "us-east-1"
NAME = "scale"
GROUP = f"dask-cluster-{NAME}-worker"
READING = ("Describe", "Get", "Head", "List")


@dataclass(frozen=True)
class Calls:
    """How often each operation was called.

    Attributes:
        counts: By service and operation, such as ``("ec2", "RunInstances")``.
    """

    counts: Counter[tuple[str, str]]

    @property
    def mutating(self) -> Counter[tuple[str, str]]:
        """Those that change something."""
        return Counter({key: n for key, n in self.counts.items() if not key[1].startswith(READING)})

    @property
    def reading(self) -> Counter[tuple[str, str]]:
        """Those that change nothing."""
        return self.counts - self.mutating

    def __str__(self) -> str:
        """The columns of a table: mutating, reading, both."""
        numbers = (self.mutating.total(), self.reading.total(), self.counts.total())
        return "".join(f"{number:10}" for number in numbers)


@dataclass(frozen=True)
class Up:
    """What one `up` did.

    Attributes:
        resources: How many the stack has now.
        changed: How many were created, updated, replaced or deleted.
        calls: What was called until its end.
        seconds: Its own.
        in_service: Seconds from the group's own step until its last worker was in service.
    """

    resources: int
    changed: int
    calls: Calls
    seconds: float
    in_service: float


class Account:
    """An AWS on this machine, empty at first; all that this process calls is counted."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        """Ask what is no part of AWS."""
        return request(self.endpoint, method, f"/_sandbox/{path}", body)

    def calls(self) -> Calls:
        """Return what was called since the last time, and count from zero again."""
        table: dict[str, dict[str, int]] = self.ask("GET", "calls")
        self.ask("DELETE", "calls")
        rows = ((service, name, n) for service, names in table.items() for name, n in names.items())
        return Calls(Counter({(service, name): n for service, name, n in rows}))

    def client(self, service: str) -> Any:  # noqa: ANN401  # boto3 makes its classes at run time
        """Return a client, which finds this AWS as every other program here does."""
        return boto3.client(service, region_name=REGION)


@contextlib.contextmanager
def account(folder: Path) -> Iterator[Account]:
    """Run an AWS; this process and its children know no other one from now on."""
    running = server.start(folder, instances="guests")
    inside = surroundings(os.environ, running.endpoint)
    os.environ.clear()
    os.environ.update(inside)
    try:
        yield Account(running.endpoint)
    finally:
        with undisturbed():
            server.stop(folder)


@dataclass
class ScaleStack:
    """A stack of this checkout in an AWS on this machine.

    Attributes:
        folder: Gets its stack file and its state.
        aws: Where it is.
    """

    folder: Path
    aws: Account
    _moments: dict[str, float] = field(default_factory=dict)
    _changed: int = 0

    def up(self, **settings: object) -> Up:
        """Write the stack file and run `up`.

        Raises:
            SystemExit: It failed; with what it said.
        """
        stacks = self.folder / "stacks"
        stacks.mkdir(parents=True, exist_ok=True)
        config: dict[str, object] = {"platform": "vm", "region": REGION}
        config |= {"vpc": {"zones": [f"{REGION}a", f"{REGION}b"]}, "instanceTypes": ["m7i.large"]}
        config |= settings
        (stacks / f"Pulumi.{NAME}.yaml").write_text(json.dumps({"config": config}))  # JSON is YAML
        project = dataclasses.replace(Project.load(ROOT), stack_directory=stacks)
        stack = Stack(project, NAME, home=self.folder)
        self._changed = 0
        self._moments.clear()
        self.aws.calls()
        start = time.monotonic()
        result = stack.up(listener=self._listen)
        seconds = time.monotonic() - start
        calls = self.aws.calls()
        if not result.ok:
            raise SystemExit("\n".join(each.message for each in result.diagnostics))
        resources, changed = len(stack.resources()), self._changed
        return Up(resources, changed, calls, seconds, self.in_service() - self._moments["group"])

    def in_service(self) -> float:
        """Wait until the group has all of its workers; return when it had, as `time.time` does."""
        scaling = self.aws.client("autoscaling")

        def complete() -> bool:
            found = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])
            (group,) = found["AutoScalingGroups"]
            states = Counter(each["LifecycleState"] for each in group["Instances"])
            return states == Counter(InService=group["DesiredCapacity"])

        until(complete, "the group to have all of its workers in service")
        pages = scaling.get_paginator("describe_scaling_activities")
        ends = [
            activity["EndTime"]
            for page in pages.paginate(AutoScalingGroupName=GROUP)
            for activity in page["Activities"]
        ]
        last: datetime = max(ends, default=datetime.now(UTC))
        return last.timestamp()

    def _listen(self, event: Event) -> None:
        if isinstance(event, StepStarted) and event.op in ("create", "update"):
            if event.type.endswith(":Group") and event.name.endswith("-worker"):
                self._moments["group"] = time.time()
        elif isinstance(event, StepDone) and event.counted and not event.internal:
            self._changed += event.op not in ("same", "refresh")


def by_operation(calls: Calls) -> str:
    """Return calls by operation, for people."""
    return ", ".join(f"{name} {count}" for (_, name), count in sorted(calls.counts.items()))
