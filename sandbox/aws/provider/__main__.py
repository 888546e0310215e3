"""The process: a server on loopback whose port is the first line that it writes."""

import signal
import sys
import threading
from concurrent import futures

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from sandbox.aws.provider.service import Provider

_LIMIT = 400 * 1024 * 1024
_CALLS = 32


def main() -> None:
    """Serve until the engine is done with the plugin."""
    done = threading.Event()
    # Ctrl-C reaches the whole group of processes; the engine decides what becomes of its plugins.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    options = [
        ("grpc.max_receive_message_length", _LIMIT),
        ("grpc.max_send_message_length", _LIMIT),
    ]
    server = grpc.server(futures.ThreadPoolExecutor(_CALLS), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    done.wait()
    server.stop(None)


if __name__ == "__main__":
    main()
