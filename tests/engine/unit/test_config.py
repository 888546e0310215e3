from pathlib import Path
from typing import Any

import pytest

from engine.config import Config, resolve
from engine.crypter import Crypter
from engine.declarations import declarations
from engine.errors import EngineError
from engine.project import Project

PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"  # noqa: S105 - the name of a variable


def resolved(
    tmp_path: Path, declared: dict[str, Any], stack_file: str, **environment: str
) -> Config:
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text(stack_file)
    known = declarations("proj", declared, tmp_path / "Pulumi.yaml")
    return resolve("prod", "proj", known, path, environment or {"HOME": "/"})


def test_values_reach_the_program_as_text(tmp_path: Path) -> None:
    file = """
config:
  proj:text: hello
  number: 4
  proj:flag: true
  proj:word: yes
  proj:time: 12:30
  proj:list: [1, "a"]
  proj:map: {a: {b: ü}}
  proj:octal: 0777
  other:key: 1.5
"""
    config = resolved(tmp_path, {}, file)
    assert config.values == {
        "proj:text": "hello",
        "proj:number": "4",
        "proj:flag": "true",
        "proj:word": "yes",
        "proj:time": "12:30",
        "proj:list": '[1,"a"]',
        "proj:map": '{"a":{"b":"ü"}}',
        "proj:octal": "511",
        "other:key": "1.5",
    }
    assert config.of_package("other") == {"key": ("1.5", False)}
    assert set(config.of_package("pulumi-python")) == set(config.values)


def test_defaults_and_values_of_the_project_fill_in(tmp_path: Path) -> None:
    declared = {"a": {"type": "integer", "default": 3}, "b": "plain", "x:y": {"value": "z"}, "c": 1}
    config = resolved(tmp_path, declared, "config: {proj:c: 2}")
    assert config.values == {"proj:a": "3", "proj:b": "plain", "x:y": "z", "proj:c": "2"}


@pytest.mark.parametrize(
    ("declared", "file", "message"),
    [
        ({"text": {"type": "string"}}, "", "missing configuration value 'text'"),
        (
            {"c": {"type": "string"}, "a": {"type": "string"}, "b": {"type": "string"}},
            "",
            "missing configuration values 'a', 'b' and 'c'",
        ),
        ({"n": {"type": "integer"}}, "config: {proj:n: x}", "'n' must be of type 'integer'"),
        ({"n": {"type": "integer"}}, "config: {proj:n: 1.5}", "'n' must be of type 'integer'"),
        ({"n": {"type": "integer"}}, "config: {proj:n: true}", "'n' must be of type 'integer'"),
        ({"b": {"type": "boolean"}}, "config: {proj:b: yes}", "'b' must be of type 'boolean'"),
        (
            {"l": {"type": "array", "items": {"type": "string"}}},
            "config: {proj:l: [[1]]}",
            "'l' must be of type 'array<string>'",
        ),
        ({"o": {"type": "object"}}, "config: {proj:o: 1}", "'o' must be of type 'object'"),
        (
            {"t": {"type": "string", "secret": True}},
            "config: {proj:t: clear}",
            "'t' must be encrypted as it's secret",
        ),
    ],
)
def test_what_the_declared_types_refuse(
    tmp_path: Path, declared: dict[str, Any], file: str, message: str
) -> None:
    with pytest.raises(EngineError) as error:
        resolved(tmp_path, declared, file)
    assert str(error.value).startswith("validating stack config: Stack 'prod' ")
    assert str(error.value).endswith(message)


@pytest.mark.parametrize(
    "text", ["3", "'3'", "-4"], ids=["number", "text that reads as one", "negative"]
)
def test_what_an_integer_may_be(tmp_path: Path, text: str) -> None:
    declared = {"n": {"type": "integer"}}
    assert resolved(tmp_path, declared, f"config: {{proj:n: {text}}}").values["proj:n"]


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            {"workers": {"type": "integer", "default": "many"}},
            "configuration key 'workers' is not of the expected type 'integer'",
        ),
        ({"a": {"type": "number"}}, "#/config/a/type"),
        ({"a": {"type": "array"}}, "declares an array but does not specify"),
        ({"aws:region": {"type": "string"}}, "is not namespaced by the project"),
        ({"a": {"type": "string", "pattern": "x"}}, "unknown attribute 'pattern'"),
    ],
)
def test_declarations_that_pulumi_refuses(
    tmp_path: Path, declared: dict[str, Any], message: str
) -> None:
    with pytest.raises(EngineError, match="could not unmarshal") as error:
        declarations("proj", declared, tmp_path / "Pulumi.yaml")
    assert message in str(error.value)


def test_secure_values_are_decrypted_with_the_persons_passphrase(tmp_path: Path) -> None:
    crypter = Crypter("open sesame")
    file = f"""
encryptionsalt: {crypter.salt_line}
config:
  proj:token: {{secure: "{crypter.encrypt("s3cret")}"}}
  proj:map: {{deep: [{{secure: "{crypter.encrypt("x")}"}}]}}
  proj:open: 1
"""
    config = resolved(tmp_path, {}, file, **{PASSPHRASE: "open sesame"})
    assert config.values["proj:token"] == "s3cret"
    assert config.values["proj:map"] == '{"deep":["x"]}'
    assert config.secret_keys == {"proj:token", "proj:map"}
    with pytest.raises(EngineError, match="incorrect passphrase"):
        resolved(tmp_path, {}, file, **{PASSPHRASE: "wrong"})
    with pytest.raises(EngineError, match=PASSPHRASE):
        resolved(tmp_path, {}, file)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("config: [1]", "must be a map"),
        ("confg: {}", "unknown key 'confg'"),
        ("environment: [x]", "not supported"),
        ("config: {", "could not read"),
    ],
)
def test_stack_files_that_cannot_be_used(tmp_path: Path, file: str, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        resolved(tmp_path, {}, file)


def project(tmp_path: Path, text: str) -> Project:
    (tmp_path / "Pulumi.yaml").write_text(text)
    return Project.load(tmp_path)


def test_a_project_is_found_upwards(tmp_path: Path) -> None:
    project(tmp_path, "{name: proj, runtime: {name: python}, stackConfigDir: stacks}")
    below = tmp_path / "stacks" / "deep"
    below.mkdir(parents=True)
    found = Project.load(below)
    assert found.directory == tmp_path.resolve()
    assert found.stack_file("dev") == tmp_path.resolve() / "stacks" / "Pulumi.dev.yaml"
    assert not found.options.refresh


def test_options_and_plugins_of_a_project(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    found = project(
        tmp_path,
        "name: proj\nruntime: python\noptions: {refresh: always}\n"
        "plugins: {providers: [{name: fake, path: bin}]}\n",
    )
    assert found.options.refresh
    assert found.providers == {"fake": tmp_path.resolve() / "bin"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runtime: python", "missing a 'name' attribute"),
        ("{name: p, runtime: nodejs}", "runtime: python"),
        ("{name: p, runtime: python, stackConfigDirs: x}", "'stackConfigDirs'"),
        ("{name: p, runtime: python, options: {parallel: 2}}", "'parallel'"),
        ("{name: p, runtime: python, options: {refresh: never}}", "options.refresh"),
        ("{name: p, runtime: python, plugins: {analyzers: []}}", "plugins.analyzers"),
        (
            "{name: p, runtime: python, plugins: {providers: [{name: x, path: no}]}}",
            "not a directory",
        ),
        ("{name: p, runtime: python, config: a, stackConfigDir: b}", "Should not use both"),
    ],
)
def test_projects_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        project(tmp_path, text)


@pytest.mark.parametrize("name", ["", "a b", "../up", "..", "x" * 101])
def test_names_that_no_stack_may_have(tmp_path: Path, name: str) -> None:
    found = project(tmp_path, "{name: p, runtime: python}")
    with pytest.raises(EngineError, match="stack name"):
        found.check_stack_name(name)
