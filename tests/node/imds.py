"""The metadata service of an instance, on this machine."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

TOKEN = "a-token"  # noqa: S105  # of this fake


class FakeMetadata:
    """Answers with `items`, to those who show a token.

    Attributes:
        items: Text by path below `meta-data/`.
        token: The one that is valid.
        asked: Paths that were asked for with a valid token.
        refused: How many questions came without one.
    """

    def __init__(self) -> None:
        self.items: dict[str, str] = {}
        self.token = TOKEN
        self.asked: list[str] = []
        self.refused = 0
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                lasts = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
                right = self.path == "/latest/api/token" and lasts.isdigit()
                self._answer(200 if right else 400, service.token)

            def do_GET(self) -> None:
                if self.headers.get("X-aws-ec2-metadata-token") != service.token:
                    service.refused += 1
                    self._answer(401, "")
                    return
                path = self.path.removeprefix("/latest/meta-data/")
                service.asked.append(path)
                found = service.items.get(path)
                self._answer(404 if found is None else 200, found or "")

            def _answer(self, code: int, text: str) -> None:
                self.send_response(code)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
