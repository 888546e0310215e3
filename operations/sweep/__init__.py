"""Find and delete, by its tag, what a cluster on AWS has left behind.

Everything of a cluster bears its tag from the call that makes it, so that what is left can be found
without any state. Two services take tags by a second call only, S3 and Route 53: of them the name
is enough for what has no tags yet. What can bear no tag (rules, routes, records, objects, inline
policies, hooks) goes with its owner.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from operations import aws, sweeping
from operations.sweep import compute, files, identities, network, services
from operations.sweep.kinds import Kind, Scope
from operations.sweeping import QUIET_SECONDS, SECONDS, Sort, UnsuccessfulError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from operations.aws import Clients
    from operations.sweeping import Found, Left, Refused

# In this order: what ends machines, what they hold, what they stand on.
KINDS = (*compute.KINDS, *services.KINDS, *identities.KINDS, *files.KINDS, *network.KINDS)


def scope_of(cluster: str, region: str, clients: Clients) -> Scope:
    """Ask AWS whose credentials these are.

    Raises:
        CommandError: They are nobody's, or AWS does not answer.
    """
    with aws.calling("asking for the account"):
        account = clients.client("sts").get_caller_identity()["Account"]
    return Scope(cluster, region, account)


def sorts_of(scope: Scope, clients: Clients) -> list[Sort]:
    """Return what there can be of a cluster, in the order in which it can be deleted."""
    return [
        Sort(
            kind.name,
            find=partial(_find, kind, scope, clients),
            delete=partial(_delete, kind, clients),
        )
        for kind in KINDS
    ]


def find(scope: Scope, clients: Clients) -> tuple[list[Left], list[Refused]]:
    """Look for everything that bears the cluster's tag; returns as `sweeping.find`."""
    return sweeping.find(sorts_of(scope, clients))


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
    """Delete all of it; arguments and result as of `sweeping.delete`.

    The network interfaces of a file system hold a network for a minute after it, and bear no tag:
    `quiet` is for them.
    """
    sorts = sorts_of(scope, clients)
    return sweeping.delete(sorts, deleted=deleted, seconds=seconds, quiet=quiet)


def _find(kind: Kind, scope: Scope, clients: Clients) -> list[Found]:
    with _refusals():
        return list(kind.find(clients.client(kind.service), scope))


def _delete(kind: Kind, clients: Clients, identifier: str) -> Any:  # noqa: ANN401
    with _refusals():
        return kind.delete(clients.client(kind.service), identifier)


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise UnsuccessfulError(str(error)) from error
