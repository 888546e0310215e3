"""One configured provider: typed calls of its gRPC service, with the values that Pulumi sends.

Follows pulumi/sdk/go/common/resource/plugin/provider_plugin.go.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from engine import urns
from engine.answers import Answer, Failure, ProviderError, decode_diff, failures_of
from engine.connection import Connection
from engine.diffs import Diff, changed_keys
from engine.plugins import Plugin
from engine.state import ResourceState
from engine.values import (
    Properties,
    annotate_secrets,
    from_wire,
    has_unknown,
    to_wire,
    unwrap,
)

_SEED_BYTES: Final = 32


class Provider:
    """A provider process and what it said that it can do."""

    def __init__(self, plugin: Plugin) -> None:
        """Connect to a running plugin."""
        self._line = Connection(plugin)
        self._stub = self._line.stub
        self._known = False
        self._secrets = False
        self._resources = False
        self._previews = False

    def handshake(self, engine_address: str, directory: str) -> None:
        """Introduce the engine; providers that know no Handshake say what they can in Configure."""
        request = provider_pb2.ProviderHandshakeRequest(
            engine_address=engine_address,
            root_directory=directory,
            program_directory=directory,
            configure_with_urn=True,
            invoke_with_preview=True,
        )
        response = self._line.optional(self._stub.Handshake, request)
        if response is not None:
            self._secrets = response.accept_secrets
            self._resources = response.accept_resources
        self._line.optional(self._stub.GetPluginInfo, empty_pb2.Empty())

    def check_config(
        self, urn: str, olds: Properties, news: Properties
    ) -> tuple[Properties, list[Failure]]:
        """Check the provider's own configuration, which may hold unknown values."""
        request = provider_pb2.CheckRequest(
            **_named(urn),
            olds=_plain(olds),
            news=_plain(news),
        )
        response = self._line.optional(self._stub.CheckConfig, request)
        if response is None:
            return news, []
        # It was given no secret marks, so it cannot give them back.
        return annotate_secrets(from_wire(response.inputs), news), failures_of(response)

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
            **_named(urn),
            olds=_plain(old_outputs),
            old_inputs=_plain(old_inputs),
            news=_plain(news),
            ignoreChanges=ignored,
        )
        response = self._line.optional(self._stub.DiffConfig, request)
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
                **_named(urn),
            )
            response = self._line.call(self._stub.Configure, request)
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
            **_named(new.urn),
            olds=self._wire(olds or {}),
            news=self._wire(news),
            randomSeed=secrets.token_bytes(_SEED_BYTES),
        )
        response = self._line.call(self._stub.Check, request)
        inputs = from_wire(response.inputs)
        if not self._secrets:
            inputs = annotate_secrets(inputs, news)
        return inputs, failures_of(response)

    def diff(self, old: ResourceState, news: Properties, ignored: Sequence[str]) -> Diff | None:
        """Compare a resource with new inputs; None if the configuration is not known yet."""
        if not self._known:
            return None
        request = provider_pb2.DiffRequest(
            id=old.id,
            **_named(old.urn),
            olds=self._wire(old.outputs),
            old_inputs=self._wire(old.inputs),
            news=self._wire(news),
            ignoreChanges=ignored,
        )
        return decode_diff(self._line.call(self._stub.Diff, request), old.inputs, news, ignored)

    def create(self, new: ResourceState, *, preview: bool) -> Answer:
        """Create a resource, or say what it would look like.

        Raises:
            ProviderError: It was not created.
        """
        if (shortcut := self._in_preview(new.inputs, preview=preview)) is not None:
            return Answer("", shortcut)
        request = provider_pb2.CreateRequest(
            **_named(new.urn),
            properties=self._wire(new.inputs),
            timeout=new.custom_timeouts.get("create", 0),
            preview=preview,
        )
        made = self._line.answer(self._stub.Create, request)
        if not made.id and not preview:
            raise ProviderError(f"plugin returned empty resource.ID from create '{new.urn}'")
        return self._read_answer(made, new.inputs, preview=preview)

    def update(
        self, old: ResourceState, new: ResourceState, ignored: Sequence[str], *, preview: bool
    ) -> Answer:
        """Change a resource in place.

        Raises:
            ProviderError: It was not changed.
        """
        if (shortcut := self._in_preview(new.inputs, preview=preview)) is not None:
            return Answer(old.id, shortcut)
        request = provider_pb2.UpdateRequest(
            id=old.id,
            **_named(new.urn),
            olds=self._wire(old.outputs),
            old_inputs=self._wire(old.inputs),
            news=self._wire(new.inputs),
            timeout=new.custom_timeouts.get("update", 0),
            ignoreChanges=ignored,
            preview=preview,
        )
        changed = self._line.answer(self._stub.Update, request)
        changed.id = old.id
        return self._read_answer(changed, new.inputs, preview=preview)

    def delete(self, old: ResourceState) -> None:
        """Delete a resource.

        Raises:
            ProviderError: It was not deleted.
        """
        request = provider_pb2.DeleteRequest(
            id=old.id,
            **_named(old.urn),
            properties=self._wire(old.outputs),
            old_inputs=self._wire(old.inputs),
            timeout=old.custom_timeouts.get("delete", 0),
        )
        self._line.call(self._stub.Delete, request)

    def read(self, old: ResourceState) -> Answer:
        """Look at what a resource is now; an empty id means that it is gone.

        Raises:
            ProviderError: It cannot be looked at.
        """
        request = provider_pb2.ReadRequest(
            id=old.id,
            **_named(old.urn),
            properties=self._wire(old.outputs),
            inputs=self._wire(old.inputs),
            timeout=old.custom_timeouts.get("read", 0),
        )
        found = self._line.answer(self._stub.Read, request)
        found = self._read_answer(found, old.outputs, preview=False)
        if found.inputs is not None and not self._secrets:
            found.inputs = annotate_secrets(found.inputs, old.inputs)
        return found

    def invoke(
        self, token: str, args: Properties, *, preview: bool
    ) -> tuple[Properties | None, list[Failure]]:
        """Call a function; None if the configuration is not known yet."""
        if not self._known:
            return None, []
        request = provider_pb2.InvokeRequest(tok=token, args=self._wire(args), preview=preview)
        response = self._line.call(self._stub.Invoke, request)
        return from_wire(getattr(response, "return")), failures_of(response)

    def cancel(self) -> None:
        """Ask the provider to give up what it is doing."""
        self._line.optional(self._stub.Cancel, empty_pb2.Empty())

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _wire(self, properties: Properties) -> Any:  # noqa: ANN401 - a protobuf Struct
        return to_wire(properties, secrets=self._secrets, resources=self._resources)

    def _in_preview(self, inputs: Properties, *, preview: bool) -> Properties | None:
        """The outputs to show when the provider cannot preview; None if it can, or must act."""
        if not preview:
            return None
        if not self._known:
            return {}
        return None if self._previews else inputs

    def _read_answer(self, answer: Answer, marked: Mapping[str, Any], *, preview: bool) -> Answer:
        """The answer with the secrets that the provider could not mark; unknown values are refused.

        Only a preview may have those (`RejectUnknowns` in provider_plugin.go).
        """
        if not preview and has_unknown(answer.outputs):
            raise ProviderError(f"the provider returned an unknown value for '{answer.id}'")
        if not self._secrets:
            answer.outputs = annotate_secrets(answer.outputs, marked)
        return answer


def _named(urn: str) -> dict[str, Any]:
    return {"urn": urn, "name": urns.name_of(urn), "type": urns.type_of(urn)}


def _plain(properties: Properties) -> Any:  # noqa: ANN401 - a protobuf Struct
    """A configuration as CheckConfig and DiffConfig get it, without marks of secrets."""
    return to_wire(properties, secrets=False, resources=False)


def _text(value: Any) -> str:  # noqa: ANN401
    plain = unwrap(value)
    return plain if isinstance(plain, str) else json.dumps(plain)
