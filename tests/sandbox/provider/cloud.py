"""Resources made by hand with the plugin."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from pulumi.runtime.proto import provider_pb2
from pulumi.runtime.proto.status_pb2 import Status

from engine.values import from_wire, to_wire
from tests.sandbox.provider.plugin import Plugin, urn

if TYPE_CHECKING:
    import grpc

    from tests.sandbox.provider.cases.case import Value


class Cloud:
    """Resources made by hand with the plugin, gone at the end of the test."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self.made: list[Value] = []

    def create(self, token: str, **inputs: Value) -> Value:
        checked, faults = self.plugin.check(token, inputs)
        assert faults == {}
        answer = self.plugin.create(token, checked)
        outputs = from_wire(answer.properties)
        state = SimpleNamespace(id=answer.id, urn=urn(token), inputs=checked, outputs=outputs)
        self.made.append(state)
        return state

    def update(self, state: Value, **inputs: Value) -> None:
        """Change it in place, as an engine does."""
        checked, faults = self.plugin.check(state.urn.split("::")[2], inputs, state.inputs)
        assert faults == {}
        request = _update(state, checked)
        state.outputs = from_wire(self.plugin.stub.Update(request).properties)
        state.inputs = checked

    def delete(self, state: Value) -> None:
        self.plugin.delete(state)
        self.made.remove(state)


def _update(state: Value, inputs: dict[str, Value]) -> Value:
    return provider_pb2.UpdateRequest(
        id=state.id,
        urn=state.urn,
        olds=to_wire(state.outputs),
        old_inputs=to_wire(state.inputs),
        news=to_wire(inputs),
    )


def details(error: grpc.RpcError) -> Value:
    """What a failed call says of a resource that exists all the same."""
    metadata: Value = error.trailing_metadata()
    for key, value in metadata:
        if key == "grpc-status-details-bin":
            status = Status()
            status.ParseFromString(value)
            found = provider_pb2.ErrorResourceInitFailed()
            assert status.details[0].Unpack(found)
            return found
    return None
