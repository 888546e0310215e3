"""What a row of the tables says: how things of one kind are found by tag, and how they go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

TAG = "dask-cluster"

Client = Any  # boto3 makes its classes at run time


@dataclass(frozen=True)
class Left:
    """Something that bears the cluster's tag.

    Attributes:
        kind: Such as ``security group``.
        id: Its id, name or ARN, as AWS takes it.
    """

    kind: str
    id: str


@dataclass(frozen=True)
class Kind:
    """A kind of thing.

    Attributes:
        name: For people.
        service: As boto3 names it.
        find: From a client and the cluster's name to ids.
        delete: Asks AWS to delete one; returns before it is gone.
    """

    name: str
    service: str
    find: Callable[[Client, str], Iterable[str]]
    delete: Callable[[Client, str], object]


def pages(client: Client, operation: str, key: str, **filters: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    """Yield all items of a listing, over all its pages."""
    if not client.can_paginate(operation):
        yield from getattr(client, operation)(**filters)[key]
        return
    for page in client.get_paginator(operation).paginate(**filters):
        yield from page[key]


def bears(tags: dict[str, str] | list[dict[str, str]], cluster: str) -> bool:
    """Whether tags, in either of the forms that AWS has, name this cluster."""
    if isinstance(tags, dict):
        return bool(tags.get(TAG) == cluster)
    return {"Key": TAG, "Value": cluster} in tags


def by_filter(operation: str, key: str, identifier: str) -> Callable[[Client, str], Iterator[str]]:
    """Return a finder for services that filter by tag themselves: EC2 and Auto Scaling."""

    def find(client: Client, cluster: str) -> Iterator[str]:
        filters = [{"Name": f"tag:{TAG}", "Values": [cluster]}]
        name = "Filter" if operation in _FILTER else "Filters"
        for item in pages(client, operation, key, **{name: filters}):
            yield item[identifier]

    return find


# Two operations of EC2 have the name of the parameter without its s.
_FILTER = frozenset({"describe_flow_logs", "describe_nat_gateways"})
