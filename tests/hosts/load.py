# ruff: noqa: T201  (what it prints is what it is for)
"""Data and work on a cluster, and what becomes of them: `python -m tests.hosts.load ...`.

It runs beside a cluster (`Hosted.beside`) and prints `loaded` when data is there and work goes on:
so many tasks are always waited for, until it is told a line. Then it waits for the last of them and
prints what it found, as JSON.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections import Counter
from typing import Any

from distributed import Client, Future, get_worker, wait

from tests.running import FINISHED

# Where workers tell of each task that they run. A worker tells it before that the task is done,
# and on the same way, so that of a task that is done no run is missing.
RAN = "ran"
_SAMPLE = re.compile(r'^dask_cluster_(\w+)(?:\{\w+="([^"]*)"\})? (\S+)$', re.MULTILINE)


def counters(client: Client) -> dict[str, dict[str, float]]:
    """Return our own counters of the scheduler by name and label, without those that are 0."""

    def read() -> str:
        import prometheus_client  # noqa: PLC0415

        return prometheus_client.generate_latest().decode()

    found: dict[str, dict[str, float]] = {}
    for name, label, value in _SAMPLE.findall(client.run_on_scheduler(read)):
        if name.endswith("_total") and float(value):
            found.setdefault(name.removesuffix("_total"), {})[label] = float(value)
    return found


def workers(client: Client) -> list[str]:
    """Return the names of the registered workers."""
    return sorted(w["name"] for w in client.scheduler_info(n_workers=-1)["workers"].values())


def wait_for(client: Client, count: int) -> None:
    """Wait until as many workers are registered, and not one more."""
    end = time.monotonic() + 300
    while len(there := workers(client)) != count:
        if time.monotonic() > end:
            raise TimeoutError(f"{count} workers are wanted, and there are: {', '.join(there)}")
        time.sleep(0.2)


def main() -> int:
    """Load a cluster.

    Its arguments: how many workers to wait for first, how many keys to scatter, and for how many
    tasks of a second each it waits at any time.
    """
    there, keys, tasks = map(int, sys.argv[1:])
    with Client() as client:
        wait_for(client, there)
        print(json.dumps(_load(client, keys, tasks)))
    return 0


def _load(client: Client, keys: int, tasks: int) -> dict[str, Any]:
    def counted(n: int, seconds: float) -> int:
        time.sleep(seconds)
        get_worker().log_event(RAN, n)
        return n

    seen: Counter[int] = Counter()
    # All of them: the scheduler itself keeps only the last thousands.
    client.subscribe_topic(RAN, lambda event: seen.update([event[1]]))
    before = counters(client)
    scattered = client.scatter(list(range(keys)), hash=False) if keys else []
    finished = client.map(counted, range(FINISHED), [0] * FINISHED, pure=False)
    wait(finished)
    told = threading.Event()

    def listen() -> None:
        sys.stdin.readline()
        told.set()

    threading.Thread(target=listen, daemon=True).start()
    work: list[Future[int]] = []
    print("loaded", flush=True)
    while not told.is_set():
        open_ = sum(not future.done() for future in work)
        for _ in range(tasks - open_):
            work.append(client.submit(counted, FINISHED + len(work), 1, pure=False))
        time.sleep(0.1)
    found = {
        "scattered": client.gather(scattered) == list(range(keys)),
        "finished": client.gather(finished) == list(range(FINISHED)),
        "worked": client.gather(work) == list(range(FINISHED, FINISHED + len(work))),
        "tasks": FINISHED + len(work),
        "workers": workers(client),
    }

    # What is told to this client comes by itself.
    end = time.monotonic() + 30
    while len(seen) < found["tasks"] and time.monotonic() < end:
        time.sleep(0.1)
    after = counters(client)
    return found | {
        "runs": dict(Counter(seen.values())),
        "again": sorted(n for n, count in seen.items() if n < FINISHED and count != 1),
        "counters": {
            name: more
            for name, labels in after.items()
            if (more := _more(before.get(name, {}), labels))
        },
    }


def _more(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {k: v - before.get(k, 0) for k, v in after.items() if v != before.get(k, 0)}


if __name__ == "__main__":
    sys.exit(main())
