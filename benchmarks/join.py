"""How fast 500 workers join one scheduler over TLS, beside a plain ``dask scheduler``.

Usage: .venv/bin/python benchmarks/join.py [--workers 500] [--processes 10] [--rounds 3]

A stack without workers is brought up in a copy of the project, in a temporary folder. Processes of
its environment then make ``distributed.Worker`` objects (no nannies) with the worker's certificate,
all at once. The peer is ``dask scheduler`` of the same environment with the same certificates and
settings, but without the project's preloads on either side. Everything is ended, also on Ctrl-C.

Exit code: 0; 1 if a worker did not join or was lost; 2 if this machine's limits are too low.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
COMMAND = ROOT / ".venv" / "bin" / "dask-cluster"
PARTS = ("Pulumi.yaml", "__main__.py", "pyproject.toml", "uv.lock", "components", "images")
FILES_OF_A_WORKER = 6  # measured: 2 at the scheduler, 5 in the worker's own process
SPARE_FILES = 500
PATIENCE = 180.0

# Runs in the environment. It waits for "go" on its standard input, makes its workers, and prints
# when each had registered: time.monotonic() is the same clock in all processes of a machine.
JOIN = """
import asyncio, json, sys, time
from distributed import Worker

async def join(address, name, folder):
    worker = Worker(
        address, name=name, nthreads=1, memory_limit=0, host="127.0.0.1", local_directory=folder
    )
    await worker
    return worker, time.monotonic()

async def main(address, first, count, folder, patience):
    print("ready", flush=True)
    sys.stdin.readline()
    names = range(int(first), int(first) + int(count))
    async with asyncio.timeout(float(patience)):
        joined = await asyncio.gather(*(join(address, f"w{n}", folder) for n in names))
    print(json.dumps([moment for _, moment in joined]), flush=True)
    await asyncio.sleep(1e9)

asyncio.run(main(*sys.argv[1:]))
"""


@dataclass(frozen=True)
class Scheduler:
    """A running scheduler, and what its workers need."""

    address: str
    dashboard: str
    python: str
    environ: dict[str, str]


@dataclass(frozen=True)
class Result:
    """What one scheduler did with the workers."""

    joined: int
    lost: int
    seconds: float


def main() -> int:
    """Measure both, print the table and return the exit code."""
    given = arguments()
    raise_limit(given.workers)
    # Ended by a signal is ended in order, as on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    mine, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="dc-") as name, both(Path(name).resolve()) as running:
        ours, peer = running
        say(f"{given.workers} workers in {given.processes} processes, {os.cpu_count()} cores")
        say(f"{'':<26} joined   lost after {given.hold:g} s   seconds")
        for n in range(given.rounds):
            folder = Path(name) / str(n)
            mine.append(shown("dask-cluster", measure(ours, folder / "ours", given)))
            theirs.append(shown("dask scheduler, plain TLS", measure(peer, folder / "peer", given)))
    medians = [statistics.median(r.seconds for r in results) for results in (mine, theirs)]
    say(f"ratio of the medians {medians[0] / medians[1]:.2f}")
    good = all(r.joined == given.workers and r.lost == 0 for r in (*mine, *theirs))
    return 0 if good else 1


def shown(title: str, result: Result) -> Result:
    """Print a row of the table."""
    say(f"{title:<26} {result.joined:6} {result.lost:14} {result.seconds:10.2f}")
    return result


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--workers", type=int, default=500, help="how many (default: 500)")
    parser.add_argument("--processes", type=int, default=10, help="in how many (default: 10)")
    parser.add_argument("--rounds", type=int, default=3, help="how often, in turns (default: 3)")
    parser.add_argument("--hold", type=float, default=10, help="seconds they must stay")
    return parser.parse_args()


def raise_limit(workers: int) -> None:
    """Let this process, and so all that it starts, have as many open files as is needed.

    Raises:
        SystemExit: The hard limit is lower.
    """
    needed = workers * FILES_OF_A_WORKER + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        say(f"{workers} workers need {needed} open files, and the hard limit is {hard}.")
        say(f"As root: ulimit -Hn {needed}. Or choose fewer with --workers.")
        sys.exit(2)
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))


@contextlib.contextmanager
def both(folder: Path) -> Iterator[tuple[Scheduler, Scheduler]]:
    """Run the scheduler of a stack, and a plain one with its certificates."""
    with stack(folder) as ours, plain_scheduler(ours, folder) as peer:
        yield ours, peer


@contextlib.contextmanager
def stack(folder: Path) -> Iterator[Scheduler]:
    """Bring up a stack without workers in a copy of the project, and take it down."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    built = ROOT / ".dask-cluster" / "environments"
    built.mkdir(parents=True, exist_ok=True)
    (folder / ".dask-cluster").mkdir()
    (folder / ".dask-cluster" / "environments").symlink_to(built)
    (folder / "stacks").mkdir()
    scheduler, dashboard = free_ports()
    settings = {"platform": "local", "workers": 0}
    settings |= {"schedulerPort": scheduler, "dashboardPort": dashboard}
    # JSON is YAML.
    (folder / "stacks" / "Pulumi.local.yaml").write_text(json.dumps({"config": settings}))
    try:
        command(folder, "up", "local", "--yes")
        found = json.loads(command(folder, "outputs", "local", "--json"))
        yield Scheduler(
            found["scheduler_address"],
            found["dashboard"],
            str(Path(found["environment_folder"]) / "bin" / "python"),
            environ_of(found),
        )
    finally:
        with undisturbed():
            command(folder, "destroy", "local", "--yes")


def environ_of(outputs: dict[str, Any]) -> dict[str, str]:
    """Return the variables that the platform gives its workers."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}
    return kept | {
        "DASK_CONFIG": str(Path(outputs["folder"]) / "dask.yaml"),
        "DASK_CLUSTER_FOLDER": outputs["folder"],
        "DASK_CLUSTER_ENVIRONMENT": outputs["environment"],
    }


@contextlib.contextmanager
def plain_scheduler(ours: Scheduler, folder: Path) -> Iterator[Scheduler]:
    """Run ``dask scheduler`` with the certificates of the stack and without our preloads."""
    # A variable wins over dask.yaml.
    preloads = {f"DASK_DISTRIBUTED__{each}__PRELOAD": "[]" for each in ("SCHEDULER", "WORKER")}
    file, environ = folder / "scheduler.json", ours.environ | preloads
    words = [ours.python, "-m", "dask", "scheduler", "--protocol", "tls", "--host", "127.0.0.1"]
    words += ["--port", "0", "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file)]
    with started(words, environ, folder / "peer.log"):
        deadline = time.monotonic() + PATIENCE
        while not (file.exists() and file.stat().st_size):
            if time.monotonic() > deadline:
                raise SystemExit((folder / "peer.log").read_text())
            time.sleep(0.05)
        found = json.loads(file.read_text())
        dashboard = f"http://127.0.0.1:{found['services']['dashboard']}"
        yield Scheduler(found["address"], dashboard, ours.python, environ)


def measure(scheduler: Scheduler, folder: Path, given: argparse.Namespace) -> Result:
    """Let all workers join at once; say how many did, how many stayed, and how long it took."""
    folder.mkdir(parents=True)
    share, more = divmod(given.workers, given.processes)
    first, running = 0, []
    with contextlib.ExitStack() as ends:
        for n in range(given.processes):
            count = share + (n < more)
            words = [scheduler.python, "-c", JOIN, scheduler.address]
            words += [str(first), str(count), str(folder), str(PATIENCE)]
            log = folder / f"{n}.log"
            process = ends.enter_context(started(words, scheduler.environ, log))
            running.append((process, log))
            first += count
        for process, log in running:
            line_of(process, log)
        start = time.monotonic()
        for process, _ in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        moments = [moment for each in running for moment in json.loads(line_of(*each))]
        before = registered(scheduler)
        time.sleep(given.hold)
        lost = before - registered(scheduler)
    # The next round is not to pay for taking these off the list.
    deadline = time.monotonic() + PATIENCE
    while registered(scheduler):
        if time.monotonic() > deadline:
            raise SystemExit(f"{scheduler.address} keeps workers that ended")
        time.sleep(0.2)
    return Result(len(before), len(lost), max(moments) - start)


@contextlib.contextmanager
def started(
    words: list[str], environ: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[str]]:
    """Start a process with its errors in a file; end it."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            words,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for this program, which ends the others
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_of(process: subprocess.Popen[str], log: Path) -> str:
    """Return the next line that a process prints.

    Raises:
        SystemExit: It ended first.
    """
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        said = log.read_text()[-2000:]
        raise SystemExit(f"a process of workers ended with {process.wait()}:\n{said}")
    return line


def registered(scheduler: Scheduler) -> set[str]:
    """Return the addresses of the workers that the scheduler knows."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy for loopback
    with direct.open(f"{scheduler.dashboard}/json/identity.json", timeout=PATIENCE) as answer:
        return set(json.load(answer)["workers"])


def command(folder: Path, *words: str) -> str:
    """Run ``dask-cluster`` in the copy and return what it printed.

    Raises:
        SystemExit: It failed.
    """
    done = subprocess.run(
        [str(COMMAND), *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"dask-cluster {words[0]}: {done.stdout}{done.stderr}")
    return done.stdout


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let no second Ctrl-C break off the taking down."""
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def free_ports() -> tuple[int, int]:
    """Return two ports that nobody listens on."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
