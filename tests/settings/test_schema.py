"""The schema for editors, held against every stack file of the fixtures."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.settings import document, load_file
from components.settings.problems import SettingsError

HERE = Path(__file__).parent

# The part of JSON schema that is used, small enough to be read: no reader of it is installed.

TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: TYPES["number"](value) and float(value).is_integer(),
}
NOTES = {"$schema", "title", "description", "examples", "default", "definitions"}
# Read together with another keyword.
TOGETHER = {"then"}


def matches(schema: Any, value: Any, root: Any) -> bool:  # noqa: ANN401
    if isinstance(schema, bool):
        return schema
    if "$ref" in schema:
        return matches(root["definitions"][schema["$ref"].split("/")[-1]], value, root)
    keywords = schema.keys() - NOTES - TOGETHER
    return all(all(_checks(keyword, schema, value, root)) for keyword in keywords)


def _checks(keyword: str, schema: Any, value: Any, root: Any) -> Iterator[bool]:  # noqa: ANN401, C901, PLR0912
    wanted = schema[keyword]
    mapping = value if isinstance(value, dict) else {}
    match keyword:
        case "type":
            yield TYPES[wanted](value)
        case "const" | "enum":
            yield value in (wanted if keyword == "enum" else [wanted])
        case "minimum":
            yield not TYPES["number"](value) or value >= wanted
        case "maximum":
            yield not TYPES["number"](value) or value <= wanted
        case "pattern":
            yield not isinstance(value, str) or re.search(wanted, value) is not None
        case "required":
            yield set(wanted) <= set(mapping)
        case "properties":
            yield all(matches(wanted[key], mapping[key], root) for key in wanted if key in mapping)
        case "patternProperties":
            for pattern, inner in wanted.items():
                yield all(
                    matches(inner, mapping[k], root) for k in mapping if re.search(pattern, k)
                )
        case "propertyNames":
            yield all(matches(wanted, key, root) for key in mapping)
        case "additionalProperties":
            patterns = schema.get("patternProperties", {})
            rest = set(mapping) - set(schema.get("properties", {}))
            rest = {key for key in rest if not any(re.search(each, key) for each in patterns)}
            yield all(matches(wanted, mapping[key], root) for key in rest)
        case "items":
            yield all(
                matches(wanted, each, root) for each in (value if isinstance(value, list) else [])
            )
        case "anyOf":
            yield any(matches(each, value, root) for each in wanted)
        case "oneOf":
            yield [matches(each, value, root) for each in wanted].count(True) == 1
        case "allOf":
            yield all(matches(each, value, root) for each in wanted)
        case "if":
            yield not matches(wanted, value, root) or matches(schema["then"], value, root)
        case "uniqueItems":
            yield not isinstance(value, list) or all(
                each not in value[:index] for index, each in enumerate(value)
            )
        case "minItems":
            yield not isinstance(value, list) or len(value) >= wanted
        case "maxItems":
            yield not isinstance(value, list) or len(value) <= wanted
        case "not":
            yield not matches(wanted, value, root)
        case _:
            raise AssertionError(f"a keyword that this test does not know: {keyword}")


# What the schema cannot say, beside what only rules between keys find.
BEYOND_THE_SCHEMA = {
    "drain-timeout-too-long-in-words",
    "lifetime-too-short",
    "other-namespace-near",
    "vm-gpu-types",
    "vm-types-wrong-and-processes-auto",
}
# What a rule finds, and the schema as well.
WITHIN_THE_SCHEMA = {"group-name-taken", "memory-too-little"}
NOT_YAML = {"key-twice", "not-yaml"}


def accepts(path: Path) -> bool:
    schema = document.schema()
    text = re.sub(r"\b012\b", "'012'", path.read_text())  # PyYAML reads 1.1 here
    return matches(schema, yaml.safe_load(text.replace("2:30", "'2:30'")), schema)


@pytest.mark.parametrize(
    "path", sorted((HERE / "valid").glob("*.yaml")), ids=lambda each: each.stem
)
def test_the_schema_accepts_right_files(path: Path) -> None:
    assert accepts(path)


@pytest.mark.parametrize("path", sorted((HERE / "bad").glob("*.yaml")), ids=lambda each: each.stem)
def test_the_schema_refuses_wrong_files(path: Path) -> None:
    if path.stem in NOT_YAML:
        with pytest.raises(SettingsError, match="line"):
            load_file(path)
    else:
        with pytest.raises(SettingsError) as caught:
            load_file(path)
        beyond = all(each.rule for each in caught.value.problems)
        exceptions = BEYOND_THE_SCHEMA | WITHIN_THE_SCHEMA
        assert accepts(path) == (beyond != (path.stem in exceptions))
