"""What can go wrong in the plugin, as sentences for the person who runs Pulumi."""

from collections.abc import Mapping
from typing import Any


class ProviderError(Exception):
    """A call of the plugin cannot be carried out; the message says what, where and what to do."""


class ApiError(ProviderError):
    """AWS refused a call.

    Attributes:
        code: AWS's error code.
        text: AWS's message.
    """

    def __init__(self, operation: str, code: str, text: str) -> None:
        """Name the operation and what AWS said."""
        super().__init__(f"{operation}: {code}: {text}")
        self.code = code
        self.text = text


class NotReadyError(ProviderError):
    """A resource exists, but is not as it was asked for.

    Attributes:
        id: Its id, so that Pulumi can record it.
        state: What it is by now.
    """

    def __init__(self, id_: str, reason: str, state: Mapping[str, Any]) -> None:
        """Say which resource, why and what there is of it."""
        super().__init__(reason)
        self.id = id_
        self.state = dict(state)
