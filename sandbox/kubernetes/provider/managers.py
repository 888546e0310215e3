"""Who owns which field of an object: `metadata.managedFields`.

Follows `fixCSAFieldManagers` and `handleSSAIgnoreFields` in provider/pkg/await/await.go of
pulumi-kubernetes.
"""

import copy
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from engine.paths import Path, parse
from engine.values import Properties
from sandbox.kubernetes.provider.objects import annotation, at

CREATOR: Final = "pulumi-kubernetes"
"""The manager that a create names; the first update takes its fields over."""
_FIELD_MANAGER: Final = "pulumi.com/patchFieldManager"
# What plain `kubectl` commands and creates of Pulumi's own wrote is taken over, by first letters.
_TAKEN_OVER: Final = (
    ("kubectl", "Apply"),
    ("kubectl", "Update"),
    ("before-first-apply", "Update"),
    (CREATOR, "Update"),
    ("pulumi-resource-kubernetes", "Update"),
)


def chosen(inputs: Mapping[str, Any], recorded: str = "") -> str:
    """The manager's name: what an annotation says, else the recorded one, else a new one."""
    return annotation(inputs, _FIELD_MANAGER) or recorded or f"{CREATOR}-{secrets.token_hex(4)}"


def taken_over(live: Properties, manager: str) -> list[Properties] | None:
    """The entries once `manager` has what it takes over; None if there is nothing to take."""
    mine: Properties | None = None
    others, found = [], False
    for entry in managed(live):
        if (entry.get("manager"), entry.get("operation")) == (manager, "Apply"):
            mine = copy.deepcopy(entry)
    for entry in managed(live):
        if (entry.get("manager"), entry.get("operation")) == (manager, "Apply"):
            continue
        if not _matches(entry):
            others.append(entry)
            continue
        found = True
        if mine is None:
            mine = {**copy.deepcopy(entry), "manager": manager, "operation": "Apply"}
        else:
            mine["fieldsV1"] = _merged(mine.get("fieldsV1") or {}, entry.get("fieldsV1") or {})
    return [*others, mine] if found and mine else None


def managed(live: Properties) -> list[Properties]:
    """The entries of an object."""
    return at(live, "metadata", "managedFields") or []


def leave_alone(inputs: Properties, live: Properties, manager: str, ignored: Sequence[str]) -> None:
    """Change inputs so that applying them touches no ignored field, in place.

    A field that only others own is not sent, so it stays theirs. Any other is sent with the value
    that it has, because leaving out a field that one owns takes it away.
    """
    entries = managed(live)
    mine = [e.get("fieldsV1") or {} for e in entries if e.get("manager") == manager]
    theirs = [e.get("fieldsV1") or {} for e in entries if e.get("manager") != manager]
    for path in map(parse, ignored):
        if not all(isinstance(key, str) for key in path):
            continue  # as the real one, which looks into no list
        if _owned(theirs, path) and not _owned(mine, path):
            _drop(inputs, path)
            continue
        value = at(live, *map(str, path))
        if value is not None:
            _put(inputs, path, copy.deepcopy(value))


def _matches(entry: Properties) -> bool:
    name, operation = str(entry.get("manager")), entry.get("operation")
    return not entry.get("subresource") and any(
        name.startswith(first) and operation == which for first, which in _TAKEN_OVER
    )


def _merged(left: Properties, right: Properties) -> Properties:
    both = {**left}
    for key, value in right.items():
        both[key] = _merged(both.get(key) or {}, value or {})
    return both


def _owned(fields: list[Properties], path: Path) -> bool:
    return any(at(each, *(f"f:{key}" for key in path)) is not None for each in fields)


def _drop(obj: Properties, path: Path) -> None:
    parent = at(obj, *map(str, path[:-1]))
    if isinstance(parent, dict):
        parent.pop(path[-1], None)


def _put(obj: Properties, path: Path, value: Any) -> None:  # noqa: ANN401
    for key in path[:-1]:
        obj = obj.setdefault(str(key), {})
    obj[str(path[-1])] = value
