"""The keys of a group of workers: the default one at the top of a stack file, and each of `groups`.

They are the same keys, with the same meanings; no group inherits from another one.
"""

from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.alias_generators import to_camel

from components.settings import group_names
from components.settings.keys import Change, about
from components.settings.layout import Layout, nprocesses
from components.settings.scalars import (
    GIB,
    MaxWorkers,
    OrJson,
    Processes,
    Resources,
    Size,
    Threads,
    Workers,
    mapping,
)

AUTO = "auto"


class WorkerGroup(BaseModel):
    """Workers that are all alike: the default group at the top of the file, or one of `groups`.

    What must hold between its keys is looked at together with the other groups, in `Settings`.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )

    workers: Annotated[
        Workers,
        about(
            "How many workers. A worker is one place: here, a group of processes on this machine.",
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
    threads: Annotated[
        Threads,
        about("Threads of a worker, split over its processes.", Change.ROLLS_WORKERS, example=2),
    ] = 1
    processes: Annotated[
        Processes,
        about(
            "Processes of a worker. `auto`: Dask's own choice for that many threads.",
            Change.ROLLS_WORKERS,
            example=2,
        ),
    ] = 1
    memory: Annotated[
        Size,
        about(
            "Memory of a worker, split over its processes: at least 128 MiB for each.",
            Change.ROLLS_WORKERS,
            example="2 GiB",
            shown="1 GiB",
        ),
    ] = GIB
    resources: Annotated[
        Resources,
        about(
            "Dask resources of a worker, by name, split over its processes. Example: `GPU: 2`.",
            Change.ROLLS_WORKERS,
            example={"GPU": 1},
            shown={},
        ),
    ] = Field(default_factory=dict)

    @field_validator("processes", mode="before")
    @classmethod
    def _resolve_auto(cls, value: object, info: ValidationInfo) -> object:
        # Where the threads themselves are wrong any number does: the model is refused anyway.
        return nprocesses(info.data.get("threads", 1)) if value == AUTO else value

    @property
    def most_workers(self) -> int:
        """As many workers as there can be at a time."""
        return self.workers if self.max_workers is None else self.max_workers

    @property
    def threads_per_process(self) -> int:
        """Threads of one process."""
        return self.threads // self.processes

    @property
    def memory_per_process(self) -> int:
        """Bytes of one process."""
        return self.memory // self.processes

    @property
    def resources_per_process(self) -> dict[str, float]:
        """Abstract resources of one process: Dask counts them there and not per machine."""
        return {name: amount / self.processes for name, amount in self.resources.items()}

    @property
    def layout(self) -> Layout:
        """How one worker is split into processes."""
        return Layout(
            processes=self.processes,
            threads=self.threads_per_process,
            memory=self.memory_per_process,
            resources=self.resources_per_process,
        )


def _group(value: object) -> object:
    return value if isinstance(value, WorkerGroup) else mapping(value)


Groups = Annotated[
    dict[
        # Wrapped: pydantic would take a bare pattern out, and accept any other name beside it.
        Annotated[
            str, WithJsonSchema({"type": "string", "allOf": [{"pattern": group_names.PATTERN}]})
        ],
        Annotated[WorkerGroup, BeforeValidator(_group), OrJson(empty=False)],
    ],
    BeforeValidator(mapping),
    OrJson(),
]
