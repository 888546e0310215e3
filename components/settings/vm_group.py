"""The keys of a group of workers on EC2: an Auto Scaling group, a worker for each instance."""

from typing import Annotated, ClassVar

from components.settings import instance_types
from components.settings.aws_values import (
    Architecture,
    InstanceTypes,
    Network,
    OnDemandFloor,
    ReservationId,
    RootVolume,
    ThreadsPerCore,
    YesNo,
)
from components.settings.instance_types import InstanceType
from components.settings.keys import Change, about
from components.settings.layout import Place
from components.settings.scalars import GIB, MIB
from components.settings.worker_group import WorkerGroup

# The system, the agents and the page cache of a host.
_FOR_DASK_PERCENT = 92
_FOR_THE_SYSTEM = 512 * MIB


class VmWorkerGroup(WorkerGroup):
    """Instances of types that are alike, each as large as its type."""

    auto_from: ClassVar[frozenset[str]] = frozenset({"instance_types", "threads_per_core"})

    instance_types: Annotated[
        InstanceTypes,
        about(
            "The EC2 types a worker may be, all with the same vCPUs and cores.",
            Change.ROLLS_WORKERS,
            example=["m7i.large"],
        ),
    ]
    architecture: Annotated[
        Architecture,
        about(
            "Of the instance types: `x86_64` or `arm64`.", Change.ROLLS_WORKERS, example="x86_64"
        ),
    ] = "x86_64"
    spot: Annotated[
        YesNo,
        about(
            "Spot instances: cheaper, and AWS may take them back with two minutes of notice.",
            Change.ROLLS_WORKERS,
            example=True,
        ),
    ] = False
    on_demand_floor: Annotated[
        OnDemandFloor,
        about("With `spot`: so many workers are on demand.", Change.IN_PLACE, example=1),
    ] = 0
    root_volume: Annotated[
        RootVolume,
        about(
            "The disk of a worker, also for what Dask spills.",
            Change.ROLLS_WORKERS,
            example="100 GiB",
            shown="50 GiB",
        ),
    ] = 50 * GIB
    spill_to_nvme: Annotated[
        YesNo,
        about(
            "Spill to the instance's own NVMe disks instead.", Change.ROLLS_WORKERS, example=True
        ),
    ] = False
    threads_per_core: Annotated[
        ThreadsPerCore,
        about(
            "1 switches hyperthreading off. `null`: as the type has it.",
            Change.ROLLS_WORKERS,
            example=1,
        ),
    ] = None
    placement_group: Annotated[
        YesNo,
        about(
            "Instances close together, in a cluster placement group: needs one zone.",
            Change.ROLLS_WORKERS,
            example=True,
        ),
    ] = False
    network: Annotated[
        Network,
        about(
            "`standard`. `enaExpress`: up to 25 Gbit/s for one connection. `efa`: for MPI; Dask "
            "itself uses TCP.",
            Change.ROLLS_WORKERS,
            example="enaExpress",
        ),
    ] = "standard"
    capacity_reservation: Annotated[
        ReservationId,
        about(
            "Take the instances from this reservation. `null`: from none in particular.",
            Change.ROLLS_WORKERS,
            example="cr-0123456789abcdef0",
        ),
    ] = None
    all_or_nothing: Annotated[
        YesNo,
        about(
            "If not all `workers` are in service in time, `up` fails and none is kept.",
            Change.IN_PLACE,
            example=True,
        ),
    ] = False

    @property
    def types(self) -> tuple[InstanceType, ...]:
        """The facts of its instance types, as they are written."""
        found = map(instance_types.facts, self.instance_types)
        return tuple(each for each in found if each is not None)

    def threads_of(self, each: InstanceType) -> int:
        """Return the vCPUs that an instance of this type gets in this group."""
        wanted = self.threads_per_core
        return each.vcpus if wanted is None else each.cores * wanted

    @property
    def place(self) -> Place:
        """What one worker has: that of the smallest of its types."""
        memory = min(each.memory for each in self.types)
        return Place(
            threads=min(map(self.threads_of, self.types)),
            memory=memory * _FOR_DASK_PERCENT // 100 - _FOR_THE_SYSTEM,
        )
