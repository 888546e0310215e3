"""A cluster that is up, as the commands get to know it: by the outputs of its stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from operations import pulumi_cli
from operations.stacks import COMMAND, LOCAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operations.stacks import Opened


@dataclass(frozen=True)
class Typed:
    """What a person types about a cluster.

    Attributes:
        up: What brings it to the state of this checkout.
        status: What shows it.
    """

    up: str
    status: str


@dataclass(frozen=True)
class Cluster:
    """A cluster that is up.

    Attributes:
        opened: Its stack.
        outputs: Of the stack.
        typed: What a person types about it.
        reachable: Whether there is a way into it, for a ``Client``.
    """

    opened: Opened
    outputs: Mapping[str, Any]
    typed: Typed
    reachable: bool = True

    @property
    def name(self) -> str:
        """The stack's name."""
        return self.opened.name


def open_cluster(opened: Opened) -> Cluster:
    """Return the cluster of a stack: what this machine or Pulumi's backend knows of it.

    Raises:
        CommandError: It is not up.
    """
    name = opened.name
    status = f"{COMMAND} status {name}"
    if opened.platform == LOCAL:
        return Cluster(opened, opened.outputs(), Typed(f"{COMMAND} up {name}", status))
    return Cluster(opened, pulumi_cli.outputs(opened), Typed(f"pulumi up -s {name}", status))
