"""How long it takes to start and to change a cluster on this machine, beside a ``LocalCluster``.

Usage: .venv/bin/python benchmarks/local.py [--rounds 3] [--cold 1]

Seconds of whole commands: ``dask-cluster up`` in a copy of the project, first with no environment
built (the packages are in uv's cache), then in turns with a program that makes a ``LocalCluster``:
2 workers from nothing, 8 workers, 2 workers again. For the stack each of these is an edit of the
stack file and another ``up``; for the LocalCluster it is ``scale`` in the running program.

Exit code: 0; 1 if a command failed.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import statistics
import sys
import time
from typing import TYPE_CHECKING

from benchmarks import local_cluster
from benchmarks.clusters import line_of, machine, say, stack, started, tell, workplace

if TYPE_CHECKING:
    from pathlib import Path

FEW, MANY = 2, 8
STEPS = (f"start with {FEW}", f"{FEW} -> {MANY}", f"{MANY} -> {FEW}")
LEFT_OUT = """\
A LocalCluster has no TLS, ends with the program that made it, starts nothing anew when its
scheduler dies, and loses what the workers hold that go (benchmarks/shrink.py). Its changes are a
call in a running program; ours are a command that reads the stack file and the state, and starts
Python for it."""


def main() -> int:
    """Measure and print the table."""
    given = arguments()
    with workplace() as place:
        say(f"seconds, medians of {given.rounds}; {machine()}")
        say(f"up, environment not built: {median([cold(place, given) for _ in range(given.cold)])}")
        mine, theirs = [], []
        with stack(place / "warm", workers=0, memory=given.memory) as ours:
            ours.up()  # builds the environment of this checkout, if nobody has
            ours.destroy()
            for n in range(given.rounds):
                mine.append([ours.up(workers=count) for count in (FEW, MANY, FEW)])
                ours.destroy()
                theirs.append(local(place / str(n), given))
        say(f"{'workers':<14} dask-cluster up  LocalCluster     ratio")
        for n, step in enumerate(STEPS):
            one, other = (statistics.median(row[n] for row in rows) for rows in (mine, theirs))
            say(f"{step:<14} {one:15.2f} {other:13.2f} {one / other:9.1f}")
        say(LEFT_OUT)
        say(f"at the end: {machine()}")
    return 0


def cold(place: Path, given: argparse.Namespace) -> float:
    """Return the seconds of ``up`` in a copy of the project that has no environment."""
    folder = place / "cold"
    with stack(folder, built=False, workers=FEW, memory=given.memory) as ours:
        seconds = ours.up()
    shutil.rmtree(folder)
    return seconds


def local(folder: Path, given: argparse.Namespace) -> list[float]:
    """Return the seconds in which a ``LocalCluster`` starts, grows and shrinks."""
    folder.mkdir()
    log = folder / "log"
    words = [sys.executable, local_cluster.__file__, str(FEW), given.memory, str(folder)]
    moments = [time.monotonic()]
    with started(words, dict(os.environ), log) as process:
        line_of(process, log)
        moments.append(time.monotonic())
        for count in (MANY, FEW):
            tell(process, str(count))
            line_of(process, log)
            moments.append(time.monotonic())
    return [after - before for before, after in itertools.pairwise(moments)]


def median(seconds: list[float]) -> str:
    """Return the median for people; there may be nothing to take it of."""
    return f"{statistics.median(seconds):.2f}" if seconds else "not measured"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=3, help="with the environment built")
    parser.add_argument("--cold", type=int, default=1, help="rounds without (default: 1)")
    parser.add_argument("--memory", default="1 GiB", help="of a worker (default: 1 GiB)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
