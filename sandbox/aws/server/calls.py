"""Which operation of which service a request is, and how often each was called."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

from botocore.exceptions import UnknownServiceError
from moto.core.request import Request
from moto.core.routing import get_service_router
from werkzeug.exceptions import HTTPException

Environ: TypeAlias = dict[str, Any]

# Signing names that are not the names of boto3's clients.
_CLIENTS: Final = {
    "monitoring": "cloudwatch",
    "elasticfilesystem": "efs",
    "tagging": "resourcegroupstaggingapi",
    "servicequotas": "service-quotas",
}
UNKNOWN: Final = "Unknown"
_SCOPE_PARTS: Final = 5


@dataclass(frozen=True)
class Call:
    """A request of a client.

    Attributes:
        service: As boto3 names it.
        operation: As AWS names it, such as ``RunInstances``; ``Unknown`` if it is none.
        agent: The client's own words about itself.
    """

    service: str
    operation: str
    agent: str = ""


class Calls:
    """How often each operation was called."""

    def __init__(self) -> None:
        self._count: Counter[tuple[str, str]] = Counter()

    def add(self, call: Call) -> None:
        """Count a call."""
        self._count[call.service, call.operation] += 1

    def clear(self) -> None:
        """Count from zero again."""
        self._count.clear()

    def table(self) -> dict[str, dict[str, int]]:
        """Return the counts by service and operation."""
        table: dict[str, dict[str, int]] = {}
        for (service, operation), count in sorted(self._count.items()):
            table.setdefault(service, {})[operation] = count
        return table


def identify(environ: Environ) -> Call:
    """Read from a request which call it is.

    Args:
        environ: The WSGI request; its body must be a `BytesIO` that was not read yet.

    Returns:
        The call.
    """
    service = _service(environ)
    return Call(service, _operation(environ, service), environ.get("HTTP_USER_AGENT", ""))


def _service(environ: Environ) -> str:
    # The credential scope names it: AKIA.../20261121/us-east-1/SERVICE/aws4_request
    scope = environ.get("HTTP_AUTHORIZATION", "").split("Credential=")[-1].split(",")[0].split("/")
    if len(scope) != _SCOPE_PARTS:
        presigned = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])
        scope = presigned[0].split("/")
    if len(scope) != _SCOPE_PARTS:
        return UNKNOWN
    name = str(scope[3])
    return _CLIENTS.get(name, name)


def _operation(environ: Environ, service: str) -> str:
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return str(target).rpartition(".")[2]
    path = str(environ.get("PATH_INFO", ""))
    # Smithy's CBOR: /service/GraniteServiceVersion20100801/operation/PutMetricData
    if path.startswith("/service/") and "/operation/" in path:
        return path.rpartition("/")[2]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        body = environ["wsgi.input"]
        form = parse_qs(body.getvalue().decode(errors="replace"))
        if "Action" in form:
            return str(form["Action"][0])
    return _routed(environ, service)


def _routed(environ: Environ, service: str) -> str:
    """Find the operation of a REST call from its method and path, by botocore's model."""
    body = environ["wsgi.input"]
    try:
        operation, _ = get_service_router(service).match(Request(dict(environ)))
    except (HTTPException, UnknownServiceError, NotImplementedError):
        return UNKNOWN
    finally:
        body.seek(0)
    return str(operation.name)
