"""A stack's graph: every request that the unmodified program makes of the engine.

The monitor that a program talks to is replaced, and sees what Pulumi's own mocks do not show: the
options of a resource, and which values are secret. No network, no AWS.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import json
import os
import runpy
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pulumi
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import mocks
from pulumi.runtime import settings as runtime
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.rpc import _special_secret_sig, _special_sig_key
from pulumi.runtime.stack import Stack

from components import archive, environment
from components.settings import PROJECT
from components.settings.stack_file import read
from tests.graph.cloud_outputs import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).parents[2]
PROVIDER = "pulumi:providers:aws"
STACK = "pulumi:pulumi:Stack"

# Once for all graphs: the first runs uv, the second reads every file under images/.
_install = functools.cache(environment._install)
_pack_now = archive.pack


@functools.cache
def _pack(texts: tuple[tuple[str, str], ...], root: Path) -> bytes:
    return _pack_now(dict(texts), root=root)


@dataclass(frozen=True)
class Resource:
    """One resource as it was registered.

    Attributes:
        type: Token of its type.
        name: Its name in the program.
        urn: With the types of all components above it.
        request: What the program sent.
        inputs: Its inputs in plain: secrets without their marks, whole numbers as such.
        outputs: What the mock answered, with its id as ``id``.
    """

    type: str
    name: str
    urn: str
    request: resource_pb2.RegisterResourceRequest
    inputs: dict[str, Any]
    outputs: dict[str, Any]

    @property
    def is_custom(self) -> bool:
        return bool(self.request.custom)

    @property
    def is_aws(self) -> bool:
        return self.type.startswith("aws:")

    @property
    def is_kubernetes(self) -> bool:
        return self.type.startswith("kubernetes:")

    @property
    def label(self) -> str:
        return f"{self.type} {self.name}"


@dataclass
class Graph:
    """All resources of a stack, in the order in which they were registered.

    Attributes:
        values: The keys of the stack file.
        resources: Them.
        outputs: What the stack exports, in plain.
        registered: The URN of each component that said that it is done, and what it told.
    """

    values: dict[str, Any]
    resources: list[Resource] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    registered: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def of(self, *types: str) -> list[Resource]:
        """Return the resources of these types, named by the ends of their tokens."""
        return [each for each in self.resources if each.type.endswith(types)]

    def one(self, type_: str, name: str | None = None) -> Resource:
        """Return the only resource of a type, or of a type and a name."""
        (found,) = [each for each in self.of(type_) if name in (None, each.name)]
        return found

    @functools.cached_property
    def by_urn(self) -> dict[str, Resource]:
        return {each.urn: each for each in self.resources}

    def parents(self, resource: Resource) -> Iterator[Resource]:
        """Yield the components above a resource, the nearest first."""
        while (above := self.by_urn.get(resource.request.parent)) is not None:
            yield above
            resource = above


def plain(value: Any) -> Any:  # noqa: ANN401  # JSON
    """Return a value of the protocol as the program meant it: no marks, whole numbers."""
    if isinstance(value, dict):
        return plain(value["value"]) if _special_sig_key in value else _each(value)
    if isinstance(value, list):
        return [plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _each(value: dict[str, Any]) -> dict[str, Any]:
    return {key: plain(each) for key, each in value.items()}


class _NoCalls(mocks.Mocks):
    """A program that asks AWS anything while it is built is at fault."""

    def call(self, args: mocks.MockCallArgs) -> Any:  # noqa: ANN401  # never
        raise AssertionError(f"the program calls {args.token}")

    def new_resource(self, args: mocks.MockResourceArgs) -> Any:  # noqa: ANN401  # never
        raise AssertionError(f"{args.typ} {args.name} is not recorded")


class _Monitor(mocks.MockMonitor):
    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(_NoCalls())
        self.graph = Graph(dict(values))
        self._urns: set[str] = set()
        self._region = ""

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802  # Pulumi's
        if request.type == STACK:
            urn = self._urn(request)
            return resource_pb2.RegisterResourceResponse(urn=urn)
        resource = self._record(request)
        secret = request.additionalSecretOutputs
        answered = {
            key: {_special_sig_key: _special_secret_sig, "value": value} if key in secret else value
            for key, value in resource.outputs.items()
        }
        return resource_pb2.RegisterResourceResponse(
            urn=resource.urn,
            id=resource.outputs.get("id", ""),
            object=json_format.ParseDict(answered, struct_pb2.Struct()),
        )

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: ANN401, N802  # Pulumi's
        outputs = plain(json_format.MessageToDict(request.outputs))
        self.graph.registered.append((request.urn, outputs))
        return empty_pb2.Empty()

    def _record(self, request: Any) -> Resource:  # noqa: ANN401  # a message
        urn = self._urn(request)
        assert urn not in self._urns, f"two resources are {urn}: Pulumi refuses the second"
        self._urns.add(urn)
        inputs = plain(json_format.MessageToDict(request.object))
        if request.type == PROVIDER:
            self._region = inputs["region"]
        id_, outputs = answer(request.type, request.name, inputs, self._region)
        copy = resource_pb2.RegisterResourceRequest()
        copy.CopyFrom(request)
        outputs = {**outputs, "id": id_} if request.custom else {}
        resource = Resource(request.type, request.name, urn, copy, inputs, outputs)
        self.graph.resources.append(resource)
        return resource

    @staticmethod
    def _urn(request: Any) -> str:  # noqa: ANN401  # a message
        above = request.parent.split("::")[2] if request.parent else STACK
        type_ = request.type if above == STACK else f"{above}${request.type}"
        return f"urn:pulumi:{runtime.get_stack()}::{runtime.get_project()}::{type_}::{request.name}"


def build(values: Mapping[str, Any], *, stack: str) -> Graph:
    """Run the program for a stack, and return what it registers; equal stacks are built once.

    Args:
        values: The keys of a stack file.
        stack: The stack's name.
    """
    return _built(json.dumps(values), stack)


@functools.cache
def _built(values: str, stack: str) -> Graph:
    work = functools.partial(_build, json.loads(values), stack)
    return contextvars.copy_context().run(_with_loop, work)


def stack_file(name: str) -> dict[str, Any]:
    """Return the keys of one of the stack files that users edit."""
    config, problems = read(ROOT / "stacks" / f"Pulumi.{name}.yaml", settings=())
    assert not problems, problems
    return dict(config)


def environment_identity() -> str:
    """Return the identity of the environment of this checkout, without extra packages."""
    return str(_install(ROOT, "--identity"))


def _with_loop(work: Callable[[], Graph]) -> Graph:
    """Do something in a new event loop: Pulumi leaves the one that it finds behind, open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return work()
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        asyncio.set_event_loop(None)


def _build(values: Mapping[str, Any], stack: str) -> Graph:
    monitor = _Monitor(values)
    texts = {
        f"{PROJECT}:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in values.items()
    }
    runtime.reset_options(project=PROJECT, stack=stack)
    mocks.set_mocks(monitor.mocks, project=PROJECT, stack=stack, preview=False, monitor=monitor)

    def packed(files: Mapping[str, str], *, root: Path) -> bytes:
        return _pack(tuple(sorted(files.items())), root)

    told: list[dict[str, Any]] = []

    def program() -> pulumi.Output[Any]:
        with warnings.catch_warnings():
            # The SDK warns of types of its own while it is imported.
            for sdk in ("pulumi_aws", "pulumi_kubernetes"):
                warnings.filterwarnings("ignore", category=DeprecationWarning, module=sdk)
            runpy.run_path(str(ROOT / "__main__.py"))
        root = runtime.get_root_resource()
        assert isinstance(root, Stack)
        return pulumi.Output.all(**root.outputs).apply(told.append)

    with (
        contextlib.chdir(ROOT),
        mock.patch.dict(os.environ, PULUMI_CONFIG=json.dumps(texts)),
        mock.patch.object(environment, "_install", _install),
        mock.patch.object(archive, "pack", packed),
    ):
        pulumi.runtime.test(program)()  # type: ignore[no-untyped-call]
    (monitor.graph.outputs,) = told
    return monitor.graph
