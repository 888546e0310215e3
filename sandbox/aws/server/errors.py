"""An error as each service words it: its code, its status and its protocol."""

import json
from dataclasses import dataclass
from typing import Final, Literal, get_args
from xml.sax.saxutils import escape

from botocore.exceptions import UnknownServiceError
from moto.core.utils import get_service_model

from sandbox.aws.server.calls import Call

Kind = Literal["throttle", "quota", "server", "denied", "capacity"]
KINDS: Final = get_args(Kind)


@dataclass(frozen=True)
class Answer:
    """What goes back to the client: an HTTP status, headers and a body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


# kind -> service -> (code, status); "" is for every other service. The codes are those of each
# service's API reference, "Common errors", and of botocore's models.
_CODES: Final[dict[str, dict[str, tuple[str, int]]]] = {
    "throttle": {
        "ec2": ("RequestLimitExceeded", 503),
        "s3": ("SlowDown", 503),
        "sns": ("Throttled", 429),
        "autoscaling": ("Throttling", 400),
        "iam": ("Throttling", 400),
        "sts": ("Throttling", 400),
        "route53": ("Throttling", 400),
        "": ("ThrottlingException", 400),
    },
    "quota": {
        "ec2": ("ResourceLimitExceeded", 400),
        "s3": ("TooManyBuckets", 400),
        "autoscaling": ("LimitExceeded", 400),
        "iam": ("LimitExceeded", 409),
        "route53": ("TooManyHostedZones", 400),
        "ssm": ("ParameterLimitExceeded", 400),
        "secretsmanager": ("LimitExceededException", 400),
        "logs": ("LimitExceededException", 400),
        "cloudwatch": ("LimitExceededFault", 400),
        "sns": ("TopicLimitExceeded", 403),
        "budgets": ("CreationLimitExceededException", 400),
        "efs": ("FileSystemLimitExceeded", 403),
        "fsx": ("ServiceLimitExceeded", 400),
        "": ("ServiceQuotaExceededException", 402),
    },
    "server": {
        "ec2": ("InternalError", 500),
        "s3": ("InternalError", 500),
        "iam": ("ServiceFailure", 500),
        "secretsmanager": ("InternalServiceError", 500),
        "ssm": ("InternalServerError", 500),
        "efs": ("InternalServerError", 500),
        "fsx": ("InternalServerError", 500),
        "": ("InternalFailure", 500),
    },
    "denied": {
        "ec2": ("UnauthorizedOperation", 403),
        "s3": ("AccessDenied", 403),
        "autoscaling": ("AccessDenied", 403),
        "iam": ("AccessDenied", 403),
        "sts": ("AccessDenied", 403),
        "route53": ("AccessDenied", 403),
        "sns": ("AuthorizationError", 403),
        "": ("AccessDeniedException", 400),
    },
    "capacity": {
        "ec2": ("InsufficientInstanceCapacity", 500),
        "efs": ("InsufficientThroughputCapacity", 503),
        "": ("ServiceUnavailable", 503),
    },
}

# EC2 has a code for each thing that there can be too many of.
_EC2_QUOTAS: Final = {
    "RunInstances": "VcpuLimitExceeded",
    "CreateVpc": "VpcLimitExceeded",
    "CreateSubnet": "SubnetLimitExceeded",
    "CreateInternetGateway": "InternetGatewayLimitExceeded",
    "CreateNatGateway": "NatGatewayLimitExceeded",
    "AllocateAddress": "AddressLimitExceeded",
    "CreateRouteTable": "RouteTableLimitExceeded",
    "CreateSecurityGroup": "SecurityGroupLimitExceeded",
    "AuthorizeSecurityGroupIngress": "RulesPerSecurityGroupLimitExceeded",
    "AuthorizeSecurityGroupEgress": "RulesPerSecurityGroupLimitExceeded",
    "CreateVpcEndpoint": "VpcEndpointLimitExceeded",
}
_MESSAGES: Final = {
    "throttle": "Rate exceeded",
    "quota": "The limit of this account has been reached.",
    "server": "An internal error has occurred.",
    "denied": "You are not authorized to perform this operation: {}",
    "capacity": "There is no capacity to serve your request at this time.",
}
REQUEST_ID: Final = "00000000-0000-4000-8000-000000000000"


def code_of(call: Call, kind: Kind) -> tuple[str, int]:
    """Name the error of a kind as the service of a call names it.

    Returns:
        Its code and the HTTP status.
    """
    if kind == "quota" and call.service == "ec2" and call.operation in _EC2_QUOTAS:
        return _EC2_QUOTAS[call.operation], 400
    table = _CODES[kind]
    return table.get(call.service, table[""])


def answer_for(call: Call, kind: Kind, agent_type: str) -> Answer:
    """Word an error for a call.

    Args:
        call: What was called.
        kind: What went wrong.
        agent_type: The request's content type, which names the protocol where a service has many.

    Returns:
        The answer, from which botocore raises a `ClientError` with the service's own code.
    """
    code, status = code_of(call, kind)
    message = _MESSAGES[kind].format(f"{call.service}:{call.operation}")
    return render(protocol_of(call.service, agent_type), code, message, status)


def protocol_of(service: str, content_type: str) -> str:
    """Tell in which protocol a client of a service waits for its answer."""
    for mark, protocol in (("cbor", "cbor"), ("x-amz-json", "json"), ("x-www-form", "query")):
        if mark in content_type:
            return "ec2" if service == "ec2" else protocol
    try:
        return str(get_service_model(service).metadata["protocol"])
    except UnknownServiceError:
        return "json"


def render(protocol: str, code: str, message: str, status: int) -> Answer:
    """Write an error in a protocol of AWS."""
    if protocol == "cbor":
        body = b"\xa2" + b"".join(_cbor(text) for text in ("__type", code, "message", message))
        kind = ("Content-Type", "application/cbor")
        return Answer(status, (kind, ("smithy-protocol", "rpc-v2-cbor")), body)
    if protocol in {"json", "rest-json"}:
        text = json.dumps({"__type": code, "message": message, "Message": message})
        headers = (("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", code))
        return Answer(status, headers, text.encode())
    inner = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    if protocol == "ec2":
        text = (
            f"<Response><Errors><Error>{inner}</Error></Errors>"
            f"<RequestID>{REQUEST_ID}</RequestID></Response>"
        )
    elif protocol == "s3":
        text = f"<Error>{inner}<RequestId>{REQUEST_ID}</RequestId></Error>"
    else:
        fault = "Sender" if status < 500 else "Receiver"  # noqa: PLR2004
        text = (
            f"<ErrorResponse><Error><Type>{fault}</Type>{inner}</Error>"
            f"<RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
        )
    return Answer(status, (("Content-Type", "text/xml"),), text.encode())


def _cbor(text: str) -> bytes:
    """Write a CBOR text string (RFC 8949, major type 3) with a length of two bytes."""
    data = text.encode()
    return b"\x79" + len(data).to_bytes(2, "big") + data
