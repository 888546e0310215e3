"""A line to a plugin: calls, and their errors as messages for a person."""

import threading
from collections.abc import Callable
from typing import Any, Final

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from engine.answers import Answer, ProviderError, answer_of, init_failed, last_message
from engine.plugins import Plugin
from engine.processes import append_log

_MESSAGE_BYTES: Final = 400 * 1024 * 1024
_OPTIONS: Final = [
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MESSAGE_BYTES),
    ("grpc.enable_http_proxy", 0),  # the plugin is on this machine, whatever the shell's proxy
]


class Connection:
    """The open channel to one plugin.

    Attributes:
        stub: The methods of the ResourceProvider service.
    """

    def __init__(self, plugin: Plugin) -> None:
        """Connect to a running plugin."""
        self._plugin = plugin
        self._channel = grpc.insecure_channel(f"127.0.0.1:{plugin.port}", options=_OPTIONS)
        self._log_lock = threading.Lock()
        self.stub = provider_pb2_grpc.ResourceProviderStub(self._channel)

    def call(self, method: Callable[..., Any], request: Any) -> Any:  # noqa: ANN401
        """Call a method that every provider has.

        Raises:
            ProviderError: It failed.
        """
        try:
            return method(request)
        except grpc.RpcError as error:
            raise self._error(error) from error

    def optional(self, method: Callable[..., Any], request: Any) -> Any:  # noqa: ANN401
        """Call a method, or return None if the provider does not have it.

        Raises:
            ProviderError: It failed.
        """
        try:
            return method(request)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNIMPLEMENTED:
                return None
            raise self._error(error) from error

    def answer(self, method: Callable[..., Any], request: Any) -> Answer:  # noqa: ANN401
        """Call Create, Update or Read; a resource that is not ready is a result too.

        Raises:
            ProviderError: It failed.
        """
        try:
            return answer_of(method(request))
        except grpc.RpcError as error:
            partial = init_failed(error)
            if partial is None:
                raise self._error(error) from error
            return answer_of(partial)

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def _error(self, error: grpc.RpcError) -> ProviderError:
        details = error.details() or str(error.code())
        if error.code() == grpc.StatusCode.UNAVAILABLE:
            details = f"the provider '{self._plugin.name}' has ended (log: {self._plugin.log})"
        message = last_message(details)
        if message != details:
            with self._log_lock:
                append_log(self._plugin.log, details)
            message = f"{message}\n(traceback in {self._plugin.log})"
        return ProviderError(message)
