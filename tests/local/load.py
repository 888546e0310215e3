"""Data and work on a cluster, and what has become of them."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import Client, wait

if TYPE_CHECKING:
    from distributed import Future

KEYS = 10_000
FINISHED = 200
RUNNING = 100
SECONDS = 0.1  # of each running task
KINDS = ("computed", "scattered", "actor")


@dataclass
class Load:
    """Scattered data, finished tasks and a running computation, all held by one client."""

    client: Client
    folder: Path
    scattered: list[Future[int]]
    finished: list[Future[int]]
    running: list[Future[int]]
    lost: dict[str, float]

    @classmethod
    def put_on(cls, client: Client, folder: Path) -> Load:
        folder.mkdir()

        def counted(n: int, seconds: float) -> int:
            time.sleep(seconds)
            with Path(folder, str(n)).open("a") as file:
                file.write("x")
            return n

        numbers = range(FINISHED, FINISHED + RUNNING)
        scattered = client.scatter(list(range(KEYS)), hash=False)
        finished = client.map(counted, range(FINISHED), [0] * FINISHED, pure=False)
        wait(finished)
        running = client.map(counted, numbers, [SECONDS] * RUNNING, pure=False)
        return cls(client, folder, scattered, finished, running, lost(client))

    def check(self) -> None:
        """Compare every value with what it must be, and count the runs of every task."""
        assert self.client.gather(self.scattered) == list(range(KEYS))
        assert self.client.gather(self.finished) == list(range(FINISHED))
        assert self.client.gather(self.running) == list(range(FINISHED, FINISHED + RUNNING))
        runs = Counter(file.stat().st_size for file in self.folder.iterdir())
        assert runs == {1: FINISHED + RUNNING}
        assert lost(self.client) == self.lost


def lost(client: Client) -> dict[str, float]:
    """Return how many results were lost so far, by kind."""
    return {kind: metric(client, f'lost_keys_total{{kind="{kind}"}}') for kind in KINDS}


def metric(client: Client, name: str) -> float:
    """Return one of our own counters, as Prometheus reads it from the scheduler."""

    def read() -> str:
        import prometheus_client  # noqa: PLC0415

        return prometheus_client.generate_latest().decode()

    text = client.run_on_scheduler(read)
    found = re.search(rf"^dask_cluster_{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, name
    return float(found[1])


def address(client: Client, name: str) -> str:
    """Return the address of the worker of this name."""
    info: dict[str, dict[str, Any]] = client.scheduler_info(n_workers=-1)["workers"]
    return next(address for address, worker in info.items() if worker["name"] == name)


def workers(client: Client) -> list[str]:
    """Return the names of the registered workers."""
    return sorted(w["name"] for w in client.scheduler_info(n_workers=-1)["workers"].values())
