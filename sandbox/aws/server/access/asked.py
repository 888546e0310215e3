"""A call with its parameters, as the rights that it needs are worked out from them."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.parsers import RpcV2CBORParser
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from moto.utilities.utils import get_partition

from sandbox.aws.server.access.evaluate import Need, Value
from sandbox.aws.server.calls import Call, Environ

# The only call of S3 that says in its body what it touches: what else is there may be large.
_BODIES_OF_S3: Final = frozenset({"DeleteObjects"})


@dataclass(frozen=True)
class Asked:
    """What a host asks for.

    Attributes:
        call: The operation.
        region: Of the signature.
        params: By the names of botocore's model.
        keys: Condition keys that every request has.
    """

    call: Call
    region: str
    params: Mapping[str, Any]
    keys: Mapping[str, Value]

    @property
    def partition(self) -> str:
        """The partition of its region."""
        return str(get_partition(self.region))

    @property
    def account(self) -> str:
        """The account."""
        return str(DEFAULT_ACCOUNT_ID)

    def arn(self, service: str, resource: str) -> str:
        """Name something of the region and account."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def need(
        self,
        resource: str = "*",
        *,
        action: str | None = None,
        keys: Mapping[str, Value] | None = None,
        tags: Mapping[str, str] | None = None,
        shown: str = "",
    ) -> Need:
        """Return a right that it needs; the action is called as the operation, if not given."""
        name = action or f"{self.call.service}:{self.call.operation}"
        return Need(name, resource, {**self.keys, **(keys or {})}, tags, shown)


def parameters(call: Call, environ: Environ) -> dict[str, Any]:
    """Read a request's parameters, in whatever protocol of its service it came.

    Args:
        call: Which call it is.
        environ: The WSGI request; its body must be a `BytesIO` and is left as it was.
    """
    body = environ["wsgi.input"].getvalue()
    if "cbor" in environ.get("CONTENT_TYPE", ""):
        return _cbor(body)
    if call.service == "s3" and call.operation not in _BODIES_OF_S3:
        body = b""
    ours = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    request = Request(ours)
    model = get_service_model(call.service)
    protocol = determine_request_protocol(model, request.content_type)
    in_path: dict[str, Any] = {}
    if protocol.startswith("rest"):
        _, in_path = get_service_router(call.service).match(request)
    parser = PROTOCOL_PARSERS[protocol](model.operation_model(call.operation))
    parsed: dict[str, Any] = parser.parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.data,
            "url_path": request.path,
            "url_params": in_path,
        }
    )
    return parsed


def _cbor(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    parser = RpcV2CBORParser()
    read: dict[str, Any] = parser.parse_data_item(parser.get_peekable_stream_from_bytes(body))
    return read
