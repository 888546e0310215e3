"""What stands beside the models, by hand or generated: stack files, Pulumi.yaml, schema, table."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.settings import (
    PLATFORMS,
    PROJECT,
    Change,
    LocalSettings,
    WorkerGroup,
    document,
    load_file,
)
from components.settings.__main__ import write
from components.settings.keys import key_of
from components.settings.problems import SettingsError

ROOT = Path(__file__).resolve().parents[2]
STACKS = ROOT / "stacks"
HERE = Path(__file__).parent
RENEW = "stale: run `python -m components.settings --write`"

SHIPPED = {
    "local": {
        "platform": "local",
        "workers": 2,
        "max_workers": None,
        "threads": 1,
        "processes": 1,
        "memory": 2**30,
        "resources": {},
        "groups": {},
        "scheduler_port": 8786,
        "dashboard_port": 8787,
        "lifetime": None,
        "drain_timeout": 900.0,
        "idle_stop": None,
        "no_client_stop": None,
        "dask": {},
        "packages": (),
    },
}


def test_every_shipped_stack_file_gives_this_model() -> None:
    found = {
        path.name.split(".")[1]: load_file(path).model_dump()
        for path in STACKS.glob("Pulumi.*.yaml")
    }
    assert found == SHIPPED


def test_shipped_stack_files_begin_with_the_schema_for_editors() -> None:
    for path in STACKS.glob("Pulumi.*.yaml"):
        first = path.read_text().splitlines()[0]
        assert first == "# yaml-language-server: $schema=schema.json"
        assert "secure:" not in path.read_text()


def test_pulumi_yaml_is_exactly_this() -> None:
    """Pulumi ignores a misspelled key: `stackConfigDirs` would give every stack an empty file."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    described = document.schema()["definitions"]
    declared = project.pop("config")
    assert project.pop("description")
    assert project == {
        "name": PROJECT,
        "runtime": {"name": "python", "options": {"toolchain": "uv", "virtualenv": ".venv"}},
        "stackConfigDir": "stacks",
        "options": {"refresh": "always"},
    }
    assert {key: value["type"] for key, value in declared.items()} == {
        "platform": "string",
        "workers": "integer",
    }
    for key, value in declared.items():
        assert set(value) == {"type", "description"}
        assert described[key]["description"].startswith(value["description"])


def test_the_keys_that_pulumi_requires_are_those_of_the_model() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    for model in PLATFORMS.values():
        required = {key for key, field in model.model_fields.items() if field.is_required()}
        assert required == set(project["config"])


def test_the_schema_is_not_stale() -> None:
    assert (STACKS / "schema.json").read_text() == document.schema_text(), RENEW


def test_the_readme_is_not_stale() -> None:
    text = (STACKS / "README.md").read_text()
    assert document.with_table(text) == text, RENEW


def test_write_renews_both(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"a\n{document.BEGIN}\nold\n{document.END}\nz\n")
    write(tmp_path)
    text = (tmp_path / "README.md").read_text()
    made = f"{document.table()}\n{document.group_keys()}"
    assert text == f"a\n{document.BEGIN}\n\n{made}\n{document.END}\nz\n"
    assert (tmp_path / "schema.json").read_text() == document.schema_text()


def test_a_readme_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="needs these two lines"):
        document.with_table(document.BEGIN)


def test_the_table_says_what_changing_a_key_does() -> None:
    rows = [line.strip("| ").split(" | ") for line in document.table().splitlines()[2:]]
    assert {row[0].strip("`"): Change(row[3]) for row in rows} == {
        "platform": Change.REPLACES_EVERYTHING,
        "workers": Change.IN_PLACE,
        "maxWorkers": Change.IN_PLACE,
        "threads": Change.ROLLS_WORKERS,
        "processes": Change.ROLLS_WORKERS,
        "memory": Change.ROLLS_WORKERS,
        "resources": Change.ROLLS_WORKERS,
        "groups": Change.IN_PLACE,
        "schedulerPort": Change.REPLACES_SCHEDULER,
        "dashboardPort": Change.REPLACES_SCHEDULER,
        "lifetime": Change.ROLLS_WORKERS,
        "drainTimeout": Change.ROLLS_WORKERS,
        "idleStop": Change.IN_PLACE,
        "noClientStop": Change.IN_PLACE,
        "dask": Change.REPLACES_SCHEDULER,
        "packages": Change.REPLACES_SCHEDULER,
    }


def test_the_readme_lists_the_keys_of_a_group() -> None:
    keys = ["workers", "maxWorkers", "threads", "processes", "memory", "resources"]
    assert [key_of(name) for name in WorkerGroup.model_fields] == keys
    listed = document.group_keys().partition(" keys ")[2].partition(".")[0]
    assert re.findall(r"`(\w+)`", listed) == keys
    assert re.findall(r"`(\w+)` \(required\)", listed) == ["workers"]


def test_the_keys_of_a_group_are_described_as_those_at_the_top() -> None:
    for name, field in WorkerGroup.model_fields.items():
        top = LocalSettings.model_fields[name]
        assert (top.description, top.annotation) == (field.description, field.annotation), name
        assert document.schema()["definitions"]["WorkerGroup"]["properties"][key_of(name)] == {
            "$ref": f"#/definitions/{key_of(name)}"
        }


def described() -> dict[str, Any]:
    """What the schema says of each key."""
    definitions = document.schema()["definitions"]
    return {key: definitions[key] for key in map(key_of, LocalSettings.model_fields)}


def test_the_defaults_that_are_shown_are_the_models(tmp_path: Path) -> None:
    shown = {key: value["default"] for key, value in described().items() if "default" in value}
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text(yaml.safe_dump({"config": {"platform": "local", "workers": 2} | shown}))
    assert load_file(path) == LocalSettings(platform="local", workers=2)
    fields = LocalSettings.model_fields.values()
    unset = [each for each in fields if each.is_required() or each.get_default() is None]
    assert len(shown) == len(fields) - len(unset)


def test_the_examples_in_the_schema_are_right(tmp_path: Path) -> None:
    for key, value in described().items():
        path = tmp_path / "Pulumi.x.yaml"
        least: dict[str, Any] = {"platform": "local", "workers": 2, "threads": 2}
        path.write_text(yaml.safe_dump({"config": least | {key: value["examples"][0]}}))
        assert load_file(path).workers == 2


# The part of JSON schema that is used, small enough to be read: no reader of it is installed.

TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: TYPES["number"](value) and float(value).is_integer(),
}
NOTES = {"$schema", "title", "description", "examples", "default", "definitions"}


def matches(schema: Any, value: Any, root: Any) -> bool:  # noqa: ANN401
    if isinstance(schema, bool):
        return schema
    if "$ref" in schema:
        return matches(root["definitions"][schema["$ref"].split("/")[-1]], value, root)
    return all(keyword in NOTES or all(_checks(keyword, schema, value, root)) for keyword in schema)


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
        case "not":
            yield not matches(wanted, value, root)
        case _:
            raise AssertionError(f"a keyword that this test does not know: {keyword}")


# Between two keys, or about Dask's configuration: more than the schema says.
BEYOND_THE_SCHEMA = {
    "dask-dotted",
    "dask-misspelled",
    "dask-not-plain",
    "dask-reserved",
    "dask-section-wiped-out",
    "dask-spelled-twice",
    "drain-timeout-too-long-in-words",
    "group-inherits-nothing",
    "lifetime-too-short",
    "max-workers-less-than-workers",
    "memory-too-little-per-process",
    "other-namespace-near",
    "packages-twice",
    "ports-of-workers",
    "ports-the-same",
    "resources-not-split",
    "threads-not-split",
    "too-many-at-the-most",
    "too-many-for-one-machine",
    "too-many-in-a-group",
    "too-many-in-all-groups",
    "too-many-processes-for-one-machine",
}
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
        assert accepts(path) == (path.stem in BEYOND_THE_SCHEMA)
