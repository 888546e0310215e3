"""The Dask cluster of a stack: the only module that knows all platforms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi

from components.platforms.local import LocalCluster

if TYPE_CHECKING:
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
        folder = Path.cwd() / ".dask-cluster" / "clusters" / pulumi.get_stack()
        platform = LocalCluster(
            name, settings=settings, folder=folder, opts=pulumi.ResourceOptions(parent=self)
        )
        self.outputs = platform.outputs
        self.register_outputs({})
