"""Starts, finds and ends the server, and asks it what exists. Needs no moto."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import psutil

Instances: TypeAlias = Literal["records", "guests", "hosts"]
"""What an instance is: a record, one that pretends to boot, or a container that boots."""
INSTANCES: Final[tuple[Instances, ...]] = get_args(Instances)

START_SECONDS: Final = 60.0
# Where the images of hosts are not there yet: Debian and the packages of an environment.
BUILD_SECONDS: Final = 1800.0
CANNOT: Final = 3
"""The server's exit code where this machine cannot have what was asked for."""
REASON: Final = "!! "
"""What the reason begins with, in its log."""
STOP_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 20.0
_LOG_LINES: Final = 15
_ROOT: Final = Path(__file__).resolve().parents[3]


class ServerError(Exception):
    """The server of a rehearsal could not be started, found or asked."""


@dataclass(frozen=True)
class Server:
    """A server that answers.

    Attributes:
        endpoint: Its address, for ``AWS_ENDPOINT_URL``.
        pid: Its process.
    """

    endpoint: str
    pid: int


@dataclass(frozen=True, order=True)
class Item:
    """One thing that exists in the account.

    Attributes:
        service: As boto3 names it, such as ``ec2``.
        type: Its kind, such as ``subnet``.
        region: Its region; ``aws`` for global services.
        id: Its identifier or name.
    """

    service: str
    type: str
    region: str
    id: str


def start(
    folder: Path,
    *,
    speed: float = 1.0,
    instances: Instances = "records",
    cache: Path | None = None,
    say: Callable[[str], None] | None = None,
) -> Server:
    """Find the running server of a folder, or start one.

    Args:
        folder: Where it keeps ``server.json`` and ``server.log``; made if need be.
        speed: How much faster than real time heartbeats and alarms run; for a new server only.
        instances: What they are; for a new server only.
        cache: Where images of hosts are kept.
        say: Told what takes long, of hosts.

    Returns:
        The server.

    Raises:
        ServerError: It did not answer within a minute (with hosts, half an hour); the message has
            its reason or its last lines.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    with _alone(folder):
        running = find(folder)
        if running is not None:
            return running
        _file(folder).unlink(missing_ok=True)
        command = [sys.executable, "-m", "sandbox.aws.server", "--folder", str(folder)]
        command += ["--speed", str(speed), "--instances", instances]
        command += [] if cache is None else ["--cache", str(cache)]
        log = os.open(folder / "server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        before = os.lseek(log, 0, os.SEEK_END)
        try:
            process = subprocess.Popen(
                command,
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        finally:
            os.close(log)
        limit = BUILD_SECONDS if instances == "hosts" else START_SECONDS
        return _wait(folder, process, limit, _Log(folder / "server.log", before), say)


def find(folder: Path) -> Server | None:
    """Look for the running server of a folder.

    Returns:
        The server, or None if none runs, or if what runs under its pid is another process.
    """
    try:
        known = json.loads(_file(folder).read_text())
        pid, port, started = int(known["pid"]), int(known["port"]), float(known["started"])
    except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
    # A pid is given out again; together with the start time it is one process.
    try:
        if psutil.Process(pid).create_time() != started:
            return None
    except psutil.NoSuchProcess:
        return None
    endpoint = f"http://127.0.0.1:{port}"
    try:
        answer = request(endpoint, "GET", "/_sandbox/health")
    except ServerError:
        return None
    return Server(endpoint, pid) if answer.get("pid") == pid else None


def stop(folder: Path) -> bool:
    """End the server of a folder, with everything in its account.

    Returns:
        Whether there was one.

    Raises:
        ServerError: It did not end within ten seconds.
    """
    if not folder.is_dir():
        return False
    with _alone(folder):
        running = find(folder)
        if running is None:
            _file(folder).unlink(missing_ok=True)
            return False
        process = psutil.Process(running.pid)
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired as error:
            raise ServerError(
                f"the AWS of the rehearsal (pid {running.pid}) did not end within "
                f"{STOP_SECONDS:.0f} s of SIGTERM: see {folder / 'server.log'}"
            ) from error
        return True


def contents(endpoint: str, *, baseline: bool = False) -> list[Item]:
    """List what exists in the account.

    Args:
        endpoint: The server's address.
        baseline: Also list what an account has from the start, such as the default VPC.

    Returns:
        Everything, sorted; an account that is as empty as at its start gives an empty list.
    """
    path = "/_sandbox/contents" + ("?baseline=1" if baseline else "")
    return sorted(Item(**item) for item in request(endpoint, "GET", path))


def request(endpoint: str, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
    """Ask the server something that is no part of AWS.

    Args:
        endpoint: The server's address.
        method: GET, POST or DELETE.
        path: Such as ``/_sandbox/calls``.
        body: Sent as JSON.

    Returns:
        Its answer, from JSON.

    Raises:
        ServerError: No answer, or a refusal with its reason.
    """
    data = None if body is None else json.dumps(body).encode()
    # Only ever loopback, and past any proxy of the person's shell.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    call = urllib.request.Request(endpoint + path, data=data, method=method)  # noqa: S310
    try:
        with opener.open(call, timeout=ANSWER_SECONDS) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise ServerError(f"{method} {path}: {error.read().decode(errors='replace')}") from error
    except (OSError, json.JSONDecodeError) as error:
        raise ServerError(
            f"no answer from the AWS of the rehearsal at {endpoint}: {error}"
        ) from error


def _file(folder: Path) -> Path:
    return folder / "server.json"


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time start or stop the server of a folder."""
    fd = os.open(folder / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@dataclass
class _Log:
    """What a server has written since it was started."""

    path: Path
    before: int
    said: int = 0

    def text(self) -> str:
        with self.path.open("rb") as file:
            file.seek(self.before)
            return file.read().decode(errors="replace")

    def news(self) -> list[str]:
        """Return what it said it does, but for what was returned before."""
        told = [line.partition(" INFO ")[2] for line in self.text().splitlines()]
        every = [line for line in told if line]
        new, self.said = every[self.said :], len(every)
        return new


def _wait(
    folder: Path,
    process: subprocess.Popen[bytes],
    limit: float,
    log: _Log,
    say: Callable[[str], None] | None,
) -> Server:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline and process.poll() is None:
        if say is not None:
            for line in log.news():
                say(line)
        server = find(folder)
        if server is not None:
            # It outlives this process, or ends before it: then somebody must take note.
            threading.Thread(target=process.wait, daemon=True).start()
            return server
        time.sleep(0.05)
    if process.poll() is None:
        process.terminate()
        process.wait(STOP_SECONDS)
    if process.returncode == CANNOT:
        raise ServerError(log.text().partition(REASON)[2].strip())
    lines = "\n".join(log.text().splitlines()[-_LOG_LINES:])
    raise ServerError(
        f"the AWS of the rehearsal did not start; the last lines of {log.path}:\n{lines}"
    )
