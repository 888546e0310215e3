"""What a scenario asks of the sandbox itself: calls that were made, errors to answer."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sandbox.provider.cases.case import Value

READING = ("Describe", "Get", "List", "Head")


class Control:
    """The part of the server that is no part of AWS."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def _ask(self, method: str, path: str, body: Value = None) -> Value:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self._endpoint}/_sandbox/{path}", data=data, method=method
        )
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return json.loads(answer.read() or "null")

    def forget(self) -> None:
        """Count calls from zero, and take all faults and dry pools back."""
        self._ask("DELETE", "calls")
        self._ask("DELETE", "faults")
        self._ask("DELETE", "dry")

    def fail(self, service: str, operation: str, error: str, **more: int) -> None:
        """Let calls of an operation fail."""
        row = {"service": service, "operation": operation, "error": error, **more}
        self._ask("POST", "faults", [row])

    def dry(self, instance_type: str) -> None:
        """Let there be no instance of a type."""
        self._ask("POST", "dry", [{"type": instance_type}])

    def calls(self, service: str) -> dict[str, int]:
        """The calls that changed something, with their numbers."""
        found = self._ask("GET", "calls").get(service, {})
        return {name: count for name, count in found.items() if not name.startswith(READING)}
