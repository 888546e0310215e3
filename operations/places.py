"""Where clusters are, and what the commands ask of each place: a table, by platform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from operations import on_aws, on_kubernetes, on_this_machine
from operations.stacks import LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console

    from operations.clusters import Cluster
    from operations.stacks import Opened


class Place(Protocol):
    """What the commands ask of the place where a cluster is; a module is one."""

    def show(self, console: Console, cluster: Cluster, *, as_json: bool) -> bool:
        """Show a cluster; return whether nothing is wrong with it."""
        ...

    def findings(self, cluster: Cluster) -> Iterator[tuple[bool, str]]:
        """Yield each check: whether it is well, and a line that says what was seen."""
        ...

    def run(self, cluster: Cluster, words: Sequence[str]) -> int:
        """Run a command where a bare ``Client()`` connects; return its exit code."""
        ...

    def sweep(self, console: Console, opened: Opened, *, ask: Callable[[str], None]) -> bool:
        """Delete what is left of a cluster; return whether nothing is left."""
        ...


# By the platform of the stack file.
PLACES: Mapping[str, Place] = {
    LOCAL: on_this_machine,
    "vm": on_aws,
    "kubernetes": on_kubernetes,
}
