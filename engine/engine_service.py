"""The Engine service: what programs and providers say while they run."""

from typing import Any, Final

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from engine.events import Severity
from engine.reporter import Reporter

_SEVERITIES: Final[dict[int, Severity]] = {
    engine_pb2.DEBUG: "debug",
    engine_pb2.INFO: "info",
    engine_pb2.WARNING: "warning",
    engine_pb2.ERROR: "error",
}


class EngineService(engine_pb2_grpc.EngineServicer):
    """Takes messages; the rest of the service is only answered for old SDKs."""

    def __init__(self, reporter: Reporter) -> None:
        """Take who is told."""
        self._reporter = reporter
        self._root = ""

    def Log(self, request: engine_pb2.LogRequest, _context: Any) -> empty_pb2.Empty:  # noqa: ANN401, N802
        """Pass a message on; debug messages are for Pulumi's own developers."""
        severity = _SEVERITIES[request.severity]
        if severity != "debug":
            self._reporter.say(
                severity, request.message.rstrip("\n"), request.urn, ephemeral=request.ephemeral
            )
        return empty_pb2.Empty()

    def GetRootResource(  # noqa: N802
        self,
        _request: engine_pb2.GetRootResourceRequest,
        _context: Any,  # noqa: ANN401
    ) -> engine_pb2.GetRootResourceResponse:
        """The URN of the stack."""
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(  # noqa: N802
        self,
        request: engine_pb2.SetRootResourceRequest,
        _context: Any,  # noqa: ANN401
    ) -> engine_pb2.SetRootResourceResponse:
        """Take the URN of the stack."""
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def RequirePulumiVersion(  # noqa: N802
        self,
        request: engine_pb2.RequirePulumiVersionRequest,
        context: Any,  # noqa: ANN401
    ) -> engine_pb2.RequirePulumiVersionResponse:
        """Refuse: this engine has no version of Pulumi to compare with."""
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"the program requires Pulumi {request.pulumi_version_range}; the engine that runs it "
            "is not Pulumi, so it cannot tell: remove the requirement or use Pulumi itself",
        )
        raise AssertionError
