"""The WSGI application: counts each call, answers faults, and lets moto do the rest."""

import io
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.wsgi import get_input_stream

from sandbox.aws.server import access, control, errors
from sandbox.aws.server.calls import Call, Environ, identify
from sandbox.aws.server.errors import Answer
from sandbox.aws.server.world import WORLD

StartResponse: TypeAlias = Callable[[str, list[tuple[str, str]]], Any]

_LOG: Final = logging.getLogger(__name__)

# A page in a browser can send requests here, but not with such a Host (DNS rebinding).
_HOSTS: Final = frozenset({"127.0.0.1", "localhost"})


class Application:
    """Answers requests, one at a time."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        if environ.get("HTTP_HOST", "").partition(":")[0] not in _HOSTS:
            refused = errors.render("json", "AccessDenied", "only for this machine", 403)
            return _send(refused, start_response)
        # Read before the lock is taken, so that a slow client holds up nobody else.
        environ["wsgi.input"] = io.BytesIO(get_input_stream(environ).read())
        if environ.get("PATH_INFO", "").startswith("/_sandbox/"):
            return _send(control.answer(environ), start_response)
        call = identify(environ)
        with WORLD.clock.lock:
            kind = None
            if access.HOST in environ:
                denied = access.check(call, environ)
                if denied is not None:
                    return _send(denied, start_response)
            elif control.GUEST_HEADER not in environ:
                WORLD.calls.add(call)
                kind = WORLD.faults.take(call)
            if kind is None:
                return self._ask_moto(environ, start_response, call)
        content_type = environ.get("CONTENT_TYPE", "")
        return _send(errors.answer_for(call, kind, content_type), start_response)

    def _ask_moto(
        self, environ: Environ, start_response: StartResponse, call: Call
    ) -> Iterable[bytes]:
        """Let moto answer; what it fails at becomes an error that says so."""
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def hold(status: str, headers: list[tuple[str, str]], *_: object) -> None:
            started[:] = [(status, headers)]

        try:
            body = list(self._moto(environ, hold))
        except Exception:  # noqa: BLE001  (whatever it is: the log has it)
            _LOG.exception("moto failed at %s:%s", call.service, call.operation)
            protocol = errors.protocol_of(call.service, environ.get("CONTENT_TYPE", ""))
            what = f"{call.service}:{call.operation}"
            message = f"the AWS of the rehearsal failed at {what}: see its log"
            # Not a 5xx that clients would try again and again.
            return _send(errors.render(protocol, "NotImplemented", message, 501), start_response)
        if call.service == "ec2" and not call.operation.startswith("Describe"):
            WORLD.events.edited()
        status, headers = started[0]
        start_response(status, headers)
        return body


def _send(answer: Answer, start_response: StartResponse) -> Iterable[bytes]:
    headers = [*answer.headers, ("Content-Length", str(len(answer.body)))]
    start_response(f"{answer.status} {'OK' if answer.status < 300 else 'Error'}", headers)  # noqa: PLR2004
    return [answer.body]
