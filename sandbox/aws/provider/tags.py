"""Tags: the provider's and the resource's own, in the form of each service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.aws.provider.fields import plain_text

Tags = dict[str, str]


@dataclass(frozen=True)
class TagForm:
    """How one service takes tags.

    Attributes:
        kind: What EC2 calls the resource, where tags come as specifications; else empty.
        on_create: Parameter of the create call that takes them; empty if that call takes none.
        write: Operation, its other parameters and the parameter for the tags.
        erase: The same for taking tags off, with the parameter for the keys.
        read: Operation, parameters and where in the answer they are, if not in the resource itself.
        as_map: Whether the service writes tags as a map instead of pairs.
    """

    write: tuple[str, Mapping[str, Any], str]
    erase: tuple[str, Mapping[str, Any], str]
    kind: str = ""
    on_create: str = "Tags"
    read: tuple[str, Mapping[str, Any], str] | None = None
    as_map: bool = False
    inside: str = field(default="Tags")

    def form(self, tags: Mapping[str, str]) -> Any:  # noqa: ANN401 - a list or a map
        """Tags as the service writes them."""
        return dict(tags) if self.as_map else pairs(tags)

    def for_create(self, tags: Mapping[str, str]) -> dict[str, Any]:
        """The parameter of the create call."""
        if not self.on_create or not tags:
            return {}
        if self.kind:
            return {self.on_create: [{"ResourceType": self.kind, "Tags": pairs(tags)}]}
        return {self.on_create: self.form(tags)}


def ec2(kind: str) -> TagForm:
    """Tags of an EC2 resource."""
    return TagForm(
        write=("create_tags", {"Resources": ["{id}"]}, "Tags"),
        erase=("delete_tags", {"Resources": ["{id}"]}, "Tags"),
        kind=kind,
        on_create="TagSpecifications",
    )


def by_arn(where: Mapping[str, Any], *, keys: str = "TagKeys", **more: Any) -> TagForm:  # noqa: ANN401
    """Tags of a service with `TagResource` and `UntagResource`."""
    on_create = more.get("on_create", "Tags")
    return TagForm(
        write=("tag_resource", where, on_create or "Tags"),
        erase=("untag_resource", where, keys),
        **more,
    )


def pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as most services write them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def unpaired(found: Any) -> Tags:  # noqa: ANN401 - a list of pairs or a map
    """Tags of an answer; AWS's own (`aws:`) are nobody's business."""
    items = found.items() if isinstance(found, Mapping) else ((t["Key"], t["Value"]) for t in found)
    return {key: value for key, value in items if not key.startswith("aws:")}


def all_tags(defaults: Mapping[str, str], own: Mapping[str, Any] | None) -> Tags:
    """What a resource is to have: the provider's tags, and its own on top."""
    return {**defaults, **{key: plain_text(value) for key, value in (own or {}).items()}}


def own_tags(defaults: Mapping[str, str], found: Tags, before: Mapping[str, Any] | None) -> Tags:
    """The part of a resource's tags that is its own.

    A tag that both the provider and the resource ask for with one value stays the resource's.
    """
    kept = before or {}
    return {k: v for k, v in found.items() if defaults.get(k) != v or k in kept}
