"""The AWS API as hosts reach it: who calls, and whether their clock is right."""

import io
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

from werkzeug.wsgi import get_input_stream

from sandbox.aws.server import access, errors
from sandbox.aws.server.calls import Environ, identify
from sandbox.aws.server.errors import Answer
from sandbox.aws.server.world import WORLD
from sandbox.hosts import instances

StartResponse: TypeAlias = Callable[[str, list[tuple[str, str]]], Any]
Application: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

# What only the rehearsal itself may ask its AWS for, and what would make a host somebody else.
_CLOSED_PATHS: Final = ("/_sandbox/", "/moto-api")
_CLOSED_HEADERS: Final = ("HTTP_X_SANDBOX_GUEST", "HTTP_X_MOTO_ACCOUNT_ID")
# How far a host's clock may be off: see "Troubleshooting" of Signature Version 4; S3 has its own.
_SKEW: Final = timedelta(minutes=5)
_SKEW_S3: Final = timedelta(minutes=15)
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_SKEWED_S3: Final = "The difference between the request time and the current time is too large."


class HostsApplication:
    """The AWS as hosts reach it: nothing of the sandbox, and each host known as what it is.

    The application does the rest: with `access.HOST` set, it looks at keys and rights.
    """

    def __init__(
        self,
        application: Application,
        *,
        vpc: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Wrap an application.

        Args:
            application: The AWS.
            vpc: Where the hosts are; empty for everywhere.
            now: Returns the time.
        """
        self._application = application
        self._vpc = vpc
        self._now = now

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        # Also of a request that is refused: a client that still writes would not read why.
        environ["wsgi.input"] = io.BytesIO(get_input_stream(environ).read())
        refused = self._refusal(environ)
        if refused is not None:
            body = b"" if environ["REQUEST_METHOD"] == "HEAD" else refused.body
            headers = [*refused.headers, ("Content-Length", str(len(body)))]
            start_response(f"{refused.status} Error", headers)
            return [body]
        for name in _CLOSED_HEADERS:
            environ.pop(name, None)
        # The application answers only whoever calls it so.
        environ["HTTP_HOST"] = "127.0.0.1"
        return self._application(environ, start_response)

    def _refusal(self, environ: Environ) -> Answer | None:
        """Note who calls; returns what is answered to somebody who may not."""
        if environ.get("PATH_INFO", "").startswith(_CLOSED_PATHS):
            return errors.render("json", "AccessDenied", "only for this machine", 403)
        with WORLD.clock.lock:
            caller = instances.by_address(str(environ.get("REMOTE_ADDR", "")), self._vpc)
        if caller is None:
            return errors.render("json", "AccessDenied", "only for instances that run", 403)
        environ[access.HOST] = caller.id
        return _clock_refusal(environ, self._now())


def _clock_refusal(environ: Environ, now: datetime) -> Answer | None:
    """Refuse a request that a host with a wrong clock has signed."""
    service = identify(environ).service
    wrong = _wrong_clock(environ, now, _SKEW_S3 if service == "s3" else _SKEW)
    if not wrong:
        return None
    protocol = errors.protocol_of(service, environ.get("CONTENT_TYPE", ""))
    if service == "s3":
        # Of S3, a content type is the object's.
        protocol, code, status, wrong = "s3", "RequestTimeTooSkewed", 403, _SKEWED_S3
    elif protocol == "ec2":
        code, status, wrong = "RequestExpired", 400, f"Request has expired. {wrong}"
    elif protocol in {"json", "rest-json", "cbor"}:
        code, status = "InvalidSignatureException", 400
    else:
        code, status = "SignatureDoesNotMatch", 403
    return errors.render(protocol, code, wrong, status)


def _wrong_clock(environ: Environ, now: datetime, limit: timedelta) -> str:
    """Return what is wrong with the time of a signature; empty if nothing is."""
    presigned = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Date", [""])[0]
    text = environ.get("HTTP_X_AMZ_DATE") or presigned
    try:
        at = datetime.strptime(text, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        # It has none: its signature is looked at later.
        return ""
    minutes = int(limit.total_seconds()) // 60
    if at > now + limit:
        until = f"{now + limit:{_STAMP}} ({now:{_STAMP}} + {minutes} min.)"
        return f"Signature not yet current: {text} is still later than {until}"
    # One in a URL is good for as long as the URL says.
    if at < now - limit and not presigned:
        since = f"{now - limit:{_STAMP}} ({now:{_STAMP}} - {minutes} min.)"
        return f"Signature expired: {text} is now earlier than {since}"
    return ""
