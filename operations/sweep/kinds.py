"""What a row of the tables says: how things of one kind are found by tag, and how they go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from botocore.exceptions import ClientError

from components.aws import CLUSTER_TAG
from operations.sweeping import Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


Client = Any  # boto3 makes its classes at run time
Tags: TypeAlias = "dict[str, str] | Iterable[dict[str, str]]"


@dataclass(frozen=True)
class Scope:
    """Whose things are looked for, and where.

    Attributes:
        cluster: The stack's name, the tag's value.
        region: The region.
        account: The account's number.
    """

    cluster: str
    region: str
    account: str

    @property
    def prefix(self) -> str:
        """What the names of the cluster's resources begin with, and another cluster's may too."""
        return f"dask-{self.cluster}-"


@dataclass(frozen=True)
class Kind:
    """A kind of thing.

    Attributes:
        name: For people.
        service: As boto3 names it.
        find: From a client and whose things are looked for to what there is.
        delete: Asks AWS to delete one; returns before it is gone.
    """

    name: str
    service: str
    find: Callable[[Client, Scope], Iterable[Found]]
    delete: Callable[[Client, str], object]


def is_gone(error: ClientError) -> bool:
    """Whether AWS says that there is no such thing (any more)."""
    code = str(error.response["Error"].get("Code", ""))
    # ssm:ListTagsForResource says InvalidResourceId of a parameter that is gone.
    return bool(re.search("NotFound|NoSuch|^InvalidResourceId$", code))


def pages(client: Client, operation: str, key: str, **filters: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    """Yield all items of a listing, over all its pages."""
    if not client.can_paginate(operation):
        yield from getattr(client, operation)(**filters).get(key, ())
        return
    for page in client.get_paginator(operation).paginate(**filters):
        yield from page.get(key, ())


def tag_filter(scope: Scope) -> list[dict[str, Any]]:
    """Return the filter of EC2's listings for a cluster's things."""
    return [{"Name": f"tag:{CLUSTER_TAG}", "Values": [scope.cluster]}]


def bears(tags: Tags, cluster: str) -> bool:
    """Whether tags, in either of the forms that AWS has, name this cluster."""
    return value_of(CLUSTER_TAG, tags) == cluster


def value_of(key: str, tags: Tags) -> str | None:
    """Return the value of a tag, None if there is none."""
    if isinstance(tags, dict):
        return tags.get(key)
    return next((tag["Value"] for tag in tags if tag["Key"] == key), None)


def tagged(call: Callable[..., Any], path: str, cluster: str, **where: str) -> bool:
    """Whether something bears the tag; not if it has gone since it was listed.

    Args:
        call: Asks AWS for its tags.
        path: Where in the answer they are, such as ``ResourceTagSet.Tags``.
        cluster: The tag's value.
        where: Parameters of the call.
    """
    try:
        found = call(**where)
    except ClientError as error:
        if is_gone(error):
            return False
        raise
    for key in path.split("."):
        found = found.get(key, {})
    return bears(found, cluster)


def by_filter(
    operation: str,
    key: str,
    identifier: str,
    *,
    ending: Callable[[dict[str, Any]], bool] = lambda _item: False,
    gone: Callable[[dict[str, Any]], bool] = lambda _item: False,
    filters: str = "Filters",
) -> Callable[[Client, Scope], Iterator[Found]]:
    """Return a finder for services that filter by tag themselves: EC2 and Auto Scaling.

    Args:
        operation: The listing.
        key: Where in its answer the items are.
        identifier: Where in an item its id is.
        ending: Whether an item has been told to go.
        gone: Whether an item is only listed for a while after its end, or no thing of its own.
        filters: The listing's name for its filters.
    """

    def find(client: Client, scope: Scope) -> Iterator[Found]:
        for item in pages(client, operation, key, **{filters: tag_filter(scope)}):
            # Not every AWS that answers knows every filter: the tag itself decides.
            if bears(item.get("Tags", ()), scope.cluster) and not gone(item):
                yield Found(item[identifier], ending(item))

    return find
