"""What every platform's settings have: every key with its meaning.

A key lives in one place: the reader, the editors' schema and the table in `stacks/README.md` come
from it. What is allowed between two keys is in `rules`.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

from pydantic import Field, ValidationInfo, model_validator

from components.settings import rules
from components.settings.keys import Change, Keys, about
from components.settings.packages import Packages
from components.settings.problems import SettingsError
from components.settings.scalars import (
    DaskConfiguration,
    DrainTimeout,
    Lifetime,
    Quiet,
)
from components.settings.worker_group import WorkerGroup


class _Platform(Keys):
    """Where the cluster is: a base of its own, so that it stands before all other keys."""

    platform: Annotated[
        str,
        about(
            "Where the cluster runs. `local`: processes on this machine. `vm`: EC2 instances on "
            "AWS. `kubernetes`: pods in a Kubernetes cluster that is there.",
            Change.REPLACES_EVERYTHING,
            example="local",
        ),
    ]


class Settings(WorkerGroup, _Platform):
    """What every platform has. Read one with `load` or `load_file`, never by name of a platform.

    A platform's own model is these settings and its own kind of `WorkerGroup` in one: the keys of
    the default group stand at the top.

    Attributes:
        group_model: The platform's kind of worker group.
    """

    group_model: ClassVar[type[WorkerGroup]]

    groups: Annotated[
        Mapping[str, WorkerGroup],
        about(
            "Further groups of workers beside the default one, by name, each with keys of its own.",
            Change.IN_PLACE,
            example={},
            shown={},
        ),
    ] = Field(default_factory=dict)
    lifetime: Annotated[
        Lifetime,
        about(
            "After this time a worker hands over its data and starts afresh. `null`: never.",
            Change.ROLLS_WORKERS,
            example="2 h",
        ),
    ] = None
    drain_timeout: Annotated[
        DrainTimeout,
        about(
            "How long a worker that ends may take: half of it to finish its running tasks, the "
            "rest to hand over its data.",
            Change.ROLLS_WORKERS,
            example="5 minutes",
            shown="15 minutes",
        ),
    ] = 900.0
    idle_stop: Annotated[
        Quiet,
        about(
            "Workers are stopped when no task has moved for this long and nobody holds a result; "
            "work that arrives or the next `up` starts them again. `null`: never.",
            Change.IN_PLACE,
            example="30 minutes",
        ),
    ] = None
    no_client_stop: Annotated[
        Quiet,
        about(
            "Workers are stopped when no client has been connected for this long and no work is "
            "left, whatever results are kept. `null`: never.",
            Change.IN_PLACE,
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

    @model_validator(mode="after")
    def _follow_rules(self, info: ValidationInfo) -> Self:
        # The loader names the keys that are wrong in themselves; no rule may build on those.
        problems = rules.check(self, without=(info.context or {}).get("without", frozenset()))
        if problems:
            raise SettingsError(problems)
        return self

    @property
    @abstractmethod
    def worker_groups(self) -> Mapping[str, WorkerGroup]:
        """Every group of workers by name: the default one, then the others as in the file."""
