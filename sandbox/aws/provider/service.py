"""The protocol: what Pulumi asks of a provider plugin, and what it is told."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from engine.errors import EngineError
from engine.values import Properties, Secret, from_wire, secret, to_wire, unwrap
from sandbox.aws.provider import executor, invokes, naming, settings
from sandbox.aws.provider.aws import Aws
from sandbox.aws.provider.errors import NotReadyError, ProviderError
from sandbox.aws.provider.executor import Executor
from sandbox.aws.provider.table import ALL_TAGS, Job

Message = Any
VERSION = "7.51.1"
"""The release of pulumi-aws whose inputs and outputs these are."""
_KINDS = provider_pb2.PropertyDiff.Kind


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """One plugin process; Pulumi configures it once."""

    def __init__(self) -> None:
        """Begin without a configuration."""
        self._stop = threading.Event()
        self._executor: Executor | None = None

    def Handshake(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: ARG002, N802, D102
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: ARG002, N802, D102
        return plugin_pb2.PluginInfo(version=VERSION)

    def CheckConfig(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def answer() -> Message:
            news = from_wire(request.news)
            return provider_pb2.CheckResponse(
                inputs=request.news, failures=_failures(settings.faults(news))
            )

        return _answer(context, "the provider", answer)

    def DiffConfig(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: ARG002, N802, D102
        found = settings.diff(from_wire(request.old_inputs), from_wire(request.news))
        return _diff_response((key, key, replaces) for key, replaces in found)

    def Configure(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def answer() -> Message:
            args = unwrap(from_wire(request.args))
            self._executor = Executor(settings.connect(args), self._stop.is_set)
            return provider_pb2.ConfigureResponse(supportsPreview=True)

        return _answer(context, "the provider", answer)

    def Cancel(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: ARG002, N802, D102
        self._stop.set()
        return empty_pb2.Empty()

    def Invoke(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def answer() -> Message:
            found = invokes.invoke(self._aws, request.tok, unwrap(from_wire(request.args)))
            wire = to_wire(found)
            return getattr(provider_pb2, "InvokeResponse")(**{"return": wire})  # noqa: B009 - a keyword

        return _answer(context, request.tok, answer)

    def Check(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def answer() -> Message:
            olds, news = from_wire(request.olds), from_wire(request.news)
            token, name = _named(request.urn)
            inputs, faults = executor.check(token, name, olds, news, request.randomSeed)
            row = executor.row_of(token)
            return provider_pb2.CheckResponse(
                inputs=to_wire(_hidden(row.fields, inputs)), failures=_failures(faults)
            )

        return _answer(context, _title(request.urn), answer)

    def Diff(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def answer() -> Message:
            job = self._job(request, news=request.news, olds=request.olds)
            found = self._must.diff(job, list(request.ignoreChanges))
            before = naming.given(job.row.auto, job.olds, unwrap(from_wire(request.news)))
            return _diff_response(found, before=job.row.delete_first or before)

        return _answer(context, _title(request.urn), answer)

    def Create(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def answer() -> Message:
            job = self._job(request, news=request.properties, id_="")
            if request.preview:
                return provider_pb2.CreateResponse(properties=to_wire(self._must.preview(job)))
            state = self._must.create(job)
            return provider_pb2.CreateResponse(id=job.id, properties=to_wire(state))

        return _answer(context, _title(request.urn), answer, request)

    def Update(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def answer() -> Message:
            job = self._job(request, news=request.news, olds=request.olds)
            if request.preview:
                return provider_pb2.UpdateResponse(properties=to_wire(self._must.preview(job)))
            return provider_pb2.UpdateResponse(properties=to_wire(self._must.update(job)))

        return _answer(context, _title(request.urn), answer, request)

    def Read(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def answer() -> Message:
            job = self._job(request, news=request.inputs, olds=request.properties)
            found = self._must.read(job)
            if found is None:
                return provider_pb2.ReadResponse()
            state, inputs = found
            before = from_wire(request.inputs)
            if naming.DEFAULTS in before:
                inputs[naming.DEFAULTS] = before[naming.DEFAULTS]
            return provider_pb2.ReadResponse(
                id=job.id,
                properties=to_wire(state),
                inputs=to_wire(_hidden(job.row.fields, inputs)),
            )

        return _answer(context, _title(request.urn), answer)

    def Delete(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def answer() -> Message:
            job = self._job(request, news=request.old_inputs, olds=request.properties)
            job.news.pop(ALL_TAGS, None)
            job.row.delete(job)
            return empty_pb2.Empty()

        return _answer(context, _title(request.urn), answer)

    @property
    def _must(self) -> Executor:
        if self._executor is None:
            raise ProviderError("the provider is not configured yet")
        return self._executor

    @property
    def _aws(self) -> Aws:
        return self._must.aws

    def _job(
        self, request: Message, *, news: Message, olds: Message = None, id_: str | None = None
    ) -> Job:
        token, name = _named(request.urn)
        return self._must.job(
            token,
            name,
            id_=request.id if id_ is None else id_,
            news=from_wire(news),
            olds=from_wire(olds) if olds is not None else {},
            seconds=getattr(request, "timeout", 0),
        )


def _named(urn: str) -> tuple[str, str]:
    _, _, kinds, name = urn.split("::", 3)
    return kinds.rsplit("$", 1)[-1], name


def _title(urn: str) -> str:
    token, name = _named(urn)
    return f"{token} '{name}'"


def _hidden(fields: Any, props: Properties) -> Properties:  # noqa: ANN401
    return {
        key: secret(value)
        if key in fields and fields[key].secret and not isinstance(value, Secret)
        else value
        for key, value in props.items()
    }


def _failures(faults: Iterable[executor.Fault]) -> list[Message]:
    return [provider_pb2.CheckFailure(property=p, reason=reason) for p, reason in faults]


def _diff_response(found: Iterable[tuple[str, str, bool]], *, before: bool = False) -> Message:
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


def _answer(
    context: grpc.ServicerContext,
    title: str,
    answer: Callable[[], Message],
    request: Message = None,
) -> Message:
    """Answer, or fail the call with a sentence that names what it is about."""
    try:
        return answer()
    except NotReadyError as error:
        _not_ready(context, f"{title}: {error}", error, request)
    except (ProviderError, EngineError) as error:
        context.abort(grpc.StatusCode.UNKNOWN, f"{title}: {error}")
    raise AssertionError


def _not_ready(
    context: grpc.ServicerContext, text: str, error: NotReadyError, request: Message
) -> None:
    inputs = request.properties if hasattr(request, "properties") else request.news
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=error.id, properties=to_wire(error.state), inputs=inputs, reasons=[text]
        )
    )
    code = grpc.StatusCode.UNKNOWN
    status = status_pb2.Status(code=code.value[0], message=text, details=[detail])
    # gRPC carries the details of an error in this header.
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, text)
