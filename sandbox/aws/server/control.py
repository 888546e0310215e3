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
from sandbox.hosts.host import Spoiled
from sandbox.hosts.hosts import Hosts

Handler: TypeAlias = Callable[[Any, dict[str, list[str]]], Any]

# The guests of this server, if it has them.
GUESTS: Final[list[Guests]] = []
# Or its hosts.
HOSTS: Final[list[Hosts]] = []

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
    instances = "hosts" if HOSTS else "guests" if GUESTS else "records"
    return {
        "pid": os.getpid(),
        "failed": WORLD.clock.failed,
        "speed": WORLD.clock.speed,
        "instances": instances,
    }


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


def _set_speed(body: object, _query: object) -> object:
    match body:
        case {"speed": int() | float() as speed, **more} if speed > 0 and not more:
            WORLD.clock.speed = float(speed)
        case _:
            raise BadRequestError('the body is {"speed": NUMBER}, above 0')
    return _health(None, None)


def _reset(_body: object, _query: object) -> object:
    resetting.reset()
    for guests in GUESTS:
        guests.reset()
    for hosts in HOSTS:
        hosts.reset()
    return {}


def _guests(_body: object, _query: object) -> object:
    return [guests.table() for guests in GUESTS]


def _fail_guests(body: object, _query: object) -> object:
    if not isinstance(body, dict) or set(body) != {"fail"} or not isinstance(body["fail"], dict):
        raise BadRequestError('the body is {"fail": {"group": NAME, "reason": TEXT or null}}')
    if not GUESTS:
        raise BadRequestError("this server has no guests: start it with --instances guests")
    wanted = body["fail"]
    if set(wanted) != {"group", "reason"}:
        raise BadRequestError("fail has the keys group and reason")
    for guests in GUESTS:
        guests.fail(str(wanted["group"]), wanted["reason"])
    return _guests(None, None)


def _hosts(_body: object, _query: object) -> object:
    for hosts in HOSTS:
        return hosts.table()
    return {"docker": None, "hosts": []}


def _order_hosts(body: object, _query: object) -> object:
    if not HOSTS:
        raise BadRequestError("this server has no hosts: start it with --instances hosts")
    match body:
        case {"notice": {"instance": str(instance), "kind": "spot" | "rebalance" as kind}}:
            for hosts in HOSTS:
                hosts.notice(instance, kind)
        case {"start": {"group": str(group), "how": None}}:
            for hosts in HOSTS:
                hosts.spoil(group, None)
        case {"start": {"group": str(group), "how": dict(how)}}:
            for hosts in HOSTS:
                hosts.spoil(group, _spoiled(how))
        case _:
            raise BadRequestError(
                'the body is {"notice": {"instance": ID, "kind": "spot" or "rebalance"}} or '
                '{"start": {"group": NAME, "how": {"run": [...], "files": {...}, "built": ...} '
                "or null}}"
            )
    return _hosts(None, None)


def _spoiled(how: dict[str, Any]) -> Spoiled:
    known = {"run", "files", "built"}
    if not how.keys() <= known:
        raise BadRequestError(f"how has only: {', '.join(sorted(known))}")
    return Spoiled(
        tuple(map(str, how.get("run", ()))),
        {str(path): str(text) for path, text in how.get("files", {}).items()},
        bool(how.get("built", True)),
    )


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
    ("POST", "/_sandbox/clock"): _set_speed,
    ("POST", "/_sandbox/reset"): _reset,
    ("GET", "/_sandbox/guests"): _guests,
    ("POST", "/_sandbox/guests"): _fail_guests,
    ("GET", "/_sandbox/hosts"): _hosts,
    ("POST", "/_sandbox/hosts"): _order_hosts,
}
