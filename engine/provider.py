"""One configured provider: typed calls of its gRPC service, with the values that Pulumi sends.

Follows pulumi/sdk/go/common/resource/plugin/provider_plugin.go.
"""

import json
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from engine import urns
from engine.answers import decode_diff, init_failed, last_message
from engine.diffs import Diff, changed_keys
from engine.errors import EngineError
from engine.plugins import Plugin
from engine.processes import append_log
from engine.state import ResourceState
from engine.values import (
    Properties,
    annotate_secrets,
    from_wire,
    has_unknown,
    to_wire,
    unwrap,
)

OPTIONS: Final = [
    ("grpc.max_receive_message_length", 400 * 1024 * 1024),
    ("grpc.max_send_message_length", 400 * 1024 * 1024),
]
_SEED_BYTES: Final = 32
_UNIMPLEMENTED: Final = grpc.StatusCode.UNIMPLEMENTED


class ProviderError(EngineError):
    """A provider refused or failed; the message is its own, without a traceback."""


@dataclass
class Result:
    """What Create, Update or Read gave.

    Attributes:
        id: The resource's id; empty after a Read means that it is gone.
        outputs: Its outputs.
        inputs: The inputs that match the outputs, where a Read says so.
        init_errors: Why it exists but is not ready.
    """

    id: str
    outputs: Properties
    inputs: Properties | None = None
    init_errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Failure:
    """One fault that Check found; `property` may be empty."""

    property: str
    reason: str


class Provider:
    """A provider process and what it said that it can do."""

    def __init__(self, plugin: Plugin) -> None:
        """Connect to a running plugin."""
        self.plugin = plugin
        address = f"127.0.0.1:{plugin.port}"
        self._channel = grpc.insecure_channel(address, options=OPTIONS)
        self._stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self._known = False
        self._secrets = False
        self._resources = False
        self._previews = False
        self._log_lock = threading.Lock()

    def handshake(self, engine_address: str, directory: str) -> None:
        """Introduce the engine; providers that know no Handshake say what they can in Configure."""
        request = provider_pb2.ProviderHandshakeRequest(
            engine_address=engine_address,
            root_directory=directory,
            program_directory=directory,
            configure_with_urn=True,
            invoke_with_preview=True,
        )
        response = self._optional(self._stub.Handshake, request)
        if response is not None:
            self._secrets = response.accept_secrets
            self._resources = response.accept_resources
        self._optional(self._stub.GetPluginInfo, _empty())

    def check_config(
        self, urn: str, olds: Properties, news: Properties
    ) -> tuple[Properties, list[Failure]]:
        """Check the provider's own configuration, which may hold unknown values."""
        request = provider_pb2.CheckRequest(
            urn=urn,
            name=urns.name_of(urn),
            type=urns.type_of(urn),
            olds=to_wire(olds),
            news=to_wire(news),
        )
        response = self._optional(self._stub.CheckConfig, request)
        if response is None:
            return news, []
        return from_wire(response.inputs), [
            Failure(f.property, f.reason) for f in response.failures
        ]

    def diff_config(
        self,
        urn: str,
        old_inputs: Properties,
        old_outputs: Properties,
        news: Properties,
        id_: str = "",
        ignored: Sequence[str] = (),
    ) -> Diff:
        """Compare configurations; a provider without DiffConfig is updated in place."""
        request = provider_pb2.DiffRequest(
            id=id_,
            urn=urn,
            name=urns.name_of(urn),
            type=urns.type_of(urn),
            olds=to_wire(old_outputs),
            old_inputs=to_wire(old_inputs),
            news=to_wire(news),
            ignoreChanges=ignored,
        )
        response = self._optional(self._stub.DiffConfig, request)
        if response is None:
            keys = changed_keys(old_inputs, news)
            return Diff(changes=bool(keys), changed_keys=keys)
        return decode_diff(response, old_inputs, news, ignored)

    def configure(self, urn: str, id_: str, inputs: Properties) -> None:
        """Configure the provider, unless an input is not known yet.

        Raises:
            ProviderError: It refuses the configuration.
        """
        if not has_unknown(inputs):
            package = urns.type_of(urn).removeprefix(urns.PROVIDER_PREFIX)
            plain = {key: value for key, value in inputs.items() if key != "version"}
            request = provider_pb2.ConfigureRequest(
                variables={f"{package}:config:{k}": _text(v) for k, v in plain.items()},
                args=to_wire(inputs),
                acceptSecrets=True,
                acceptResources=True,
                sends_old_inputs=True,
                sends_old_inputs_to_delete=True,
                id=id_,
                urn=urn,
                name=urns.name_of(urn),
                type=urns.type_of(urn),
            )
            response = self._call(self._stub.Configure, request)
            self._secrets = self._secrets or response.acceptSecrets
            self._resources = self._resources or response.acceptResources
            self._previews = response.supportsPreview
            self._known = True

    def check(
        self, new: ResourceState, news: Properties, olds: Properties | None
    ) -> tuple[Properties, list[Failure]]:
        """Check a resource's inputs and fill in defaults."""
        if not self._known:
            return news, []
        request = provider_pb2.CheckRequest(
            urn=new.urn,
            name=new.name,
            type=new.type,
            olds=self._wire(olds or {}),
            news=self._wire(news),
            randomSeed=secrets.token_bytes(_SEED_BYTES),
        )
        response = self._call(self._stub.Check, request)
        inputs = from_wire(response.inputs)
        if not self._secrets:
            inputs = annotate_secrets(inputs, news)
        return inputs, [Failure(f.property, f.reason) for f in response.failures]

    def diff(self, old: ResourceState, news: Properties, ignored: Sequence[str]) -> Diff | None:
        """Compare a resource with new inputs; None if the configuration is not known yet."""
        if not self._known:
            return None
        request = provider_pb2.DiffRequest(
            id=old.id,
            urn=old.urn,
            name=old.name,
            type=old.type,
            olds=self._wire(old.outputs),
            old_inputs=self._wire(old.inputs),
            news=self._wire(news),
            ignoreChanges=ignored,
        )
        return decode_diff(self._call(self._stub.Diff, request), old.inputs, news, ignored)

    def create(self, new: ResourceState, *, preview: bool) -> Result:
        """Create a resource, or say what it would look like.

        Raises:
            ProviderError: It was not created.
        """
        if (shortcut := self._in_preview(new.inputs, preview=preview)) is not None:
            return Result("", shortcut)
        request = provider_pb2.CreateRequest(
            urn=new.urn,
            name=new.name,
            type=new.type,
            properties=self._wire(new.inputs),
            timeout=new.custom_timeouts.get("create", 0),
            preview=preview,
        )
        result = self._perform(self._stub.Create, request, new.inputs)
        if not result.id and not preview:
            raise ProviderError(f"plugin returned empty resource.ID from create '{new.urn}'")
        return result

    def update(
        self, old: ResourceState, new: ResourceState, ignored: Sequence[str], *, preview: bool
    ) -> Result:
        """Change a resource in place.

        Raises:
            ProviderError: It was not changed.
        """
        if (shortcut := self._in_preview(new.inputs, preview=preview)) is not None:
            return Result(old.id, shortcut)
        request = provider_pb2.UpdateRequest(
            id=old.id,
            urn=new.urn,
            name=new.name,
            type=new.type,
            olds=self._wire(old.outputs),
            old_inputs=self._wire(old.inputs),
            news=self._wire(new.inputs),
            timeout=new.custom_timeouts.get("update", 0),
            ignoreChanges=ignored,
            preview=preview,
        )
        result = self._perform(self._stub.Update, request, new.inputs)
        return Result(old.id, result.outputs, None, result.init_errors)

    def delete(self, old: ResourceState) -> None:
        """Delete a resource.

        Raises:
            ProviderError: It was not deleted.
        """
        request = provider_pb2.DeleteRequest(
            id=old.id,
            urn=old.urn,
            name=old.name,
            type=old.type,
            properties=self._wire(old.outputs),
            old_inputs=self._wire(old.inputs),
            timeout=old.custom_timeouts.get("delete", 0),
        )
        self._call(self._stub.Delete, request)

    def read(self, old: ResourceState) -> Result:
        """Look at what a resource is now; an empty id means that it is gone.

        Raises:
            ProviderError: It cannot be looked at.
        """
        request = provider_pb2.ReadRequest(
            id=old.id,
            urn=old.urn,
            name=old.name,
            type=old.type,
            properties=self._wire(old.outputs),
            inputs=self._wire(old.inputs),
            timeout=old.custom_timeouts.get("read", 0),
        )
        result = self._perform(self._stub.Read, request, old.outputs)
        if result.inputs is not None and not self._secrets:
            result.inputs = annotate_secrets(result.inputs, old.inputs)
        return result

    def invoke(
        self, token: str, args: Properties, *, preview: bool
    ) -> tuple[Properties | None, list[Failure]]:
        """Call a function; None if the configuration is not known yet."""
        if not self._known:
            return None, []
        request = provider_pb2.InvokeRequest(tok=token, args=self._wire(args), preview=preview)
        response = self._call(self._stub.Invoke, request)
        failures = [Failure(f.property, f.reason) for f in response.failures]
        return from_wire(getattr(response, "return")), failures

    def cancel(self) -> None:
        """Ask the provider to give up what it is doing."""
        self._optional(self._stub.Cancel, _empty())

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def _wire(self, properties: Properties) -> Any:  # noqa: ANN401 - a protobuf Struct
        return to_wire(properties, secrets=self._secrets, resources=self._resources)

    def _in_preview(self, inputs: Properties, *, preview: bool) -> Properties | None:
        """The outputs to show when the provider cannot preview; None if it can, or must act."""
        if not preview:
            return None
        if not self._known:
            return {}
        return None if self._previews else inputs

    def _perform(
        self,
        method: Callable[..., Any],
        request: Any,  # noqa: ANN401
        marked: Mapping[str, Any],
    ) -> Result:
        try:
            response = method(request)
        except grpc.RpcError as error:
            partial = init_failed(error)
            if partial is None:
                raise self._error(error) from error
            inputs = from_wire(partial.inputs) if partial.HasField("inputs") else None
            result = Result(
                partial.id, from_wire(partial.properties), inputs, list(partial.reasons)
            )
        else:
            read = isinstance(response, provider_pb2.ReadResponse) and response.HasField("inputs")
            inputs = from_wire(response.inputs) if read else None
            result = Result(getattr(response, "id", ""), from_wire(response.properties), inputs)
        if not self._secrets:
            result.outputs = annotate_secrets(result.outputs, marked)
        return result

    def _call(self, method: Callable[..., Any], request: Any) -> Any:  # noqa: ANN401
        try:
            return method(request)
        except grpc.RpcError as error:
            raise self._error(error) from error

    def _optional(self, method: Callable[..., Any], request: Any) -> Any:  # noqa: ANN401
        try:
            return method(request)
        except grpc.RpcError as error:
            if error.code() == _UNIMPLEMENTED:
                return None
            raise self._error(error) from error

    def _error(self, error: grpc.RpcError) -> ProviderError:
        details = error.details() or str(error.code())
        if error.code() == grpc.StatusCode.UNAVAILABLE:
            details = f"the provider '{self.plugin.name}' has ended (log: {self.plugin.log})"
        message = last_message(details)
        if message != details:
            with self._log_lock:
                append_log(self.plugin.log, details)
            message = f"{message}\n(traceback in {self.plugin.log})"
        return ProviderError(message)


def _text(value: Any) -> str:  # noqa: ANN401
    plain = unwrap(value)
    return plain if isinstance(plain, str) else json.dumps(plain)


def _empty() -> Any:  # noqa: ANN401
    from google.protobuf import empty_pb2  # noqa: PLC0415

    return empty_pb2.Empty()
