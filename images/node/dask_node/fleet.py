"""What the scaler knows of places to run workers, whoever keeps them.

A *place* is what is started and stopped as one: a process in a supervisor's table, an instance, a
pod. Its worker processes register with Dask as `<place>-<m>`. A *group* is a set of like places.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

FLEET_VARIABLE = "DASK_CLUSTER_FLEET"


@dataclass(frozen=True)
class Group:
    """What the stack file says of a group; it may change while the scheduler runs.

    Attributes:
        workers: How many places there are, or with `max_workers` how many at least.
        max_workers: How many places there may be; None where the number is fixed.
        processes: Worker processes in one place.
        threads: Of one process.
        memory: Of one process, in bytes.
        resources: Of one process, as Dask counts them.
        hands_off: Whether somebody else decides on the number between the two. The scaler stops
            all places of such a group when nobody wants anything, and starts `workers` again.
    """

    name: str
    workers: int
    max_workers: int | None
    processes: int
    threads: int
    memory: int
    resources: Mapping[str, float]
    hands_off: bool = False

    @property
    def scaled(self) -> bool:
        """Whether the scaler decides on the number of places."""
        return self.max_workers is not None and not self.hands_off

    @property
    def limit(self) -> int:
        """The most places there may be."""
        return self.workers if self.max_workers is None else self.max_workers


@dataclass(frozen=True)
class Places:
    """The places of a group.

    Attributes:
        running: Started or starting, also those that have not registered yet.
        stopping: Told to end, and still there.
        failed: Given up starting.
    """

    running: frozenset[str]
    stopping: frozenset[str]
    failed: frozenset[str]


@dataclass(frozen=True)
class State:
    """The fleet at one moment.

    Attributes:
        groups: By name, as the file has them: the default group first.
        places: By group; a key for each group.
        idle_stop: Seconds without work after which the fleet is stopped, or None.
        no_client_stop: Seconds without a client after which it is stopped, or None.
    """

    groups: dict[str, Group]
    places: dict[str, Places]
    idle_stop: float | None
    no_client_stop: float | None


class Fleet(Protocol):
    """Starts and stops places. An `OSError` says that it cannot be reached.

    Attributes:
        interval: Seconds between two looks.
    """

    interval: float

    async def look(self) -> State:
        """Return how things are."""

    async def start(self, group: str, count: int) -> None:
        """Ask for this many further places; do not wait for them."""

    async def stop(self, group: str, places: Collection[str], reason: str) -> None:
        """Ask places to end; do not wait. Each gets SIGTERM and drains itself (`dask_node.drain`).

        From here on they are `stopping`, until they are gone.

        Args:
            group: Theirs.
            places: Those that shall end.
            reason: Why, for people.
        """


# What `DASK_CLUSTER_FLEET` begins with, and who keeps such a fleet. A bare path is a local one.
_KINDS = {
    "/": "dask_node.local_fleet:LocalFleet",
    "aws:": "dask_node.aws.fleet:AwsFleet",
    "kubernetes:": "dask_node.kubernetes.fleet:KubernetesFleet",
}


def load() -> Fleet | None:
    """Return the fleet of this scheduler, or None if it has none.

    Raises:
        ValueError: The variable names a kind of fleet that is not known.
    """
    where = os.environ.get(FLEET_VARIABLE, "")
    if not where:
        return None
    for start, keeper in _KINDS.items():
        if where.startswith(start):
            module, _, name = keeper.partition(":")
            make = cast("Callable[[str], Fleet]", getattr(import_module(module), name))
            return make(where)
    raise ValueError(f"{FLEET_VARIABLE}={where!r} is none of: {', '.join(_KINDS)}...")
