"""The protocol of Pulumi's provider plugins, as far as the plugins of this sandbox are alike.

What they tell an engine (answers, differences, errors) and how their process starts and ends.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from engine.errors import EngineError
from engine.values import to_wire

Message = Any
"""A protobuf message; its classes have no types of their own."""
Fault = tuple[str, str]
"""A property that is wrong, or the empty text, and why."""
_KINDS = provider_pb2.PropertyDiff.Kind
_LIMIT = 400 * 1024 * 1024
_CALLS = 32


class ProviderError(Exception):
    """A call of the plugin cannot be carried out; the message says what, where and what to do."""


class NotReadyError(ProviderError):
    """A resource exists, but is not as it was asked for.

    Attributes:
        id: Its id, so that Pulumi can record it.
        state: What it is by now.
        details: What else there is to say, a sentence each.
        inputs: The inputs that match the state; None if they are those of the request.
    """

    def __init__(
        self,
        id_: str,
        reason: str,
        state: Mapping[str, Any],
        *,
        details: Sequence[str] = (),
        inputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Say which resource, why and what there is of it."""
        super().__init__(reason)
        self.id = id_
        self.state = dict(state)
        self.details = list(details)
        self.inputs = inputs


class Service(provider_pb2_grpc.ResourceProviderServicer):
    """What every plugin answers in the same way; `version` is the provider's that it stands for."""

    version = ""

    def __init__(self) -> None:
        """Begin without a configuration."""
        self.stop = threading.Event()

    def Handshake(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: ARG002, N802, D102
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: ARG002, N802, D102
        return plugin_pb2.PluginInfo(version=self.version)

    def Cancel(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: ARG002, N802, D102
        self.stop.set()
        return empty_pb2.Empty()


def serve(service: Service) -> None:
    """Serve on loopback until the engine is done; the first line written is the port."""
    # Ctrl-C reaches the whole group of processes; the engine decides what becomes of its plugins.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # It is waited for, and not handled: a handler is not run while the main thread is about to
    # wait for a lock, and then the plugin would never end.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    options = [
        ("grpc.max_receive_message_length", _LIMIT),
        ("grpc.max_send_message_length", _LIMIT),
    ]
    server = grpc.server(futures.ThreadPoolExecutor(_CALLS), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGTERM})
    server.stop(None)


def named(urn: str) -> tuple[str, str]:
    """The type token and the name in a URN."""
    _, _, kinds, name = urn.split("::", 3)
    return kinds.rsplit("$", 1)[-1], name


def title(urn: str) -> str:
    """How an error calls the resource of a URN."""
    token, name = named(urn)
    return f"{token} '{name}'"


def failures(faults: Iterable[Fault]) -> list[Message]:
    """The faults of a check for the wire."""
    return [provider_pb2.CheckFailure(property=p, reason=reason) for p, reason in faults]


def diff_response(found: Iterable[tuple[str, str, bool]], *, before: bool = False) -> Message:
    """What a diff came to.

    Args:
        found: Top-level property, path in it and whether the change needs a new resource.
        before: If it does, the old one has to go first.
    """
    listed = list(found)
    replaces = sorted({name for name, _, replacing in listed if replacing})
    detailed = {
        path: provider_pb2.PropertyDiff(
            kind=_KINDS.UPDATE_REPLACE if replacing else _KINDS.UPDATE, inputDiff=True
        )
        for _, path, replacing in listed
    }
    response = provider_pb2.DiffResponse
    return response(
        changes=response.DIFF_SOME if listed else response.DIFF_NONE,
        diffs=sorted({name for name, _, _ in listed}),
        replaces=replaces,
        detailedDiff=detailed,
        hasDetailedDiff=True,
        deleteBeforeReplace=bool(replaces) and before,
    )


def answer(
    context: grpc.ServicerContext,
    about: str,
    give: Callable[[], Message],
    request: Message = None,
) -> Message:
    """Answer, or fail the call with a sentence that names what it is about.

    Args:
        context: The call.
        about: What it is about.
        give: Makes the answer.
        request: What was asked, for its inputs; needed where a resource may not be ready.
    """
    try:
        return give()
    except NotReadyError as error:
        _not_ready(context, f"{about}: {error}", error, request)
    except (ProviderError, EngineError) as error:
        context.abort(grpc.StatusCode.UNKNOWN, f"{about}: {error}")
    raise AssertionError


def _not_ready(
    context: grpc.ServicerContext, text: str, error: NotReadyError, request: Message
) -> None:
    if error.inputs is not None:
        inputs = to_wire(error.inputs)
    else:
        inputs = request.properties if hasattr(request, "properties") else request.news
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=error.id,
            properties=to_wire(error.state),
            inputs=inputs,
            reasons=[text, *error.details],
        )
    )
    code = grpc.StatusCode.UNKNOWN
    status = status_pb2.Status(code=code.value[0], message=text, details=[detail])
    # gRPC carries the details of an error in this header.
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, text)
