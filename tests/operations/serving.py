"""Servers of JSON on loopback, for what stands in for a service of AWS's, or for Kubernetes."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType


class Handler(BaseHTTPRequestHandler):
    """Reads and answers calls of a JSON protocol: AWS's, where nothing else is said."""

    content_type = "application/x-amz-json-1.1"

    def get(self) -> None:
        self.answer(404, {})

    def post(self) -> None:
        self.answer(404, {})

    def do_GET(self) -> None:
        self.get()

    def do_POST(self) -> None:
        self.post()

    def delete(self) -> None:
        self.answer(404, {})

    def do_DELETE(self) -> None:
        self.delete()

    @property
    def operation(self) -> str:
        return str(self.headers["X-Amz-Target"].rpartition(".")[2])

    def request_body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return found

    def answer(self, code: int, answer: object) -> None:
        text = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", self.content_type)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


class Serving:
    """Serves inside a `with` block.

    Attributes:
        endpoint: Its address.
    """

    def __init__(self, handler: type[Handler]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
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
