"""An endpoint of Systems Manager that knows sessions, which moto does not."""

from __future__ import annotations

from typing import Any

from tests.operations.serving import Handler, Serving

TOKEN = "AAEAAtoken"  # noqa: S105


class SessionManager(Serving):
    """Answers StartSession and TerminateSession, and remembers what was asked.

    Attributes:
        calls: Operation and request of each call.
        refusal: The error to answer with, if any: its code and its message.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refusal: tuple[str, str] | None = None
        ours = self

        class Sessions(Handler):
            def post(self) -> None:
                self.answer(*ours.answer(self.operation, self.request_body()))

        super().__init__(Sessions)

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
