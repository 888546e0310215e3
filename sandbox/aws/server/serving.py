"""Serves the application, and says in `server.json` where."""

import json
import logging
import os
import signal
import threading
from pathlib import Path

import psutil
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from sandbox.aws.guests import Guests
from sandbox.aws.server import control, repairs
from sandbox.aws.server.app import Application
from sandbox.aws.server.starter import Instances
from sandbox.aws.server.world import WORLD
from sandbox.hosts.hosts import Hosts


def serve(
    folder: Path,
    *,
    host: str,
    port: int,
    speed: float,
    instances: Instances,
    cache: Path | None,
) -> None:
    """Serve until SIGTERM; before it serves, an exception of the signal's handler ends it.

    Args:
        folder: Gets ``server.json``, readable for its owner alone, as long as this answers.
        host: An address of loopback.
        port: 0 for a free one.
        speed: How much faster than real time the account's waits pass.
        instances: What they are.
        cache: Where images of hosts are kept.

    Raises:
        HostsError: Hosts are wanted, and this machine cannot have them.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # One line for each request would fill the disk of a long rehearsal.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    WORLD.clock.speed = speed
    repairs.apply()
    application = Application()
    server = make_server(host, port, application, threaded=True, request_handler=MotoRequestHandler)
    # Connections wait in the socket from here on: whoever reads the file is answered.
    file = folder / "server.json"
    WORLD.clock.start()
    hosts = None
    try:
        if instances == "guests":
            _start_guests(f"http://127.0.0.1:{server.server_port}", speed)
        elif instances == "hosts" and cache is not None:
            hosts = _start_hosts(folder, cache, application)
        _write(file, server.server_port)
        _end_by_signal(server)
        server.serve_forever(poll_interval=0.05)
    finally:
        file.unlink(missing_ok=True)
        WORLD.clock.end()
        if hosts is not None:
            hosts.end()
        server.server_close()


def _end_by_signal(server: BaseWSGIServer) -> None:
    """Have SIGTERM end the loop of a server.

    What its handler raised could be lost: the interpreter ignores exceptions in the callbacks of
    weak references, of which each request's thread has one. Nor may it wait for a lock.
    """
    reads, writes = os.pipe()

    def end() -> None:
        os.read(reads, 1)
        server.shutdown()

    threading.Thread(target=end, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: os.write(writes, b"."))


def _start_guests(endpoint: str, speed: float) -> None:
    guests = Guests(endpoint, speed=speed)
    guests.start()
    WORLD.events.listen(guests)
    control.GUESTS.append(guests)


def _start_hosts(folder: Path, cache: Path, application: Application) -> Hosts:
    hosts = Hosts(folder, cache, application)
    hosts.start()
    WORLD.events.listen(hosts)
    control.HOSTS.append(hosts)
    return hosts


def _write(file: Path, port: int) -> None:
    process = psutil.Process()
    known = {"pid": process.pid, "port": port, "started": process.create_time()}
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.parent.chmod(0o700)
    beside = file.with_suffix(".new")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as stream:
        json.dump(known, stream)
    beside.replace(file)
