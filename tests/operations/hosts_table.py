"""A server that says what hosts there are, as the AWS of a rehearsal does, and opens sessions."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType


def host(instance: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return one line of the table."""
    return {
        "instance": instance,
        "cluster": "dev",
        "group": "worker",
        "scaling_group": "dask-cluster-dev-worker",
        "address": "10.0.1.5",
        "container": instance,
        "pid": None,
        "state": "booting",
        "step": "instance",
        "reason": "",
        "logs": "/nowhere",
        "seconds": 1,
        **more,
    }


class HostsTable:
    """Answers GET /_sandbox/hosts, StartSession and TerminateSession.

    Attributes:
        hosts: The hosts.
        asked: How often they were asked for.
        ended: The sessions that were ended.
        silent: Whether it answers with an error.
    """

    def __init__(self) -> None:
        self.hosts: list[dict[str, Any]] = []
        self.asked = 0
        self.ended: list[str] = []
        self.silent = False
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.path == "/_sandbox/hosts"
                ours.asked += 1
                table = {"docker": "unix:///run/x/docker.sock", "hosts": ours.hosts}
                self._answer(500 if ours.silent else 200, table)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                operation = self.headers["X-Amz-Target"].removeprefix("AmazonSSM.")
                if operation == "StartSession":
                    session = f"rehearsal-{body['Parameters']['portNumber'][0]}"
                    body = {"SessionId": session, "TokenValue": "token", "StreamUrl": "wss://x"}
                else:
                    assert operation == "TerminateSession"
                    ours.ended.append(body["SessionId"])
                self._answer(200, body)

            def _answer(self, code: int, answer: object) -> None:
                text = json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,)).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
