"""An endpoint of Systems Manager that knows sessions, which moto does not."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

TOKEN = "AAEAAtoken"  # noqa: S105


class SessionManager:
    """Answers StartSession and TerminateSession, and remembers what was asked.

    Attributes:
        calls: Operation and request of each call.
        refusal: The error to answer with, if any: its code and its message.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refusal: tuple[str, str] | None = None
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                code, answer = ours.answer(self.headers["X-Amz-Target"].split(".")[1], body)
                text = json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.calls.append((operation, request))
        if self.refusal is not None:
            code, message = self.refusal
            return 400, {"__type": code, "message": message}
        if operation == "TerminateSession":
            return 200, {"SessionId": request["SessionId"]}
        assert operation == "StartSession"
        name = f"someone-{len(self.calls)}"
        stream = f"wss://ssmmessages.us-east-2.amazonaws.com/v1/data-channel/{name}"
        return 200, {"SessionId": name, "TokenValue": TOKEN, "StreamUrl": stream}

    def asked(self, operation: str) -> list[dict[str, Any]]:
        return [request for name, request in self.calls if name == operation]

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
