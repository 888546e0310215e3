"""What can go wrong in the plugin, as sentences for the person who runs Pulumi."""

from sandbox.provider_protocol import ProviderError


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
