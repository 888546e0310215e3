"""The keys of a group of workers that every platform has.

The default group's keys stand at the top of a stack file, those of each other one in `groups`. They
are the same keys, with the same meanings; no group inherits from another one.
"""

from abc import abstractmethod
from typing import Annotated, ClassVar, TypeVar

from pydantic import BeforeValidator, Field, WithJsonSchema

from components.settings import group_names
from components.settings.keys import Change, Keys, about
from components.settings.layout import AUTO, Layout, Place, nprocesses
from components.settings.scalars import (
    MaxWorkers,
    OrJson,
    Processes,
    Resources,
    Workers,
    mapping,
)


class WorkerGroup(Keys):
    """Workers that are all alike: the default group at the top of the file, or one of `groups`.

    A platform says what a worker has. What must hold between the keys is looked at together with
    the other groups, in `Settings`.

    Attributes:
        auto_from: The fields that `processes: auto` is worked out from.
    """

    auto_from: ClassVar[frozenset[str]]

    workers: Annotated[
        Workers,
        about(
            "How many workers. A worker is one place: an instance on `vm`, a pod on `kubernetes`, "
            "a group of processes of this machine on `local`.",
            Change.IN_PLACE,
            example=2,
        ),
    ]
    max_workers: Annotated[
        MaxWorkers,
        about(
            "With it there are from `workers` to this many workers, as the work needs. "
            "`null`: exactly `workers`.",
            Change.IN_PLACE,
            example=8,
        ),
    ] = None
    processes: Annotated[
        Processes,
        about(
            "Processes of a worker. `auto`: Dask's own choice for that many threads.",
            Change.ROLLS_WORKERS,
            example=2,
        ),
    ] = 1
    resources: Annotated[
        Resources,
        about(
            "Dask resources of a worker, by name, split over its processes. Example: `GPU: 2`.",
            Change.ROLLS_WORKERS,
            example={"GPU": 1},
            shown={},
        ),
    ] = Field(default_factory=dict)

    @property
    @abstractmethod
    def place(self) -> Place:
        """What one worker has."""

    @property
    def most_workers(self) -> int:
        """As many workers as there can be at a time."""
        return self.workers if self.max_workers is None else self.max_workers

    @property
    def layout(self) -> Layout:
        """How one worker is split into processes.

        Dask counts resources for each process and not for each machine.
        """
        place = self.place
        count = nprocesses(place.threads) if self.processes == AUTO else self.processes
        return Layout(
            processes=count,
            threads=place.threads // count,
            memory=place.memory // count,
            resources={name: amount / count for name, amount in self.resources.items()},
        )


def _group(value: object) -> object:
    return value if isinstance(value, WorkerGroup) else mapping(value)


Group = TypeVar("Group", bound=WorkerGroup)
Groups = Annotated[
    dict[
        # Wrapped: pydantic would take a bare pattern out, and accept any other name beside it.
        Annotated[
            str, WithJsonSchema({"type": "string", "allOf": [{"pattern": group_names.PATTERN}]})
        ],
        Annotated[Group, BeforeValidator(_group), OrJson(empty=False)],
    ],
    BeforeValidator(mapping),
    OrJson(),
]
