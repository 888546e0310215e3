"""The protocol: what Pulumi asks of a provider plugin, and what it is told."""

from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from engine.values import from_wire, to_wire, unwrap
from sandbox.kubernetes.provider import settings
from sandbox.kubernetes.provider.api import Api
from sandbox.kubernetes.provider.executor import Executor, Job
from sandbox.kubernetes.provider.tokens import kind_of
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

    Its version is the release of pulumi-kubernetes whose inputs and outputs these are.
    """

    version = "4.34.2"

    def __init__(self) -> None:
        """Begin without a configuration."""
        super().__init__()
        self._executor: Executor | None = None

    def CheckConfig(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            faults = failures(settings.faults(from_wire(request.news)))
            return provider_pb2.CheckResponse(inputs=request.news, failures=faults)

        return answer(context, "the provider", give)

    def DiffConfig(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: ARG002, N802, D102
        found = settings.diff(from_wire(request.old_inputs), from_wire(request.news))
        return diff_response((key, key, replaces) for key, replaces in found)

    def Configure(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            args = unwrap(from_wire(request.args))
            if found := list(settings.faults(args)):
                raise ProviderError("; ".join(reason for _, reason in found))
            target = settings.target(args)
            self._executor = Executor(target, Api(target), self.stop.is_set)
            return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

        return answer(context, "the provider", give)

    def Invoke(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            raise ProviderError("the plugin of a rehearsal knows no functions")

        return answer(context, request.tok, give)

    def Check(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            job = _job(request, marked=request.news)
            olds = from_wire(request.olds)
            inputs, faults = self._must.check(job, olds, request.randomSeed)
            return provider_pb2.CheckResponse(inputs=to_wire(inputs), failures=failures(faults))

        return answer(context, title(request.urn), give)

    def Diff(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            found, before = self._must.diff(_job(request, marked=request.news, olds=request.olds))
            return diff_response(found, before=before)

        return answer(context, title(request.urn), give)

    def Create(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            job = _job(request, marked=request.properties)
            state = to_wire(self._must.create(job))
            return provider_pb2.CreateResponse(id=job.id, properties=state)

        return answer(context, title(request.urn), give, request)

    def Update(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            job = _job(request, marked=request.news, olds=request.olds)
            return provider_pb2.UpdateResponse(properties=to_wire(self._must.update(job)))

        return answer(context, title(request.urn), give, request)

    def Read(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            job = _job(request, marked=request.inputs, olds=request.properties)
            found = self._must.read(job)
            if found is None:
                return provider_pb2.ReadResponse()
            state, inputs = found
            return provider_pb2.ReadResponse(
                id=job.id, properties=to_wire(state), inputs=to_wire(inputs)
            )

        return answer(context, title(request.urn), give, request)

    def Delete(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802, D102
        def give() -> Message:
            self._must.delete(_job(request, marked=request.old_inputs, olds=request.properties))
            return empty_pb2.Empty()

        return answer(context, title(request.urn), give)

    @property
    def _must(self) -> Executor:
        if self._executor is None:
            raise ProviderError("the provider is not configured yet")
        return self._executor


def _job(request: Message, *, marked: Message, olds: Any = None) -> Job:  # noqa: ANN401
    token, name = named(request.urn)
    return Job(
        kind_of(token),
        name,
        id=getattr(request, "id", ""),
        marked=from_wire(marked),
        olds=from_wire(olds) if olds is not None else {},
        seconds=getattr(request, "timeout", 0),
        ignored=list(getattr(request, "ignoreChanges", ())),
        preview=getattr(request, "preview", False),
    )
