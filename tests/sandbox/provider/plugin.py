"""The plugin as a process, asked by hand over the protocol."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, TypeAlias

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from engine.values import from_wire, to_wire
from tests.sandbox.provider.world import PLUGINS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import SimpleNamespace

    from engine.state import ResourceState
    from tests.sandbox.provider.cases.case import Value

State: TypeAlias = "ResourceState | SimpleNamespace"
"""A recorded resource, or what a test has in its place."""
SEED = bytes(range(32))
AWS = PLUGINS / "pulumi-resource-aws"
REGION = {"region": "us-east-1"}


class Plugin:
    """A running plugin with its stub."""

    def __init__(
        self, env: Mapping[str, str], program: Path = AWS, settings: Mapping[str, Value] = REGION
    ) -> None:
        self._settings = settings
        self.process = subprocess.Popen(
            [str(program), "127.0.0.1:1"],
            env={**env, "no_grpc_proxy": "127.0.0.1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        self.stub: Value = provider_pb2_grpc.ResourceProviderStub(self._channel)

    def configure(self, **args: Value) -> None:
        request = provider_pb2.ConfigureRequest(args=to_wire({**self._settings, **args}))
        self.stub.Configure(request)

    def close(self) -> None:
        self._channel.close()
        self.process.terminate()
        assert self.process.wait(10) == 0
        assert self.process.stdout is not None
        self.process.stdout.close()

    def check(
        self, token: str, news: dict[str, Value], olds: dict[str, Value] | None = None
    ) -> tuple[dict[str, Value], dict[str, str]]:
        """Checked inputs, and the reason for each property that is wrong."""
        request = provider_pb2.CheckRequest(
            urn=urn(token), olds=to_wire(olds or {}), news=to_wire(news), randomSeed=SEED
        )
        answer = self.stub.Check(request)
        return from_wire(answer.inputs), {f.property: f.reason for f in answer.failures}

    def diff(self, state: State, news: dict[str, Value], ignored: tuple[str, ...] = ()) -> Value:
        request = provider_pb2.DiffRequest(
            id=state.id,
            urn=state.urn,
            olds=to_wire(state.outputs),
            old_inputs=to_wire(state.inputs),
            news=to_wire(news),
            ignoreChanges=ignored,
        )
        return self.stub.Diff(request)

    def create(self, token: str, inputs: dict[str, Value], *, preview: bool = False) -> Value:
        request = provider_pb2.CreateRequest(
            urn=urn(token), properties=to_wire(inputs), preview=preview
        )
        return self.stub.Create(request)

    def preview(self, state: State, news: dict[str, Value]) -> dict[str, Value]:
        """What an update would give."""
        request = provider_pb2.UpdateRequest(
            id=state.id,
            urn=state.urn,
            olds=to_wire(state.outputs),
            old_inputs=to_wire(state.inputs),
            news=to_wire(news),
            preview=True,
        )
        return from_wire(self.stub.Update(request).properties)

    def read(self, state: State) -> Value:
        request = provider_pb2.ReadRequest(
            id=state.id,
            urn=state.urn,
            properties=to_wire(state.outputs),
            inputs=to_wire(state.inputs),
        )
        return self.stub.Read(request)

    def delete(self, state: State) -> None:
        request = provider_pb2.DeleteRequest(
            id=state.id,
            urn=state.urn,
            properties=to_wire(state.outputs),
            old_inputs=to_wire(state.inputs),
        )
        self.stub.Delete(request)

    def invoke(self, token: str, args: dict[str, Value]) -> dict[str, Value]:
        answer = self.stub.Invoke(provider_pb2.InvokeRequest(tok=token, args=to_wire(args)))
        return from_wire(getattr(answer, "return"))


def urn(token: str, name: str = "thing") -> str:
    return f"urn:pulumi:dev::scenarios::{token}::{name}"
