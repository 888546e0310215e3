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
import statistics
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.clusters import (
    PATIENCE,
    Scheduler,
    line_of,
    plain_scheduler,
    say,
    stack,
    started,
    tell,
    until,
    workplace,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES_OF_A_WORKER = 6  # measured: 2 at the scheduler, 5 in the worker's own process
SPARE_FILES = 500

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
class Result:
    """What one scheduler did with the workers."""

    joined: int
    lost: int
    seconds: float


def main() -> int:
    """Measure both, print the table and return the exit code."""
    given = arguments()
    raise_limit(given.workers)
    mine, theirs = [], []
    with workplace() as place, both(place) as running:
        ours, peer = running
        say(f"{given.workers} workers in {given.processes} processes, {os.cpu_count()} cores")
        say(f"{'':<26} joined   lost after {given.hold:g} s   seconds")
        for n in range(given.rounds):
            folder = place / str(n)
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
    with stack(folder / "stack", workers=0) as made:
        made.up()
        ours = made.scheduler()
        with plain_scheduler(ours, folder / "peer") as peer:
            yield ours, peer


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
            tell(process, "go")
        moments = [moment for each in running for moment in json.loads(line_of(*each))]
        before = scheduler.registered()
        time.sleep(given.hold)
        lost = before - scheduler.registered()
    # The next round is not to pay for taking these off the list.
    until(lambda: not scheduler.registered(), "the scheduler to forget workers that ended")
    return Result(len(before), len(lost), max(moments) - start)


if __name__ == "__main__":
    sys.exit(main())
