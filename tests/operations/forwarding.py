"""What the stand-ins for programs that forward ports have in common; without any package."""

import json
import os
import socket
import sys
import threading
from pathlib import Path


def note(file: str, **what: object) -> None:
    """Add a line to the file that a variable names."""
    with Path(os.environ[file]).open("a") as log:
        log.write(json.dumps({"pid": os.getpid(), **what}) + "\n")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def carry(near: socket.socket, port: int) -> None:
    """Carry bytes between a connection and a port of this machine, until both ends have closed."""
    far = socket.create_connection(("127.0.0.1", port))
    both = [threading.Thread(target=_pump, args=pair) for pair in ((near, far), (far, near))]
    for each in both:
        each.start()
    for each in both:
        each.join()
    near.close()
    far.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
