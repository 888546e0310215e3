"""Keys within a key of a cluster on Kubernetes: its JupyterLab."""

from typing import Annotated

from components.settings.keys import Change, Keys, about
from components.settings.kubernetes_values import ContainerMemory, Cpu, Disk, StorageClass
from components.settings.scalars import GIB


class Jupyter(Keys):
    """A JupyterLab beside the scheduler, with the cluster's environment."""

    cpu: Annotated[Cpu, about("Its CPUs.", Change.IN_PLACE, example=1)] = 1.0
    memory: Annotated[
        ContainerMemory,
        about("Its memory.", Change.IN_PLACE, example="2 GiB", shown="2 GiB"),
    ] = 2 * GIB
    home: Annotated[
        Disk,
        about(
            "The volume of its home directory, which `destroy` deletes. It may grow where the "
            "storage class allows that, never shrink.",
            Change.IN_PLACE,
            example="10 GiB",
            shown="10 GiB",
        ),
    ] = 10 * GIB
    storage_class: Annotated[
        StorageClass,
        about(
            "The storage class of that volume: with another one a new, empty volume takes its "
            "place. `null`: the one that the cluster takes by itself.",
            Change.IN_PLACE,
            example="gp3",
        ),
    ] = None
