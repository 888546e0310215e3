"""What to look for in the logs of a cluster: a sign, what it means, and what to do about it."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Source = TypeVar("Source")
TAIL = 2**20  # bytes at the end of each log that are looked at


@dataclass(frozen=True)
class Sign:
    """A line that tells of a fault.

    Attributes:
        pattern: Regular expression of the line.
        meaning: What it tells.
        remedy: What to do.
    """

    pattern: str
    meaning: str
    remedy: str


# The texts are those of distributed 2026.8 and, for the first three, our own.
SIGNS = (
    Sign(
        r"dask_node\.drain - ERROR - LOST with",
        "results were lost with a worker",
        "The line says why. More workers, more memory or a longer `drainTimeout` help.",
    ),
    Sign(
        r"dask_node\.drain - WARNING - .* ended (without a drain|before its drain was done)",
        "a worker was killed, or ended by itself",
        "Look for its last lines; a kill by the system for want of memory leaves none.",
    ),
    Sign(
        r"Refused worker|Unable to connect to scheduler:",
        "a worker was not admitted",
        "The line names the packages that differ, or the address that did not answer.",
    ),
    Sign(
        r"Failed to [Ss]erialize|Could not serialize object|cannot pickle|exceeds max_\w+_len",
        "something is too large, or not of a kind, to be pickled and sent",
        "Load data inside of tasks, or `client.scatter` it, instead of passing it as an argument.",
    ),
    Sign(
        r"Failed to deserialize|Error during deserialization",
        "something that was sent could not be read on the other side",
        "Put your own modules into `packages:`, or send them with `client.upload_file`.",
    ),
    Sign(
        r"Worker exceeded \d+% memory budget",
        "a worker ran out of memory and was started again",
        "Raise `memory`, lower `threads`, or make the partitions smaller.",
    ),
    Sign(
        r"Unmanaged memory use is high",
        "a worker holds memory that Dask does not know of",
        "Look for large objects that tasks keep, or set `lifetime`.",
    ),
    Sign(
        r"MemoryError|Cannot allocate memory",
        "a process could not get memory from this machine",
        "Lower `workers` or `memory`, or close other programs.",
    ),
    Sign(
        r"Spill file on disk reached capacity",
        "a worker has spilled as much as it may",
        "Raise `disk` or `memory`: above 80 % of its memory it takes no more tasks.",
    ),
    Sign(
        r"No space left on device",
        "the disk is full",
        "Make room; workers write data there that does not fit into memory.",
    ),
)


def found(folder: Path, *, since: dt.datetime) -> Iterator[tuple[Sign, int, Path, str]]:
    """Yield each sign that the logs hold: how often, and the last line with its file.

    Args:
        folder: The folder with the logs.
        since: Local time of the first line that counts.
    """
    paths = sorted(folder.glob("*.log"))
    yield from count((path, line) for path in paths for line in _lines(path, since))


def count(lines: Iterable[tuple[Source, str]]) -> Iterator[tuple[Sign, int, Source, str]]:
    """Yield each sign that some lines hold: how often, and the last one with where it is from.

    Args:
        lines: Each with where it is from.
    """
    counts: Counter[Sign] = Counter()
    last: dict[Sign, tuple[Source, str]] = {}
    for source, line in lines:
        for sign in SIGNS:
            if re.search(sign.pattern, line):
                counts[sign] += 1
                last[sign] = source, line
                break
    for sign, times in counts.items():
        yield sign, times, *last[sign]


def starts(log: Path, *, since: dt.datetime) -> Counter[str]:
    """Count how often the supervisor has started each process.

    Args:
        log: The supervisor's own log.
        since: Local time of the first line that counts.
    """
    lines = (re.search(r"INFO spawned: '([^']+)'", line) for line in _lines(log, since))
    return Counter(line[1] for line in lines if line)


def _lines(path: Path, since: dt.datetime) -> Iterator[str]:
    """Yield the last lines of a log, from a time on; a line without a time belongs to the last."""
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    start, recent = f"{since:%Y-%m-%d %H:%M:%S}", False
    for line in lines:
        if re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", line):
            recent = line[: len(start)] >= start
        if recent:
            yield line
