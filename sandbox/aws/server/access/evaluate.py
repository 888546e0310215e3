"""Policies of IAM: whether a document allows or denies what a call needs.

Only what is sure is decided: an element, operator, key or variable that is not known here is an
error, for a guess would let a program pass that fails on AWS, or the other way round.
"""

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

Decision: TypeAlias = Literal["Allow", "Deny"]
# One value, or all of a key that can have several; None: the request does not have the key.
Value: TypeAlias = str | tuple[str, ...] | None
Document: TypeAlias = list[dict[str, Any]]

VERSION: Final = "2012-10-17"
TAG_KEY: Final = "aws:resourcetag/"
_ELEMENTS: Final = frozenset({"Sid", "Effect", "Action", "Resource", "Condition"})
_EVERYBODY: Final = ("*", {"AWS": "*"}, {"AWS": ["*"]})
_SETS: Final = ("ForAllValues", "ForAnyValue")
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")


class UnknownPolicyError(Exception):
    """A policy, or a request, has something that the sandbox does not know."""


@dataclass(frozen=True)
class Need:
    """One right that a call needs.

    Attributes:
        action: Such as ``s3:GetObject``.
        resource: An ARN; ``*`` for an action that takes no resource.
        keys: Condition keys of the request, by their names in lower case.
        tags: Of the resource; None if the sandbox does not know them.
        shown: The resource as a refusal names it, if not by the ARN.
    """

    action: str
    resource: str = "*"
    keys: Mapping[str, Value] = field(default_factory=dict)
    tags: Mapping[str, str] | None = None
    shown: str = ""


def decide(document: str, need: Need, *, of_resource: bool = False) -> Decision | None:
    """Weigh a policy.

    Args:
        document: Its text.
        need: What is to be done.
        of_resource: Whether it is a resource's own policy, which says of whom it speaks.

    Returns:
        What it says; None if it says nothing of this.

    Raises:
        UnknownPolicyError: It cannot be decided.
    """
    effects: set[Decision] = {
        statement["Effect"]
        for statement in _statements(document, of_resource)
        if _applies(statement, need)
    }
    if "Deny" in effects:
        return "Deny"
    return "Allow" if effects else None


@functools.lru_cache(maxsize=256)
def _statements(document: str, of_resource: bool) -> Document:  # noqa: FBT001  (for the cache)
    policy = json.loads(document)
    if policy.get("Version") != VERSION:
        raise UnknownPolicyError(f"a policy of version {policy.get('Version')}, not {VERSION}")
    if unknown := sorted(policy.keys() - {"Version", "Id", "Statement"}):
        raise UnknownPolicyError(f"a policy with {', '.join(unknown)}")
    statements = _list(policy["Statement"])
    elements = _ELEMENTS | ({"Principal"} if of_resource else set())
    for statement in statements:
        if unknown := sorted(statement.keys() - elements):
            raise UnknownPolicyError(f"a policy's statement with {', '.join(unknown)}")
        if missing := sorted(elements - statement.keys() - {"Sid", "Condition"}):
            raise UnknownPolicyError(f"a policy's statement without {', '.join(missing)}")
        if statement["Effect"] not in {"Allow", "Deny"}:
            raise UnknownPolicyError(f"a policy's effect {statement['Effect']!r}")
        if of_resource and statement["Principal"] not in _EVERYBODY:
            raise UnknownPolicyError(f"a policy's principal {statement['Principal']!r}")
    return statements


def _applies(statement: Mapping[str, Any], need: Need) -> bool:
    action = any(
        _like(need.action.lower(), one.lower(), need.keys) for one in _list(statement["Action"])
    )
    return (
        action
        and any(_like(need.resource, one, need.keys) for one in _list(statement["Resource"]))
        and all(
            _holds(operator, key, _list(wanted), need)
            for operator, rows in statement.get("Condition", {}).items()
            for key, wanted in rows.items()
        )
    )


def _holds(operator: str, key: str, wanted: list[Any], need: Need) -> bool:
    """Tell whether one line of a condition holds."""
    of_set, _, name = operator.rpartition(":")
    kind, if_exists = name.removesuffix("IfExists"), name.endswith("IfExists")
    matches = _OPERATORS.get(kind)
    if matches is None or of_set not in {"", *_SETS}:
        raise UnknownPolicyError(f"the condition operator {operator}")
    value = _value(key, need)
    if value is None:
        # AWS: of no values all are as wanted.
        return if_exists or of_set == "ForAllValues"
    if not of_set and not isinstance(value, str):
        raise UnknownPolicyError(f"{operator} for {key}, which has several values: ForAllValues?")
    values = (value,) if isinstance(value, str) else value
    found = (any(matches(one, str(each), need.keys) for each in wanted) for one in values)
    return all(found) if of_set == "ForAllValues" else any(found)


def _value(key: str, need: Need) -> Value:
    name = key.lower()
    if name.startswith(TAG_KEY) and need.tags is not None:
        tags = {each.lower(): value for each, value in need.tags.items()}
        return tags.get(name.removeprefix(TAG_KEY))
    if name not in need.keys:
        raise UnknownPolicyError(f"the condition key {key} for {need.action}")
    return need.keys[name]


def _equals(value: str, wanted: str, keys: Mapping[str, Value]) -> bool:
    pattern = _pattern(wanted, keys, wild=False)
    return pattern is not None and re.fullmatch(pattern, value, re.DOTALL) is not None


def _like(value: str, wanted: str, keys: Mapping[str, Value]) -> bool:
    pattern = _pattern(wanted, keys)
    return pattern is not None and re.fullmatch(pattern, value, re.DOTALL) is not None


def _bool(value: str, wanted: str, _keys: Mapping[str, Value]) -> bool:
    return value.lower() == wanted.lower()


_OPERATORS: Final[Mapping[str, Callable[[str, str, Mapping[str, Value]], bool]]] = {
    "StringEquals": _equals,
    "StringLike": _like,
    "Bool": _bool,
}


def _pattern(text: str, keys: Mapping[str, Value], *, wild: bool = True) -> str | None:
    """Write a text with wildcards and variables as a regular expression.

    Returns:
        It; None if it has a variable that the request does not have: such a text matches nothing.
    """
    found = []
    for number, part in enumerate(_VARIABLE.split(text)):
        if number % 2:
            value = part if part in {"*", "?", "$"} else _variable(part, keys)
            if value is None:
                return None
            found.append(re.escape(value))
        else:
            plain = re.escape(part)
            found.append(plain.replace(r"\*", ".*").replace(r"\?", ".") if wild else plain)
    return "".join(found)


def _variable(name: str, keys: Mapping[str, Value]) -> str | None:
    if name.lower() not in keys:
        raise UnknownPolicyError(f"the policy variable ${{{name}}}")
    value = keys[name.lower()]
    if isinstance(value, tuple):
        raise UnknownPolicyError(f"the policy variable ${{{name}}}, which has several values")
    return value


def _list(value: Any) -> list[Any]:  # noqa: ANN401  (JSON)
    return value if isinstance(value, list) else [value]


def weigh(decisions: Iterable[Decision | None]) -> Decision | None:
    """Return what several policies say together: a denial is stronger than any number of others."""
    said = set(decisions)
    if "Deny" in said:
        return "Deny"
    return "Allow" if "Allow" in said else None
