"""What a rehearsal asks of its AWS that is no part of AWS: everything under `/_sandbox/`."""

import json
import os
from collections.abc import Callable
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

from sandbox.aws.guests import Guests
from sandbox.aws.server import images, listing, resetting
from sandbox.aws.server.calls import Environ
from sandbox.aws.server.errors import Answer
from sandbox.aws.server.faults import BadRequestError
from sandbox.aws.server.world import WORLD

Handler: TypeAlias = Callable[[Any, dict[str, list[str]]], Any]

# The guests of this server, if it has them.
GUESTS: Final[list[Guests]] = []

# Calls of the sandbox's own guests are no calls of the program that is rehearsed,
# and no fault strikes them.
GUEST_HEADER: Final = "HTTP_X_SANDBOX_GUEST"


def answer(environ: Environ) -> Answer:
    """Answer a request to the sandbox itself.

    Args:
        environ: The WSGI request with its body read.

    Returns:
        The result as JSON; 404 for an unknown path, 400 with a reason for a wrong body.
    """
    handler = _HANDLERS.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
    if handler is None:
        known = ", ".join(f"{method} {path}" for method, path in _HANDLERS)
        return _json(404, {"error": f"there are only: {known}"})
    try:
        body = json.loads(environ["wsgi.input"].getvalue() or b"null")
        with WORLD.clock.lock:
            return _json(200, handler(body, parse_qs(environ.get("QUERY_STRING", ""))))
    except (json.JSONDecodeError, BadRequestError) as error:
        return _json(400, {"error": str(error)})


def _json(status: int, value: object) -> Answer:
    body = json.dumps(value, sort_keys=True).encode()
    return Answer(status, (("Content-Type", "application/json"),), body)


def _health(_body: object, _query: object) -> object:
    return {"pid": os.getpid(), "failed": WORLD.clock.failed, "speed": WORLD.clock.speed}


def _contents(_body: object, query: dict[str, list[str]]) -> object:
    return listing.contents(baseline="baseline" in query)


def _calls(_body: object, _query: object) -> object:
    return WORLD.calls.table()


def _no_calls(_body: object, _query: object) -> object:
    WORLD.calls.clear()
    return {}


def _faults(_body: object, _query: object) -> object:
    return WORLD.faults.table()


def _set_faults(body: object, _query: object) -> object:
    WORLD.faults.set(body)
    return WORLD.faults.table()


def _no_faults(_body: object, _query: object) -> object:
    WORLD.faults.clear()
    return []


def _dry(_body: object, _query: object) -> object:
    return WORLD.capacity.table()


def _set_dry(body: object, _query: object) -> object:
    WORLD.capacity.dry(body)
    return WORLD.capacity.table()


def _no_dry(_body: object, _query: object) -> object:
    WORLD.capacity.clear()
    return []


def _images(body: object, _query: object) -> object:
    images.register(body)
    return {}


def _reset(_body: object, _query: object) -> object:
    resetting.reset()
    for guests in GUESTS:
        guests.reset()
    return {}


def _guests(_body: object, _query: object) -> object:
    return [guests.table() for guests in GUESTS]


def _fail_guests(body: object, _query: object) -> object:
    if not isinstance(body, dict) or set(body) != {"fail"} or not isinstance(body["fail"], dict):
        raise BadRequestError('the body is {"fail": {"group": NAME, "reason": TEXT or null}}')
    if not GUESTS:
        raise BadRequestError("this server has no guests: start it with --guests")
    wanted = body["fail"]
    if set(wanted) != {"group", "reason"}:
        raise BadRequestError("fail has the keys group and reason")
    for guests in GUESTS:
        guests.fail(str(wanted["group"]), wanted["reason"])
    return _guests(None, None)


_HANDLERS: Final[dict[tuple[str, str], Handler]] = {
    ("GET", "/_sandbox/health"): _health,
    ("GET", "/_sandbox/contents"): _contents,
    ("GET", "/_sandbox/calls"): _calls,
    ("DELETE", "/_sandbox/calls"): _no_calls,
    ("GET", "/_sandbox/faults"): _faults,
    ("POST", "/_sandbox/faults"): _set_faults,
    ("DELETE", "/_sandbox/faults"): _no_faults,
    ("GET", "/_sandbox/dry"): _dry,
    ("POST", "/_sandbox/dry"): _set_dry,
    ("DELETE", "/_sandbox/dry"): _no_dry,
    ("POST", "/_sandbox/images"): _images,
    ("POST", "/_sandbox/reset"): _reset,
    ("GET", "/_sandbox/guests"): _guests,
    ("POST", "/_sandbox/guests"): _fail_guests,
}
