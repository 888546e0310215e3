"""The keys of a group of workers on Kubernetes: a Deployment, a worker for each pod."""

import math
from typing import Annotated, ClassVar

from components.settings.keys import Change, about
from components.settings.kubernetes_values import Autoscaler, Cpu, Disk, WorkerMemory
from components.settings.layout import Place
from components.settings.scalars import GIB, MIB
from components.settings.worker_group import WorkerGroup

# Beside Dask's own count stand what the allocator holds and the nanny, a process of about 100 MiB:
# above its limit a container is killed at once, and nobody moves its data.
_FOR_DASK_PERCENT = 92
_FOR_THE_NANNY = 128 * MIB


class KubernetesWorkerGroup(WorkerGroup):
    """Pods that are all alike, each as large as it is written."""

    auto_from: ClassVar[frozenset[str]] = frozenset({"cpu"})

    cpu: Annotated[
        Cpu,
        about(
            "CPUs of a worker, asked for and never more. Dask has a thread for each, at least one.",
            Change.ROLLS_WORKERS,
            example=2,
        ),
    ] = 1.0
    memory: Annotated[
        WorkerMemory,
        about(
            "Memory of a worker's container; Dask has 92 % of it less 128 MiB, split over its "
            "processes.",
            Change.ROLLS_WORKERS,
            example="8 GiB",
            shown="4 GiB",
        ),
    ] = 4 * GIB
    disk: Annotated[
        Disk,
        about(
            "The node's disk that a worker may use. Dask spills 90 % of it; more stays in memory.",
            Change.ROLLS_WORKERS,
            example="20 GiB",
            shown="10 GiB",
        ),
    ] = 10 * GIB
    autoscaler: Annotated[
        Autoscaler,
        about(
            "Who moves the number between `workers` and `maxWorkers`. `scaler`: the one beside the "
            "scheduler, which knows the tasks. `hpa`: Kubernetes, by the use of CPU.",
            Change.IN_PLACE,
            example="scaler",
        ),
    ] = "scaler"

    @property
    def place(self) -> Place:
        """What one worker has: a thread for each CPU, a part of one counts as a whole."""
        return Place(
            threads=max(1, math.ceil(self.cpu)),
            memory=self.memory * _FOR_DASK_PERCENT // 100 - _FOR_THE_NANNY,
        )

    @staticmethod
    def memory_for(dask: int) -> int:
        """Return the least `memory` that leaves so many bytes to Dask."""
        return -(-(dask + _FOR_THE_NANNY) * 100 // _FOR_DASK_PERCENT)
