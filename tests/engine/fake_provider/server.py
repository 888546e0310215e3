"""A provider plugin for the package `fake`, on the protocol that every Pulumi provider speaks.

What a `fake:index:Thing` does is in its inputs:

    value, anything else   stored and given back
    replaceMe              a change replaces the thing
    dbr                    the provider asks that the old thing be deleted before the new one
    autoName               Check chooses `name` and keeps it while the thing lives
    checkFail              {property: reason}: Check refuses
    failCreate, failUpdate  the call fails with this text
    partialCreate          the thing is made, but never gets ready, for these reasons
    partialUpdate          the thing is changed, but never gets ready, for these reasons
    secretOut              comes back as the secret output `token`
    leak                   comes back as the output `leaked`, not marked as a secret
    meet                   Create waits until so many creates run at the same time

`handle`, the id, is known only once the thing exists. A test can also hold or refuse single calls
(`Cloud.hold`, `Cloud.refuse`).
"""

from __future__ import annotations

import re
import signal
import sys
import threading
from concurrent import futures
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from tests.engine.fake_provider.cloud import Cloud
from tests.engine.fake_provider.wire import (
    UNKNOWN,
    Value,
    bare,
    from_struct,
    readable,
    secret,
    to_struct,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 400 * 1024 * 1024
OPTIONS = [("grpc.max_receive_message_length", LIMIT), ("grpc.max_send_message_length", LIMIT)]
Kind = provider_pb2.PropertyDiff
Message: TypeAlias = Any
"""A message of the protocol: its method says which."""


def outputs(name: str, inputs: dict[str, Any], *, handle: str) -> dict[str, Any]:
    """What a thing gives back: its inputs, and what only the cloud knows."""
    found = {**inputs, "handle": handle}
    if "secretOut" in inputs:
        found["token"] = secret(f"token of {name}: {bare(inputs['secretOut'])}")
    if "leak" in inputs:
        found["leaked"] = bare(inputs["leak"])
    return found


def below(path: str, key: str | int) -> str:
    """Name a part of a value, in Pulumi's notation for property paths."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not re.fullmatch(r"\w+", key, re.ASCII):
        quoted = key.replace('"', '\\"')
        return f'{path}["{quoted}"]'
    return f"{path}.{key}" if path else key


def changed_paths(old: Value, new: Value, path: str = "") -> Iterator[tuple[str, Message]]:
    """Each property path that differs, with the kind of its change."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            if key not in old:
                yield below(path, key), Kind.ADD
            elif key not in new:
                yield below(path, key), Kind.DELETE
            else:
                yield from changed_paths(old[key], new[key], below(path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from changed_paths(one, other, below(path, index))
    elif old != new or type(old) is not type(new):
        yield path, Kind.UPDATE


def differences(old: dict[str, Any], new: dict[str, Any], replacing: str) -> dict[str, Any]:
    """The parts of a DiffResponse; `replacing` is the property that cannot change in place."""
    every = {key: dict(changed_paths(_only(old, key), _only(new, key))) for key in {*old, *new}}
    found = {key: paths for key, paths in every.items() if paths}
    detailed = {
        path: Kind(kind=kind + 1 if key == replacing else kind, inputDiff=True)
        for key, paths in found.items()
        for path, kind in paths.items()
    }
    response = provider_pb2.DiffResponse
    return {
        "changes": response.DIFF_SOME if found else response.DIFF_NONE,
        "diffs": sorted(found),
        "replaces": [replacing] if replacing in found else [],
        "detailedDiff": detailed,
        "hasDetailedDiff": True,
    }


def _only(values: dict[str, Any], key: str) -> dict[str, Any]:
    return {key: values[key]} if key in values else {}


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """The plugin: each method records its call, then does to the cloud what the inputs say."""

    def __init__(self) -> None:
        self.cloud = Cloud.from_environment()
        self.cancelled = threading.Event()

    @contextmanager
    def _call(self, request: Message, name: str = "", **more: Value) -> Iterator[None]:
        method = sys._getframe(2).f_code.co_name
        name = name or getattr(request, "urn", "").rsplit("::", 1)[-1]
        with self.cloud.record(method, name, {key: readable(value) for key, value in more.items()}):
            yield

    # The plugin itself

    def Handshake(self, request: Message, _context: grpc.ServicerContext) -> Message:  # noqa: N802
        with self._call(request):
            return provider_pb2.ProviderHandshakeResponse(
                accept_secrets=True,
                accept_resources=False,
                accept_outputs=False,
            )

    def GetPluginInfo(self, request: Message, _context: grpc.ServicerContext) -> Message:  # noqa: N802
        with self._call(request):
            return plugin_pb2.PluginInfo(version="1.2.3")

    def CheckConfig(self, request: Message, _context: grpc.ServicerContext) -> Message:  # noqa: N802
        news = from_struct(request.news)
        with self._call(request, olds=from_struct(request.olds), news=news):
            failures = []
            if bare(news).get("region") == "nowhere":
                failures = [provider_pb2.CheckFailure(property="region", reason="is not a region")]
            return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: Message, _context: grpc.ServicerContext) -> Message:  # noqa: N802
        olds, news = from_struct(request.old_inputs), from_struct(request.news)
        with self._call(request, olds=olds, news=news):
            return provider_pb2.DiffResponse(**differences(bare(olds), bare(news), "region"))

    def Configure(self, request: Message, _context: grpc.ServicerContext) -> Message:  # noqa: N802
        arguments = from_struct(request.args)
        variables = dict(request.variables)
        with self._call(request, args=arguments, variables=variables):
            return provider_pb2.ConfigureResponse(
                acceptSecrets=True,
                supportsPreview=True,
                acceptResources=False,
                acceptOutputs=False,
            )

    def Cancel(self, request: Message, _context: grpc.ServicerContext) -> Message:  # noqa: N802
        with self._call(request):
            self.cancelled.set()
            return empty_pb2.Empty()

    def Invoke(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802
        arguments = from_struct(request.args)
        with self._call(request, request.tok, args=arguments):
            key = bare(arguments).get("key")
            if key == "broken":
                context.abort(grpc.StatusCode.UNKNOWN, "the catalogue is closed")
            if key == "missing":
                failure = provider_pb2.CheckFailure(
                    property="key", reason="is not in the catalogue"
                )
                return provider_pb2.InvokeResponse(failures=[failure])
            answer = {"key": key, "value": f"what {key} means"}
            return getattr(provider_pb2, "InvokeResponse")(**{"return": to_struct(answer)})  # noqa: B009

    # Things

    def Check(self, request: Message, _context: grpc.ServicerContext) -> Message:  # noqa: N802
        olds, news = from_struct(request.olds), from_struct(request.news)
        with self._call(request, olds=olds, news=news):
            if "autoName" in news and "name" not in news:
                news["name"] = olds.get("name") or f"auto-{request.randomSeed.hex()[:8]}"
            failures = [
                provider_pb2.CheckFailure(property=key, reason=reason)
                for key, reason in sorted(bare(news).get("checkFail", {}).items())
            ]
            return provider_pb2.CheckResponse(inputs=to_struct(news), failures=failures)

    def Diff(self, request: Message, _context: grpc.ServicerContext) -> Message:  # noqa: N802
        olds, inputs = from_struct(request.olds), from_struct(request.old_inputs)
        news = from_struct(request.news)
        arguments = {"id": request.id, "olds": olds, "oldInputs": inputs, "news": news}
        with self._call(request, **arguments, ignoreChanges=list(request.ignoreChanges)):
            found = differences(bare(inputs), bare(news), "replaceMe")
            return provider_pb2.DiffResponse(
                **found, deleteBeforeReplace=bool(bare(news).get("dbr")) and bool(found["replaces"])
            )

    def Create(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802
        inputs = from_struct(request.properties)
        name = request.urn.rsplit("::", 1)[-1]
        arguments = {"properties": inputs, "preview": request.preview, "timeout": request.timeout}
        with self._call(request, **arguments):
            if request.preview:
                known = outputs(name, inputs, handle=UNKNOWN)
                return provider_pb2.CreateResponse(properties=to_struct(known))
            plain = bare(inputs)
            if "meet" in plain:
                self.cloud.meet(name, plain["meet"])
            self._obey("Create", name, context)
            if "failCreate" in plain:
                context.abort(grpc.StatusCode.UNKNOWN, plain["failCreate"])
            handle = self.cloud.next_id(name)
            made = outputs(name, inputs, handle=handle)
            thing_id = self.cloud.create(name, {"inputs": inputs, "outputs": made})
            if "partialCreate" in plain:
                self._not_ready(context, thing_id, made, plain["partialCreate"])
            return provider_pb2.CreateResponse(id=thing_id, properties=to_struct(made))

    def Update(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802
        inputs = from_struct(request.news)
        arguments = {
            "id": request.id,
            "olds": from_struct(request.olds),
            "oldInputs": from_struct(request.old_inputs),
            "news": inputs,
            "preview": request.preview,
            "timeout": request.timeout,
            "ignoreChanges": list(request.ignoreChanges),
        }
        with self._call(request, **arguments):
            name = request.urn.rsplit("::", 1)[-1]
            if not request.preview:
                self._obey("Update", name, context)
                if "failUpdate" in inputs:
                    context.abort(grpc.StatusCode.UNKNOWN, bare(inputs["failUpdate"]))
            made = outputs(name, inputs, handle=request.id)
            if not request.preview:
                self.cloud.write(request.id, {"inputs": inputs, "outputs": made})
                if "partialUpdate" in inputs:
                    self._not_ready(context, request.id, made, inputs["partialUpdate"])
            return provider_pb2.UpdateResponse(properties=to_struct(made))

    def Read(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802
        inputs, properties = from_struct(request.inputs), from_struct(request.properties)
        with self._call(request, id=request.id, inputs=inputs, properties=properties):
            self._obey("Read", request.urn.rsplit("::", 1)[-1], context)
            found = self.cloud.read(request.id)
            if found is None:
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(
                id=request.id,
                inputs=to_struct(found["inputs"]),
                properties=to_struct(found["outputs"]),
            )

    def Delete(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802
        properties, inputs = from_struct(request.properties), from_struct(request.old_inputs)
        arguments = {"id": request.id, "properties": properties, "oldInputs": inputs}
        with self._call(request, **arguments, timeout=request.timeout):
            self._obey("Delete", request.urn.rsplit("::", 1)[-1], context)
            self.cloud.delete(request.id)
            return empty_pb2.Empty()

    def _obey(self, method: str, name: str, context: grpc.ServicerContext) -> None:
        try:
            self.cloud.obey(
                f"{method} {name}",
                cancelled=lambda: self.cancelled.is_set() or not context.is_active(),
            )
        except RuntimeError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))

    def _not_ready(
        self, context: grpc.ServicerContext, thing_id: str, made: dict[str, Any], reasons: list[str]
    ) -> None:
        detail = any_pb2.Any()
        detail.Pack(
            provider_pb2.ErrorResourceInitFailed(
                id=thing_id, properties=to_struct(made), reasons=reasons
            )
        )
        text = "the thing does not get ready"
        status = status_pb2.Status(
            code=grpc.StatusCode.UNKNOWN.value[0], message=text, details=[detail]
        )
        # The details of a gRPC error travel in this header; no package is needed for one line.
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, text)


def main() -> None:
    # Ctrl-C reaches the whole group of processes; the engine decides what becomes of its plugins.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()
