"""What `kubectl` does, as far as these tests ask: shows a context, and really forwards ports.

Kubeconfigs are JSON here. Variables, all of the tests:

    FAKE_KUBECTL        any of: fails, silent, short (ends after the first connection)
    FAKE_KUBECTL_LOG    gets a line for each start and each end
    FAKE_KUBECTL_PORTS  which port of this machine stands for which port over there
"""

import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.operations.forwarding import carry, note, say

LOG = "FAKE_KUBECTL_LOG"
KIND = os.environ.get("FAKE_KUBECTL", "").split()


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def view(words: list[str]) -> None:
    wanted = option(words, "--context")
    file = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    config = json.loads(Path(file).read_text())
    contexts = [each for each in config["contexts"] if each["name"] == wanted]
    if not contexts:
        sys.exit(f"error: cannot locate context {wanted}")
    for of, kind in (("cluster", "clusters"), ("user", "users")):
        name = contexts[0]["context"][of]
        config[kind] = [each for each in config[kind] if each["name"] == name]
    say(json.dumps({**config, "contexts": contexts, "current-context": wanted}))


def end(*_: object) -> None:
    note(LOG, ended="SIGINT")
    os._exit(1)  # as kubectl does


def take(server: socket.socket, port: int) -> None:
    while True:
        near, _ = server.accept()
        # Whoever only looks whether somebody listens is no connection.
        if "short" in KIND and near.recv(1, socket.MSG_PEEK):
            server.close()  # nobody else comes in by this one
            lose(near, port)
        threading.Thread(target=carry, args=(near, port), daemon=True).start()


def lose(near: socket.socket, port: int) -> None:
    """Carry one connection, and end with it."""
    carry(near, port)
    say("error: lost connection to pod")
    note(LOG, ended="lost")
    os._exit(1)


def forward(words: list[str]) -> None:
    note(LOG, words=words)
    signal.signal(signal.SIGINT, end)
    if "fails" in KIND:
        sys.exit('Error from server (NotFound): services "dask-dev-scheduler" not found')
    while "silent" in KIND:
        time.sleep(0.1)
    stands = json.loads(os.environ["FAKE_KUBECTL_PORTS"])
    for pair in words[words.index("--address") + 3 :]:
        local, _, remote = pair.partition(":")
        server = socket.create_server((option(words, "--address"), int(local)))
        say(f"Forwarding from 127.0.0.1:{local} -> {remote}")
        threading.Thread(target=take, args=(server, stands[remote]), daemon=True).start()
    while True:
        time.sleep(1)


if sys.argv[1:3] == ["config", "view"]:
    view(sys.argv[1:])
elif "port-forward" in sys.argv:
    forward(sys.argv[1:])
else:
    sys.exit(f"error: unknown command {sys.argv[1:]}")
