"""The settings of a stack: one frozen model for each platform, every key with its meaning.

A key lives here once: the reader, the editors' schema and the table in `stacks/README.md` come
from it. What is allowed between two keys is in `rules.py`.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, ValidationInfo, model_validator

from components.settings import group_names, ports, rules
from components.settings.keys import Change, about, key_of
from components.settings.problems import SettingsError
from components.settings.scalars import (
    DaskConfiguration,
    DrainTimeout,
    Lifetime,
    Packages,
    Port,
    Quiet,
)
from components.settings.worker_group import Groups, WorkerGroup

__all__ = ["PLATFORMS", "Change", "LocalSettings", "Settings", "WorkerGroup", "key_of"]


class _Platform(BaseModel):
    """Where the cluster is: a base of its own, so that it stands before all other keys."""

    platform: Annotated[
        str,
        about(
            "Where the cluster runs. `local`: processes on this machine.",
            Change.REPLACES_EVERYTHING,
            example="local",
        ),
    ]


class Settings(WorkerGroup, _Platform):
    """What every platform has. Read one with `load` or `load_file`, never by name of a platform."""

    groups: Annotated[
        Groups,
        about(
            "Further groups of workers beside the default one, by name, each with keys of its own.",
            Change.IN_PLACE,
            example={"gpu": {"workers": 1, "resources": {"GPU": 1}}},
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
    def worker_groups(self) -> dict[str, WorkerGroup]:
        """Every group of workers by name: the default one, then the others as in the file."""
        return {group_names.DEFAULT: self, **self.groups}


class LocalSettings(Settings):
    """A cluster of processes on this machine."""

    platform: Annotated[Literal["local"], Settings.model_fields["platform"]]


PLATFORMS: dict[str, type[Settings]] = {"local": LocalSettings}
"""A further platform is a model with its own keys, and one entry here."""
