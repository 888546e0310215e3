"""What is lost when a cluster with data goes from 8 workers to 2, and how fast the data moves.

Usage: .venv/bin/python benchmarks/shrink.py [--keys 1000] [--bytes 1000000] [--rounds 3]

Half of the keys are scattered, half computed. The same data is put on clusters that shrink in
different ways: the stack file and ``dask-cluster up``; ``LocalCluster.scale``; ``dask worker``
processes that are told to end by SIGTERM or killed. The plain ones have the stack's certificates
and settings, without the project's preloads; a LocalCluster has no TLS. Then, in turns, the bytes
that move in a second: with ``dask-cluster up`` from the first worker's word that it ends to the
scheduler's last "Drained", and in a plain cluster while ``Client.retire_workers`` runs.

Exit code: 0; 1 if the stack lost a key.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import statistics
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from benchmarks import local_cluster
from benchmarks.clusters import (
    Scheduler,
    Stack,
    line_of,
    machine,
    plain_scheduler,
    say,
    stack,
    started,
    tell,
    until,
    workplace,
)
from benchmarks.data import Data, Left, connect, fetched, workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from distributed import Client

    from benchmarks.clusters import Process

TIME = r"(?m)^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) - distributed\.dask_node\.drain - INFO - "


@dataclass(frozen=True)
class Plain:
    """A plain cluster.

    Attributes:
        client: Of it.
        nannies: The processes of its workers, by the worker's name.
    """

    client: Client
    nannies: dict[str, Process]

    def kill(self, names: list[str], number: int) -> None:
        """Send a signal to these nannies and their workers, and wait for their end."""
        for name in names:
            if number == signal.SIGKILL:
                os.killpg(self.nannies[name].pid, number)
            else:
                self.nannies[name].send_signal(number)
        self.wait(names)

    def wait(self, names: list[str]) -> None:
        """Wait until these nannies have ended."""
        for name in names:
            self.nannies[name].wait()


@dataclass(frozen=True)
class Result:
    """How one cluster shrank.

    Attributes:
        left: What was left of the data.
        seconds: Until the workers were gone and all that is left was in memory.
        moved: Bytes that only the workers had that went.
        fetched: Bytes that the others have fetched: more than ``moved`` if something came twice.
    """

    left: Left
    seconds: float
    moved: int
    fetched: int


class Bench:
    """The clusters, one at a time, and the data that each of them gets."""

    def __init__(self, place: Path, given: argparse.Namespace, ours: Stack) -> None:
        self.place = place
        self.given = given
        self.stack = ours
        self._count = 0

    def folder(self) -> Path:
        """Return a new folder."""
        self._count += 1
        made = self.place / str(self._count)
        made.mkdir()
        return made

    def shrink(self, client: Client, go: Callable[[list[str]], None]) -> Result:
        """Put data on a cluster, let workers go and see what is left.

        Args:
            client: Of the cluster.
            go: Lets the workers with these names go and returns when they have ended.
        """
        data = Data(client, self.given.keys, self.given.bytes, self.folder() / "runs")
        found = workers(client)
        going = sorted(found, key=number_of)[self.given.staying :]
        moved = data.only_on([found[name] for name in going])
        start = time.monotonic()
        go(going)
        data.wait(self.given.staying)
        seconds = time.monotonic() - start
        return Result(data.left(), seconds, moved, fetched(client))

    def ours(self) -> tuple[Result, float]:
        """Shrink the stack; return also the seconds in which the data moved."""
        self.stack.up(workers=self.given.workers)
        scheduler = self.stack.scheduler()
        logs = scheduler.folder / "logs"
        began = time.time()
        with connect(scheduler.address, scheduler.folder) as client:
            result = self.shrink(client, lambda _: self._up())
        told = [t for log in logs.glob("worker-*.log") for t in moments(log, "Ending: ", began)]
        done = moments(logs / "scheduler.log", "Drained ", began)
        if len(told) != len(done):
            raise SystemExit(f"{len(told)} workers were told to end, {len(done)} were drained")
        return result, max(done) - min(told)

    def _up(self) -> None:
        self.stack.up(workers=self.given.staying)

    @contextlib.contextmanager
    def plain(self) -> Iterator[Plain]:
        """Run a plain cluster beside the stack, which has no workers meanwhile."""
        self.stack.up(workers=0)
        folder, ours = self.folder(), self.stack.scheduler()
        with contextlib.ExitStack() as ends:
            scheduler: Scheduler = ends.enter_context(plain_scheduler(ours, folder))
            nannies: dict[str, Process] = {}
            for name in map(str, range(self.given.workers)):
                words = [scheduler.python, "-m", "dask", "worker", scheduler.address]
                words += ["--name", name, "--nthreads", "1", "--memory-limit", self.given.memory]
                words += ["--host", "127.0.0.1", "--local-directory", str(folder), "--no-dashboard"]
                log = folder / f"{name}.log"
                nannies[name] = ends.enter_context(started(words, scheduler.environ, log))
            until(lambda: len(scheduler.registered()) == len(nannies), "the plain workers")
            client = ends.enter_context(connect(scheduler.address, ours.folder))
            yield Plain(client, nannies)

    def killed(self, number: int) -> Result:
        """Shrink a plain cluster by a signal."""
        with self.plain() as cluster:
            return self.shrink(cluster.client, lambda names: cluster.kill(names, number))

    def retired(self) -> tuple[Result, float]:
        """Shrink a plain cluster by ``retire_workers``; return also the seconds that it ran."""
        seconds = 0.0

        def retire(names: list[str]) -> None:
            nonlocal seconds
            start = time.monotonic()
            cluster.client.retire_workers(names=names)
            seconds = time.monotonic() - start
            cluster.wait(names)

        with self.plain() as cluster:
            return self.shrink(cluster.client, retire), seconds

    def scaled(self) -> Result:
        """Shrink a ``LocalCluster``."""
        self.stack.up(workers=0)
        folder = self.folder()
        log = folder / "log"
        words = [sys.executable, local_cluster.__file__, str(self.given.workers)]
        words += [self.given.memory, str(folder)]
        with started(words, dict(os.environ), log) as process:
            address = local_cluster.address_in(line_of(process, log))

            def scale(_: list[str]) -> None:
                tell(process, str(self.given.staying))
                line_of(process, log)

            with connect(address, folder) as client:
                return self.shrink(client, scale)


def main() -> int:
    """Measure, print both tables and return the exit code."""
    given = arguments()
    settings = {"workers": 0, "memory": given.memory}
    with workplace() as place, stack(place / "stack", **settings) as ours:
        bench = Bench(place, given, ours)
        say(
            f"{given.keys} keys of {given.bytes} bytes, {given.workers} -> {given.staying} workers;"
            f" {machine()}"
        )
        lost = 0
        if given.part != "rates":
            lost += losses(bench)
        if given.part != "losses":
            lost += rates(bench)
        say(f"at the end: {machine()}")
    return 1 if lost else 0


def losses(bench: Bench) -> int:
    """Print what each way of shrinking loses; return how many keys the stack lost."""
    say(f"{'':<28} scattered  computed")
    say(f"{'':<28}      gone     again   seconds")
    first = shown("dask-cluster up", bench.ours()[0])
    shown("LocalCluster.scale", bench.scaled())
    shown("dask worker, SIGTERM", bench.killed(signal.SIGTERM))
    shown("dask worker, kill -9", bench.killed(signal.SIGKILL))
    return first.left.lost


def rates(bench: Bench) -> int:
    """Print how fast the data moves; return how many keys the stack lost."""
    say(f"{'':<28} bytes moved   fetched   seconds      MB/s      lost")
    mine, theirs, lost = [], [], 0
    for _ in range(bench.given.rounds):
        result, seconds = bench.ours()
        mine.append(rate("dask-cluster up", result, seconds))
        lost += result.left.lost
        theirs.append(rate("Client.retire_workers", *bench.retired()))
    ratio = statistics.median(mine) / statistics.median(theirs)
    say(f"ratio of the medians {ratio:.2f}")
    return lost


def shown(title: str, result: Result) -> Result:
    """Print a row of the first table."""
    say(f"{title:<28} {result.left} {result.seconds:9.2f}")
    return result


def rate(title: str, result: Result, seconds: float) -> float:
    """Print a row of the second table and return the rate."""
    found = result.moved / seconds
    columns = f"{result.moved:11} {result.fetched / result.moved:8.2f}x {seconds:9.2f}"
    say(f"{title:<28} {columns} {found / 1e6:9.1f} {result.left.lost:9}")
    return found


def moments(log: Path, text: str, since: float) -> list[float]:
    """Return when the drain's part of a process has said something, in seconds since 1970."""
    found = re.findall(TIME + text, log.read_text())
    read = (datetime.strptime(t, "%Y-%m-%d %H:%M:%S,%f").timestamp() for t in found)  # noqa: DTZ007
    return [moment for moment in read if moment >= since]


def number_of(name: str) -> int:
    """Return the number in a worker's name: ``3`` in ``3`` and in ``worker-3-0``."""
    return int(re.findall(r"\d+", name)[0])


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--keys", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--bytes", type=int, default=1_000_000, help="of a key (default: 1000000)")
    parser.add_argument("--workers", type=int, default=8, help="at first (default: 8)")
    parser.add_argument("--staying", type=int, default=2, help="in the end (default: 2)")
    parser.add_argument("--memory", default="2 GiB", help="of a worker (default: 2 GiB)")
    parser.add_argument("--rounds", type=int, default=3, help="of rates, in turns (default: 3)")
    parts = ("losses", "rates", "both")
    parser.add_argument("--part", choices=parts, default="both", help="of this (default: both)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
