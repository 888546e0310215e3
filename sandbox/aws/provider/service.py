"""The protocol: what Pulumi asks of a provider plugin, and what it is told."""

from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from engine.values import Properties, Secret, from_wire, secret, to_wire, unwrap
from sandbox.aws.provider import executor, invokes, naming, settings
from sandbox.aws.provider.aws import Aws
from sandbox.aws.provider.executor import Executor
from sandbox.aws.provider.table import ALL_TAGS, Job
from sandbox.provider_protocol import (
    Message,
    ProviderError,
    Service,
    answer,
    diff_response,
    failures,
    named,
    title,
)


class Provider(Service):
    """One plugin process; Pulumi configures it once.

    Its version is the release of pulumi-aws whose inputs and outputs these are.
    """

    version = "7.51.1"

    def __init__(self) -> None:
        """Begin without a configuration."""
        super().__init__()
        self._executor: Executor | None = None

    def CheckConfig(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            news = from_wire(request.news)
            return provider_pb2.CheckResponse(
                inputs=request.news, failures=failures(settings.faults(news))
            )

        return answer(context, "the provider", give)

    def DiffConfig(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: ARG002, N802, D102
        found = settings.diff(from_wire(request.old_inputs), from_wire(request.news))
        return diff_response((key, key, replaces) for key, replaces in found)

    def Configure(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            args = unwrap(from_wire(request.args))
            self._executor = Executor(settings.connect(args), self.stop.is_set)
            return provider_pb2.ConfigureResponse(supportsPreview=True)

        return answer(context, "the provider", give)

    def Invoke(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            found = invokes.invoke(self._aws, request.tok, unwrap(from_wire(request.args)))
            wire = to_wire(found)
            return getattr(provider_pb2, "InvokeResponse")(**{"return": wire})  # noqa: B009 - a keyword

        return answer(context, request.tok, give)

    def Check(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            olds, news = from_wire(request.olds), from_wire(request.news)
            token, name = named(request.urn)
            inputs, faults = executor.check(token, name, olds, news, request.randomSeed)
            row = executor.row_of(token)
            return provider_pb2.CheckResponse(
                inputs=to_wire(_hidden(row.fields, inputs)), failures=failures(faults)
            )

        return answer(context, title(request.urn), give)

    def Diff(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            job = self._job(request, news=request.news, olds=request.olds)
            found = self._must.diff(job, list(request.ignoreChanges))
            before = naming.given(job.row.auto, job.olds, unwrap(from_wire(request.news)))
            return diff_response(found, before=job.row.delete_first or before)

        return answer(context, title(request.urn), give)

    def Create(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            job = self._job(request, news=request.properties, id_="")
            if request.preview:
                return provider_pb2.CreateResponse(properties=to_wire(self._must.preview(job)))
            state = self._must.create(job)
            return provider_pb2.CreateResponse(id=job.id, properties=to_wire(state))

        return answer(context, title(request.urn), give, request)

    def Update(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            job = self._job(request, news=request.news, olds=request.olds)
            if request.preview:
                return provider_pb2.UpdateResponse(properties=to_wire(self._must.preview(job)))
            return provider_pb2.UpdateResponse(properties=to_wire(self._must.update(job)))

        return answer(context, title(request.urn), give, request)

    def Read(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
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

        return answer(context, title(request.urn), give)

    def Delete(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            job = self._job(request, news=request.old_inputs, olds=request.properties)
            job.news.pop(ALL_TAGS, None)
            job.row.delete(job)
            return empty_pb2.Empty()

        return answer(context, title(request.urn), give)

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
        token, name = named(request.urn)
        return self._must.job(
            token,
            name,
            id_=request.id if id_ is None else id_,
            news=from_wire(news),
            olds=from_wire(olds) if olds is not None else {},
            seconds=getattr(request, "timeout", 0),
        )


def _hidden(fields: Any, props: Properties) -> Properties:  # noqa: ANN401
    return {
        key: secret(value)
        if key in fields and fields[key].secret and not isinstance(value, Secret)
        else value
        for key, value in props.items()
    }
