"""Refusals as AWS words them, with each service's own codes and in its own protocol."""

from dataclasses import replace
from typing import Final

from sandbox.aws.server import errors
from sandbox.aws.server.access.evaluate import Decision, Need
from sandbox.aws.server.calls import UNKNOWN, Call, Environ
from sandbox.aws.server.errors import Answer

_FORBIDDEN: Final = 403
# Service -> code and status for keys that are nobody's, and for none at all; "" is for services
# that speak JSON (the "Common errors" of each API reference).
_INVALID: Final = {
    "s3": ("InvalidAccessKeyId", 403),
    "ec2": ("AuthFailure", 401),
    "autoscaling": ("InvalidClientTokenId", 403),
    "route53": ("InvalidClientTokenId", 403),
    "sts": ("InvalidClientTokenId", 403),
    "iam": ("InvalidClientTokenId", 403),
    "": ("UnrecognizedClientException", 400),
}
_UNSIGNED: Final = {
    "s3": ("AccessDenied", 403),
    "ec2": ("AuthFailure", 401),
    "autoscaling": ("MissingAuthenticationToken", 403),
    "route53": ("MissingAuthenticationToken", 403),
    "sts": ("MissingAuthenticationToken", 403),
    "iam": ("MissingAuthenticationToken", 403),
    "": ("MissingAuthenticationTokenException", 400),
}
# The same errors of a service that has left the query protocol, for clients that know its codes.
_OF_QUERY: Final = {
    "AccessDeniedException": "AccessDenied",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
}


def denied(
    call: Call,
    environ: Environ,
    who: str,
    need: Need,
    said: tuple[Decision | None, Decision | None],
) -> Answer:
    """Refuse a call that lacks a right.

    Args:
        call: The call.
        environ: Its request.
        who: The ARN of the caller.
        need: The right.
        said: What the policies of the identity and of the resource say of it.
    """
    on = "" if need.resource == "*" else f" on resource: {need.shown or need.resource}"
    if "Deny" in said:
        policy = "an identity-based policy" if said[0] == "Deny" else "a resource-based policy"
        why = f"with an explicit deny in {policy}"
    else:
        why = f"because no identity-based policy allows the {need.action} action"
    return _denied(
        call, environ, f"User: {who} is not authorized to perform: {need.action}{on} {why}"
    )


def unknown(call: Call, environ: Environ, who: str) -> Answer:
    """Refuse a call of which the sandbox does not know what it needs."""
    what = f"{call.service}:{call.operation}"
    return _denied(
        call,
        environ,
        f"User: {who} is not authorized to perform: {what} because the AWS of the rehearsal does "
        "not know which rights of a host this call needs (sandbox/aws/server/access/requests.py)",
    )


def invalid(call: Call, environ: Environ) -> Answer:
    """Refuse keys that are nobody's, have ended, or are another host's."""
    code, status = _INVALID.get(call.service, _INVALID[""])
    words = "The security token included in the request is invalid."
    if call.service == "s3":
        words = "The AWS Access Key Id you provided does not exist in our records."
    return _render(call, environ, code, words, status)


def unsigned(call: Call, environ: Environ) -> Answer:
    """Refuse a request without a signature, which names no service: only S3 is asked like that."""
    if call.service == UNKNOWN and "HTTP_X_AMZ_TARGET" not in environ:
        call = replace(call, service="s3")
    code, status = _UNSIGNED.get(call.service, _UNSIGNED[""])
    return _render(call, environ, code, "Request is missing Authentication Token", status)


def failed(call: Call, environ: Environ, message: str) -> Answer:
    """Say that the sandbox, not AWS, cannot answer; clients do not try that again."""
    what = f"{call.service}:{call.operation}"
    return _render(call, environ, "NotImplemented", f"{what}: {message}", 501)


def _denied(call: Call, environ: Environ, message: str) -> Answer:
    code, status = errors.code_of(call, "denied")
    if call.service == "ec2":
        message = f"You are not authorized to perform this operation. {message}"
    return _render(call, environ, code, message, status)


def _render(call: Call, environ: Environ, code: str, message: str, status: int) -> Answer:
    content_type = str(environ.get("CONTENT_TYPE", ""))
    # Of S3, a content type is the object's.
    protocol = "s3" if call.service == "s3" else errors.protocol_of(call.service, content_type)
    if protocol == "query" and code in _OF_QUERY:
        code, status = _OF_QUERY[code], _FORBIDDEN
    answer = errors.render(protocol, code, message, status)
    if environ["REQUEST_METHOD"] == "HEAD":
        return Answer(status, (), b"")
    if environ.get("HTTP_X_AMZN_QUERY_MODE") == "true":
        header = ("x-amzn-query-error", f"{_OF_QUERY.get(code, code)};Sender")
        return Answer(status, (*answer.headers, header), answer.body)
    return answer
