"""What session-manager-plugin does for port forwarding, by its source (github.com/aws).

It takes the same six arguments, prints the same lines (errors on standard output too, with exit
code 0), ends its session on SIGINT only, and really forwards. Variables, all but one of the tests:

    AWS_SSM_START_SESSION_RESPONSE  the answer to StartSession, where the first argument says so
    FAKE_PLUGIN        any of: fails, silent, short (ends after the first connection), stubborn
    FAKE_PLUGIN_LOG    gets a line for each start and each end
    FAKE_PLUGIN_PORTS  which port of this machine stands for which port over there
    FAKE_PLUGIN_VERSION
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

LOG = "FAKE_PLUGIN_LOG"
BY_NAME = "AWS_SSM_START_SESSION_RESPONSE"
KIND = os.environ.get("FAKE_PLUGIN", "").split()


def forward(near: socket.socket, port: int) -> None:
    carry(near, port)
    if "short" in KIND:
        note(LOG, ended="timeout")
        os._exit(0)


def end(*_: object) -> None:
    if "stubborn" in KIND:
        return
    say("Terminate signal received, exiting.")
    note(LOG, ended="SIGINT")
    os._exit(0)


def main() -> None:
    if sys.argv[1:] == ["--version"]:
        say(os.environ.get("FAKE_PLUGIN_VERSION", "1.2.707.0"))
        return
    response, region, operation, profile, request, endpoint = sys.argv[1:]
    by_name = response.startswith(BY_NAME)
    session = json.loads(os.environ.pop(BY_NAME) if by_name else response)
    asked = json.loads(request)
    note(
        LOG,
        by_name=by_name,
        session=session,
        region=region,
        operation=operation,
        profile=profile,
        asked=asked,
        endpoint=endpoint,
        host=os.environ.get("SSM_PLUGIN_LOCAL_HOST"),
    )
    signal.signal(signal.SIGINT, end)
    say(f"\nStarting session with SessionId: {session['SessionId']}")
    if "fails" in KIND:
        say("Cannot perform start session: EOF")
        return
    while "silent" in KIND:
        time.sleep(0.1)
    local = int(asked["Parameters"]["localPortNumber"][0])
    remote = json.loads(os.environ["FAKE_PLUGIN_PORTS"])[asked["Parameters"]["portNumber"][0]]
    server = socket.create_server((os.environ["SSM_PLUGIN_LOCAL_HOST"], local))
    say(f"Port {local} opened for sessionId {session['SessionId']}.")
    say("Waiting for connections...")
    while True:
        near, _ = server.accept()
        if "short" in KIND:
            server.close()  # nobody else comes in by this session
            forward(near, remote)
        threading.Thread(target=forward, args=(near, remote), daemon=True).start()


main()
