"""The settings of a cluster of processes on this machine."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from components.settings import group_names, ports
from components.settings.base import Settings
from components.settings.keys import Change, about
from components.settings.layout import Place
from components.settings.scalars import GIB, Port, Size, Threads
from components.settings.worker_group import Groups, WorkerGroup


class LocalWorkerGroup(WorkerGroup):
    """Groups of processes, each as large as it is written."""

    auto_from: ClassVar[frozenset[str]] = frozenset({"threads"})

    threads: Annotated[
        Threads,
        about("Threads of a worker, split over its processes.", Change.ROLLS_WORKERS, example=2),
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

    @property
    def place(self) -> Place:
        """What one worker has."""
        return Place(threads=self.threads, memory=self.memory)


class LocalSettings(Settings, LocalWorkerGroup):
    """A cluster of processes on this machine."""

    group_model: ClassVar[type[WorkerGroup]] = LocalWorkerGroup

    platform: Annotated[Literal["local"], Settings.model_fields["platform"]]
    groups: Annotated[
        Groups[LocalWorkerGroup],
        Settings.model_fields["groups"],
        Field(examples=[{"gpu": {"workers": 1, "resources": {"GPU": 1}}}]),
    ] = Field(default_factory=dict)
    scheduler_port: Annotated[
        Port,
        about("The port of the scheduler.", Change.REPLACES_SCHEDULER, example=ports.SCHEDULER),
    ] = ports.SCHEDULER
    dashboard_port: Annotated[
        Port,
        about("The port of the dashboard.", Change.REPLACES_SCHEDULER, example=ports.DASHBOARD),
    ] = ports.DASHBOARD

    @property
    def worker_groups(self) -> Mapping[str, LocalWorkerGroup]:
        """Every group of workers by name: the default one, then the others as in the file."""
        return {group_names.DEFAULT: self, **self.groups}
