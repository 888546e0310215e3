"""A ``LocalCluster`` of its own process, for the benchmarks: it scales as its standard input says.

Usage: local_cluster.py WORKERS MEMORY FOLDER

Prints a line of JSON as soon as it has that many workers, and again after each number it reads.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from distributed import LocalCluster


def main(count: int, memory: str, folder: str) -> None:
    """Start the cluster and follow the numbers."""
    with LocalCluster(
        n_workers=count,
        processes=True,
        threads_per_worker=1,
        memory_limit=memory,
        local_directory=folder,
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        show(cluster, count)
        for line in sys.stdin:
            count = int(line)
            cluster.scale(count)
            show(cluster, count)


def show(cluster: LocalCluster, count: int) -> None:
    """Wait until all processes of the workers have started or ended, and say so."""
    # `workers` are the nannies: a new one is listed when it has started, an old one until its end.
    scheduler: Any = cluster.scheduler
    while not len(cluster.workers) == len(scheduler.workers) == count:
        time.sleep(0.02)
    print(json.dumps({"address": cluster.scheduler_address}), flush=True)  # noqa: T201


def address_in(line: str) -> str:
    """Return the scheduler's address from a line that this program has printed."""
    found: str = json.loads(line)["address"]
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
