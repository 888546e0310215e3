"""Find and delete, by its tag, what a cluster on AWS has left behind.

Pulumi does not know what it was making when it was killed. Everything of a cluster bears its tag
from the call that makes it, so that what is left can be found without any state. Two services take
tags by a second call only, S3 and Route 53: of them the name is enough for what has no tags yet.
What can bear no tag (rules, routes, records, objects, inline policies, hooks) goes with its owner.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from operations import aws
from operations.sweep import compute, files, identities, network, services
from operations.sweep.kinds import Kind, Left, Scope, UnsuccessfulError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from operations.aws import Clients
    from operations.sweep.kinds import Found

# In this order: what ends machines, what they hold, what they stand on.
KINDS = (*compute.KINDS, *services.KINDS, *identities.KINDS, *files.KINDS, *network.KINDS)
SECONDS = 1800.0
QUIET_SECONDS = 120.0
PAUSE_SECONDS = 2.0
ALL = "all of them"
_ENDING = "it has been told to go, and is still there"


@dataclass(frozen=True)
class Refused:
    """Something that could not be deleted, or a kind that could not be looked for.

    Attributes:
        left: What it is; its id is `ALL` for a kind that could not be looked for.
        why: AWS's own words.
    """

    left: Left
    why: str


@dataclass
class _Pass:
    """What one look at everything came to."""

    there: list[Left] = field(default_factory=list)
    ending: list[Left] = field(default_factory=list)
    deleted: list[Left] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def scope_of(cluster: str, region: str, clients: Clients) -> Scope:
    """Ask AWS whose credentials these are.

    Raises:
        CommandError: They are nobody's, or AWS does not answer.
    """
    with aws.calling("asking for the account"):
        account = clients.client("sts").get_caller_identity()["Account"]
    return Scope(cluster, region, account)


def find(scope: Scope, clients: Clients) -> tuple[list[Left], list[Refused]]:
    """Look for everything that bears the cluster's tag.

    Returns:
        What there is, in the order in which it can be deleted; and the kinds that could not be
        looked for.
    """
    left: list[Left] = []
    refused: list[Refused] = []
    for kind in KINDS:
        left += [Left(kind.name, each.id) for each in _look(kind, scope, clients, refused)]
    return left, refused


def has_groups(scope: Scope, clients: Clients) -> bool:
    """Whether a region has an Auto Scaling group of the cluster: one is up there."""
    groups = compute.KINDS[0]
    return any(groups.find(clients.client(groups.service), scope))


def delete(
    scope: Scope,
    clients: Clients,
    *,
    deleted: Callable[[Left], None],
    seconds: float = SECONDS,
    quiet: float = QUIET_SECONDS,
) -> Sequence[Refused]:
    """Delete all of it, in several passes: some things hold others until they are gone.

    Args:
        scope: Whose things.
        clients: Where clients of AWS's services come from.
        deleted: Is told of each thing, once AWS has taken the call.
        seconds: How long in all, while something goes on ending.
        quiet: How long something is tried again while nothing else goes or ends. The network
            interfaces of a file system hold a network for a minute after it, and bear no tag.

    Returns:
        What is left, and why; nothing if all is gone.
    """
    end, still = time.monotonic() + seconds, time.monotonic() + quiet
    told: set[Left] = set()
    while True:
        seen = _pass(scope, clients)
        for left in seen.deleted:
            if left not in told:
                still = time.monotonic() + quiet
                deleted(left)
        told.update(seen.deleted)
        if not seen.there and not seen.refused:
            return ()
        if seen.ending:
            still = time.monotonic() + quiet
        if time.monotonic() > min(end, still):
            named = {each.left for each in seen.refused}
            silent = [each for each in seen.there if each not in named]
            return [*seen.refused, *(Refused(each, _ENDING) for each in silent)]
        time.sleep(min(PAUSE_SECONDS, quiet / 10))


def _pass(scope: Scope, clients: Clients) -> _Pass:
    """Delete what can be deleted now."""
    seen = _Pass()
    for kind in KINDS:
        client = clients.client(kind.service)
        for found in _look(kind, scope, clients, seen.refused):
            left = Left(kind.name, found.id)
            seen.there.append(left)
            if found.ending:
                seen.ending.append(left)
                continue
            try:
                kind.delete(client, found.id)
            except (BotoCoreError, ClientError, UnsuccessfulError) as error:
                # It may be held by something that has not ended yet, or have gone by itself: the
                # next pass looks again.
                seen.refused.append(Refused(left, str(error)))
                continue
            seen.deleted.append(left)
    return seen


def _look(kind: Kind, scope: Scope, clients: Clients, refused: list[Refused]) -> Iterator[Found]:
    """Yield what there is of a kind; that AWS does not let us look is a refusal too."""
    try:
        yield from list(kind.find(clients.client(kind.service), scope))
    except (BotoCoreError, ClientError) as error:
        refused.append(Refused(Left(kind.name, ALL), str(error)))
