"""What a case says of a resource type: inputs before and after, and what AWS then has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json = dict[str, Any]
Value: TypeAlias = Any
"""Whatever JSON or a protobuf message can hold."""


@dataclass(frozen=True)
class Call:
    """A call of boto3; `${name.output}` in texts is the output of a resource of the program."""

    service: str
    operation: str
    params: Json
    path: str = "@"
    """What of the answer is compared, in JMESPath."""


@dataclass(frozen=True)
class Case:
    """One resource through its life.

    Attributes:
        name: Its name in the program.
        kind: Its class in pulumi_aws.
        first: The inputs that it begins with, in the SDK's notation.
        has: What AWS then has, at `look`.
        look: How that is asked.
        then: The inputs that change in place; None takes one away.
        had: What of `has` is then different.
        by_hand: A change that somebody makes past Pulumi.
        seen: The inputs at which a refresh sees it, in Pulumi's notation.
        replacing: For each input that replaces, another value for it, in Pulumi's notation.
        unknown: The outputs that a preview of `then` cannot know.
        by_others: Outputs that other resources change, such as a count of attachments.
    """

    name: str
    kind: str
    first: Json
    look: Call
    has: Any
    then: Json = field(default_factory=dict)
    had: Json = field(default_factory=dict)
    by_hand: tuple[Call, ...] = ()
    seen: tuple[str, ...] = ()
    replacing: Json = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    by_others: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name
