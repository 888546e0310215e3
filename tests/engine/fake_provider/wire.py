"""Values as they travel: secrets and unknowns inside a Struct, and the same values for people."""

from __future__ import annotations

from typing import Any, TypeAlias

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct

Value: TypeAlias = Any
"""Whatever JSON can say."""

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the mark of a secret, not one
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

UNKNOWN_TO_PEOPLE = "<unknown>"


def from_struct(struct: Struct) -> dict[str, Any]:
    found = whole(MessageToDict(struct))
    assert isinstance(found, dict)
    return found


def to_struct(values: dict[str, Any]) -> Struct:
    return ParseDict(values, Struct())


def secret(value: Value) -> dict[str, Any]:
    return {SIGNATURE: SECRET, "value": value}


def whole(value: Value) -> Value:
    """A Struct knows only doubles; a whole number is shown as one again."""
    if isinstance(value, dict):
        return {key: whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [whole(each) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def bare(value: Value) -> Value:
    """The value without the marks of secrets."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return bare(value["value"])
        return {key: bare(each) for key, each in value.items()}
    if isinstance(value, list):
        return [bare(each) for each in value]
    return value


def readable(value: Value) -> Value:
    """The value as a test writes it: `{"secret": ...}` and `<unknown>`."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return {"secret": readable(value["value"])}
        return {key: readable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [readable(each) for each in value]
    return UNKNOWN_TO_PEOPLE if value == UNKNOWN else value
