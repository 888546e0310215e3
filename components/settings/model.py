"""The settings of a stack: one frozen model for each platform, every key with its meaning.

A key lives here once: the reader, the editors' schema and the table in `stacks/README.md` come
from it. What is allowed between two keys is in `rules.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from components.settings import ports, rules
from components.settings.problems import SettingsError
from components.settings.scalars import (
    GIB,
    DaskConfiguration,
    Lifetime,
    Packages,
    Port,
    Processes,
    Resources,
    Size,
    Threads,
    Workers,
)

AUTO = "auto"
_MOST_PROCESSES_EACH_A_CORE = 4


class Change(StrEnum):
    """What an update does to a running cluster when the value of a key changes."""

    IN_PLACE = "in place"
    ROLLS_WORKERS = "rolls the workers"
    REPLACES_SCHEDULER = "replaces the scheduler"
    REPLACES_EVERYTHING = "replaces everything"


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


def about(meaning: str, changing: Change, *, example: object, shown: JsonValue = None) -> FieldInfo:
    """Describe a key: for people, for editors and for the message when it is missing."""
    extra: dict[str, JsonValue] = {"changing": changing.value, "shown": shown}
    info: FieldInfo = Field(description=meaning, examples=[example], json_schema_extra=extra)
    return info


class Settings(BaseModel):
    """What every platform has. Read one with `load` or `load_file`, never by name of a platform."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )

    platform: Annotated[
        str,
        about(
            "Where the cluster runs. `local`: processes on this machine.",
            Change.REPLACES_EVERYTHING,
            example="local",
        ),
    ]
    workers: Annotated[
        Workers,
        about(
            "How many workers. A worker is one place: here, a group of processes on this machine.",
            Change.IN_PLACE,
            example=2,
        ),
    ]
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
    scheduler_port: Annotated[
        Port,
        about("The port of the scheduler.", Change.REPLACES_SCHEDULER, example=ports.SCHEDULER),
    ] = ports.SCHEDULER
    dashboard_port: Annotated[
        Port,
        about("The port of the dashboard.", Change.REPLACES_SCHEDULER, example=ports.DASHBOARD),
    ] = ports.DASHBOARD
    lifetime: Annotated[
        Lifetime,
        about(
            "After this time a worker hands over its data and starts afresh. `null`: never.",
            Change.ROLLS_WORKERS,
            example="2 h",
        ),
    ] = None
    dask: Annotated[
        DaskConfiguration,
        about(
            "Any Dask configuration, as in Dask's own YAML files.",
            Change.REPLACES_SCHEDULER,
            example={"distributed": {"scheduler": {"work-stealing": False}}},
            shown={},
        ),
    ] = Field(default_factory=dict)
    packages: Annotated[
        Packages,
        about(
            "Packages on top of the environment, each with its version: `xarray>=2025.1`.",
            Change.REPLACES_SCHEDULER,
            example=["xarray>=2025.1"],
        ),
    ] = ()

    @field_validator("processes", mode="before")
    @classmethod
    def _resolve_auto(cls, value: object, info: ValidationInfo) -> object:
        # Where the threads themselves are wrong any number does: the model is refused anyway.
        return nprocesses(info.data.get("threads", 1)) if value == AUTO else value

    @model_validator(mode="after")
    def _follow_rules(self, info: ValidationInfo) -> Self:
        # The loader names the keys that are wrong in themselves; no rule may build on those.
        problems = rules.check(self, without=(info.context or {}).get("without", frozenset()))
        if problems:
            raise SettingsError(problems)
        return self

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


class LocalSettings(Settings):
    """A cluster of processes on this machine."""

    platform: Annotated[Literal["local"], Settings.model_fields["platform"]]


PLATFORMS: dict[str, type[Settings]] = {"local": LocalSettings}
"""A further platform is a model with its own keys, and one entry here."""


def key_of(name: str) -> str:
    """Return the key of a stack file for the name of a field."""
    return to_camel(name)


def example_of(model: type[Settings], name: str) -> Any:  # noqa: ANN401
    """Return a right value of a field, to show and to stand in for a wrong one."""
    return (model.model_fields[name].examples or [None])[0]
