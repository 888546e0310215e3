"""How a worker, one place, is split into processes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

AUTO: Final = "auto"
"""Written for `processes`: as many as Dask itself would start."""

_MOST_PROCESSES_EACH_A_CORE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What one worker (a place) has, before it is split.

    Attributes:
        threads: Threads that Dask runs there.
        memory: Bytes that Dask may use there.
    """

    threads: int
    memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How one worker (a place) is split into processes.

    Attributes:
        processes: Processes of one worker.
        threads: Threads of one process.
        memory: Bytes of one process.
        resources: Abstract resources of one process.
    """

    processes: int
    threads: int
    memory: int
    resources: Mapping[str, float]


def nprocesses(threads: int) -> int:
    """Split threads into processes as Dask's `--nworkers auto` does, without importing it."""
    if threads <= _MOST_PROCESSES_EACH_A_CORE:
        return threads
    return next(n for n in range(1, threads + 1) if threads % n == 0 and n * n >= threads)
