"""The server as hosts reach it: a header stands for the address from which a request comes.

`python -m tests.sandbox.server.access_server`: prints its port and serves until it is terminated.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from sandbox.aws.server import __main__ as main
from sandbox.aws.server.errors import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.aws.server.app import StartResponse
    from sandbox.aws.server.calls import Environ

HEADER = "X-Test-Instance"
KEYS = "/_test/keys"


def serve() -> None:
    os.environ.update(main._SETTINGS)

    from moto.moto_server.werkzeug_app import MotoRequestHandler  # noqa: PLC0415  (after the settings)
    from werkzeug.serving import make_server  # noqa: PLC0415

    from sandbox.aws.server import access, repairs  # noqa: PLC0415
    from sandbox.aws.server.access import keys  # noqa: PLC0415
    from sandbox.aws.server.app import Application, _send  # noqa: PLC0415
    from sandbox.aws.server.world import WORLD  # noqa: PLC0415

    def command(row: dict[str, str]) -> Answer:
        if "forget" in row:
            keys.forget(row["forget"])
            return Answer(200, (), b"{}")
        made = keys.issue(row["instance"], row["role"])
        found = {
            "aws_access_key_id": made.access_key,
            "aws_secret_access_key": made.secret,
            "aws_session_token": made.token,
        }
        return Answer(200, (), json.dumps(found).encode())

    class Hosts(Application):
        def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            if environ["PATH_INFO"] == KEYS:
                size = int(environ["CONTENT_LENGTH"])
                return _send(command(json.loads(environ["wsgi.input"].read(size))), start_response)
            instance = environ.get("HTTP_X_TEST_INSTANCE")
            if instance:
                environ[access.HOST] = instance
            return super().__call__(environ, start_response)

    repairs.apply()
    WORLD.clock.speed = 30.0
    WORLD.clock.start()
    server = make_server("127.0.0.1", 0, Hosts(), threaded=True, request_handler=MotoRequestHandler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    serve()
