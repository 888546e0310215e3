import math
from typing import Any

import pytest
from google.protobuf import struct_pb2

from engine.errors import EngineError
from engine.values import (
    ASSET_SIGNATURES,
    OUTPUT_SIGNATURE,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_SENTINEL,
    ResourceReference,
    Secret,
    annotate_secrets,
    from_wire,
    has_secret,
    has_unknown,
    redact,
    same,
    to_wire,
    unwrap,
)

EVERYTHING: dict[str, Any] = {
    "none": None,
    "yes": True,
    "five": 5,
    "half": 0.5,
    "text": "ü",
    "list": [1, [2], {}],
    "map": {"a": {"b": []}},
    "secret": Secret({"deep": [1]}),
    "unknown": UNKNOWN,
    "resource": ResourceReference("urn:pulumi:s::p::t::n", "id", "1.0.0"),
    "component": ResourceReference("urn:pulumi:s::p::t::c"),
    "new": ResourceReference("urn:pulumi:s::p::t::m", UNKNOWN),
}


def struct(value: dict[str, Any]) -> struct_pb2.Struct:
    result = struct_pb2.Struct()
    result.update(value)
    return result


def test_the_wire_gives_back_what_it_was_given() -> None:
    assert same(from_wire(to_wire(EVERYTHING)), EVERYTHING)


def test_whole_numbers_come_back_whole() -> None:
    got = from_wire(to_wire({"n": 5, "big": 2.0**60, "inf": math.inf}))
    assert [repr(value) for value in got.values()] == [repr(2.0**60), "inf", "5"]


def test_providers_without_secrets_or_references_get_plain_values() -> None:
    wire = to_wire(EVERYTHING, secrets=False, resources=False)
    got = from_wire(wire)
    assert got["secret"] == {"deep": [1]}
    assert got["resource"] == "id"
    assert got["component"] == "urn:pulumi:s::p::t::c"
    assert got["new"] is UNKNOWN


@pytest.mark.parametrize(
    "sentinel", [UNKNOWN_SENTINEL, "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2"], ids=["text", "list"]
)
def test_every_unknown_sentinel_is_unknown(sentinel: str) -> None:
    assert from_wire(struct({"a": sentinel})) == {"a": UNKNOWN}


def test_an_output_value_becomes_what_it_holds() -> None:
    def output(**fields: object) -> dict[str, Any]:
        return {SIGNATURE: OUTPUT_SIGNATURE, **fields}

    got = from_wire(
        struct({"a": output(value=1), "b": output(value=1, secret=True), "c": output()})
    )
    assert got == {"a": 1, "b": Secret(1), "c": UNKNOWN}


@pytest.mark.parametrize("signature", [*sorted(ASSET_SIGNATURES), "ffff"])
def test_what_is_not_supported_is_an_error(signature: str) -> None:
    with pytest.raises(EngineError):
        from_wire(struct({"a": {SIGNATURE: signature, "text": "x"}}))


def test_secrets_inside_secrets_are_one_secret() -> None:
    inner = to_wire({"a": Secret({"b": Secret("x")})})
    assert from_wire(inner) == {"a": Secret({"b": "x"})}


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        ([1], [1, 2], False),
        ({"a": [True]}, {"a": [1]}, False),
        (Secret(1), Secret(1), True),
        (Secret(1), 1, False),
        (UNKNOWN, UNKNOWN, True),
        (None, False, False),
    ],
)
def test_same(left: object, right: object, equal: bool) -> None:  # noqa: FBT001
    assert same(left, right) is equal
    assert same(right, left) is equal


def test_secrets_and_unknowns_are_found_anywhere() -> None:
    assert has_unknown({"a": [{"b": Secret([UNKNOWN])}]})
    assert has_unknown(ResourceReference("urn", UNKNOWN))
    assert has_secret([{"a": Secret(None)}])
    assert not has_secret({"a": [UNKNOWN]})
    assert unwrap({"a": [Secret({"b": 1})]}) == {"a": [{"b": 1}]}


def test_redact_hides_secrets_unless_told_otherwise() -> None:
    value = {"a": Secret({"b": 1}), "c": [UNKNOWN]}
    assert redact(value) == {"a": "[secret]", "c": ["[unknown]"]}
    assert redact(value, show_secrets=True)["a"] == {"b": 1}
    assert "1" not in repr(value["a"])


def test_outputs_of_secret_inputs_are_secret() -> None:
    inputs = {
        "a": Secret(1),
        "nested": {"b": Secret(2), "c": 3},
        "list": [Secret(1)],
        "gone": Secret(0),
    }
    outputs = {"a": 1, "nested": {"b": 2, "c": 3}, "list": [1], "other": 4}
    assert annotate_secrets(outputs, inputs) == {
        "a": Secret(1),
        "nested": {"b": Secret(2), "c": 3},
        "list": Secret([1]),
        "other": 4,
    }
