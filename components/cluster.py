"""The Dask cluster of a stack: the only module that knows all platforms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi

from components.settings import KubernetesSettings, LocalSettings, VmSettings

if TYPE_CHECKING:
    from components.platforms.kubernetes import KubernetesCluster
    from components.platforms.local import LocalCluster
    from components.platforms.vm import VmCluster
    from components.settings import Settings


class DaskCluster(pulumi.ComponentResource):
    """A scheduler, its dashboard, the workers and one environment for all of them.

    Attributes:
        outputs: What the stack exports, by name; the README lists them.
    """

    outputs: dict[str, pulumi.Output[Any]]

    def __init__(
        self, name: str, *, settings: Settings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("dask-cluster:index:DaskCluster", name, None, opts)
        platform = _create(name, settings, pulumi.ResourceOptions(parent=self))
        self.outputs = platform.outputs
        self.register_outputs({})


def _create(
    name: str, settings: Settings, opts: pulumi.ResourceOptions
) -> LocalCluster | VmCluster | KubernetesCluster:
    """Create the cluster on its platform; only that one's SDK is imported, each costs seconds."""
    match settings:
        case LocalSettings():
            from components.platforms.local import LocalCluster  # noqa: PLC0415

            folder = Path.cwd() / ".dask-cluster" / "clusters" / pulumi.get_stack()
            return LocalCluster(name, settings=settings, folder=folder, opts=opts)
        case VmSettings():
            from components.platforms.vm import VmCluster  # noqa: PLC0415

            return VmCluster(name, settings=settings, opts=opts)
        case KubernetesSettings():
            from components.platforms.kubernetes import KubernetesCluster  # noqa: PLC0415

            return KubernetesCluster(name, settings=settings, opts=opts)
        case _:
            raise TypeError(f"{type(settings).__name__} is the settings of no platform.")
