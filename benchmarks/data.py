"""Data on a cluster, half of it scattered and half computed, and what is left of it later."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from distributed import Client, Security, wait

from benchmarks.clusters import say, until

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from distributed import Future

AT_ONCE = 50  # arrays that this program holds


def connect(address: str, folder: Path) -> Client:
    """Connect as a client of the stack whose cluster is in ``folder``."""
    certificates = folder / "certificates"
    security = Security(
        tls_ca_file=str(certificates / "authority.pem"),
        tls_client_cert=str(certificates / "client.pem"),
        tls_client_key=str(certificates / "client.key"),
        require_encryption=True,
    )
    return Client(address, security=security if address.startswith("tls") else None)


def workers(client: Client) -> dict[str, str]:
    """Return the address of each worker by its name."""
    found = client.scheduler_info(n_workers=-1)["workers"]
    return {str(worker["name"]): address for address, worker in found.items()}


@dataclass(frozen=True)
class Left:
    """What is left after workers have gone.

    Attributes:
        scattered: Keys that are gone.
        again: Tasks that were computed again.
        wrong: Values that are not what they were.
    """

    scattered: int
    again: int
    wrong: int

    @property
    def lost(self) -> int:
        """Whatever did not stay as it was."""
        return self.scattered + self.again + self.wrong

    def __str__(self) -> str:
        """Return the part of a table's row."""
        return f"{self.scattered:9} {self.again:9}"


class Data:
    """Arrays on the workers of a cluster, equally many on each; the client holds their futures."""

    def __init__(self, client: Client, count: int, size: int, log: Path) -> None:
        """Put the data on the workers.

        Args:
            client: Of the cluster.
            count: How many arrays, half of them scattered.
            size: Bytes of an array.
            log: Every task writes a line into it each time it runs.
        """
        self.client, self.size, self.log = client, size, log
        places = sorted(workers(client).values())
        half = count // 2
        self.scattered: dict[int, Future[Any]] = {}
        for n, place in enumerate(places):
            numbers = range(n, half, len(places))
            for first in range(0, len(numbers), AT_ONCE):
                some = numbers[first : first + AT_ONCE]
                arrays = [array(number, size) for number in some]
                kept = client.scatter(arrays, workers=[place], hash=False, direct=True)
                self.scattered |= dict(zip(some, kept, strict=True))
        self.computed: dict[int, Future[Any]] = {}
        for n, place in enumerate(places):
            some = range(half + n, count, len(places))
            kept = client.map(
                *(_task(size, str(log)), some),
                workers=[place],
                allow_other_workers=True,  # where it was computed may be gone one day
                pure=False,
            )
            self.computed |= dict(zip(some, kept, strict=True))
        wait(list(self.computed.values()))

    def held(self) -> dict[Any, set[str]]:
        """Return the workers that have a key, by the key; not by futures, which may be lost."""
        found: dict[Any, set[str]] = {}
        for worker, keys in self.client.has_what().items():
            for key in keys:
                found.setdefault(key, set()).add(worker)
        return found

    def only_on(self, addresses: Collection[str]) -> int:
        """Return the bytes that no worker has but these."""
        return self.size * sum(there <= set(addresses) for there in self.held().values())

    def wait(self, staying: int) -> None:
        """Wait until so many workers are left, and hold all that can still be had."""

        def settled() -> bool:
            if len(workers(self.client)) != staying:
                return False
            held = self.held()
            return all(held.get(future.key) for future in self.computed.values())

        until(settled, f"{staying} workers with the data")

    def left(self) -> Left:
        """Read every key that is left, and compare its value."""
        held = self.held()
        all_of_them = self.scattered | self.computed
        here = {n: future for n, future in all_of_them.items() if held.get(future.key)}
        numbers, wrong = list(here), 0
        for first in range(0, len(numbers), AT_ONCE):
            some = numbers[first : first + AT_ONCE]
            values = self.client.gather([here[n] for n in some], direct=True)
            expected = [array(n, self.size) for n in some]
            wrong += sum(not np.array_equal(*both) for both in zip(values, expected, strict=True))
        runs = Counter(self.log.read_text().split())
        again = sum(runs.values()) - len(self.computed)
        if wrong:
            say(f"{wrong} values are wrong")
        return Left(len(self.scattered.keys() - here.keys()), again, wrong)


def fetched(client: Client) -> int:
    """Return the bytes that the workers have fetched from one another since they started."""

    def count(dask_worker: Any) -> int:  # noqa: ANN401
        return sum(entry["total"] for entry in dask_worker.transfer_incoming_log)

    return sum(client.run(count).values())


def array(number: int, size: int) -> Any:  # noqa: ANN401
    """Return the value of a key; it cannot be compressed."""
    return np.random.default_rng(number).integers(0, 256, size, dtype=np.uint8)


def _task(size: int, log: str) -> Any:  # noqa: ANN401
    """Return the function of the computed keys; it travels by value, the workers have no module."""

    def compute(number: int) -> Any:  # noqa: ANN401
        import numpy  # noqa: ICN001, PLC0415

        with open(log, "a") as file:  # noqa: PTH123
            file.write(f"{number}\n")
        return numpy.random.default_rng(number).integers(0, 256, size, dtype=numpy.uint8)

    return compute
