"""Find and delete, by its tag, what a cluster on AWS has left behind.

Pulumi does not know what it was making when it was killed. Everything of a cluster bears its tag
from the call that makes it, so that what is left can be found without any state.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from operations.sweep import compute, network, services
from operations.sweep.kinds import Left

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from operations.aws import Clients

# In this order: what ends machines, what they hold, what they stand on.
KINDS = (*compute.KINDS, *services.KINDS, *network.KINDS)
PASSES_SECONDS = 600
PAUSE_SECONDS = 2


@dataclass(frozen=True)
class Refused:
    """Something that could not be deleted.

    Attributes:
        left: What it is.
        why: AWS's own words.
    """

    left: Left
    why: str


def find(cluster: str, clients: Clients) -> list[Left]:
    """Return everything that bears the cluster's tag, in the order in which it can be deleted."""
    return [
        Left(kind.name, identifier)
        for kind in KINDS
        for identifier in kind.find(clients.client(kind.service), cluster)
    ]


def delete(
    cluster: str,
    clients: Clients,
    *,
    deleted: Callable[[Left], None],
    seconds: float = PASSES_SECONDS,
) -> Sequence[Refused]:
    """Delete all of it, in several passes: some things hold others until they are gone.

    Args:
        cluster: Its name.
        clients: Where clients of AWS's services come from.
        deleted: Is told of each thing, once AWS has taken the call.
        seconds: How long things that hold others are waited for.

    Returns:
        What is left, and why; nothing if all is gone.
    """
    end = time.monotonic() + seconds
    told: set[Left] = set()
    while True:
        refused, there = _pass(cluster, clients, told, deleted)
        if not there:
            return ()
        if time.monotonic() > end:
            waited = "it still ends"
            return refused or [Refused(left, waited) for left in there]
        time.sleep(min(PAUSE_SECONDS, seconds / 10))


def _pass(
    cluster: str, clients: Clients, told: set[Left], deleted: Callable[[Left], None]
) -> tuple[list[Refused], list[Left]]:
    """Delete what can be deleted now; return what AWS refused, and all that there was."""
    refused: list[Refused] = []
    there: list[Left] = []
    for kind in KINDS:
        client = clients.client(kind.service)
        for identifier in kind.find(client, cluster):
            left = Left(kind.name, identifier)
            there.append(left)
            try:
                kind.delete(client, identifier)
            except ClientError as error:
                # It may be held by something that has not ended yet: the next pass tries again.
                refused.append(Refused(left, str(error)))
                continue
            if left not in told:
                told.add(left)
                deleted(left)
    return refused, there
