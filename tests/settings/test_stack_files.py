"""Every stack file in the fixtures: a right one gives this model, a wrong one this text.

`valid/NAME.yaml` stands beside the model that it gives, `bad/FAULT.yaml` beside the error.
"""

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from components.settings import (
    PLATFORMS,
    PROJECT,
    Problem,
    Settings,
    SettingsError,
    load,
    load_file,
)
from components.settings.entries import part_of
from components.settings.keys import key_of
from components.settings.rules import RULES
from components.settings.stack_file import read

HERE = Path(__file__).parent
VALID = sorted((HERE / "valid").glob("*.yaml"))
BAD = sorted((HERE / "bad").glob("*.yaml"))
# What only a file can get wrong: Pulumi refuses it, or hands over something else.
ONLY_IN_A_FILE = {
    "both-spellings",
    "both-spellings-of-workers",
    "config-not-a-mapping",
    "dask-not-plain",
    "key-twice",
    "keys-outside-of-config",
    "memory-encrypted",
    "not-a-mapping",
    "not-yaml",
    "vm-region-encrypted",
}


def name(path: Path) -> str:
    return path.stem


def as_pulumi_hands_over(path: Path) -> dict[str, str]:
    config, _ = read(path, settings=())
    return {
        key if ":" in key else f"{PROJECT}:{key}": value
        if isinstance(value, str)
        else json.dumps(value)
        for key, value in config.items()
    }


@functools.cache
def problems_of(path: Path) -> tuple[Problem, ...]:
    with pytest.raises(SettingsError) as caught:
        load_file(path)
    return caught.value.problems


def test_the_fixtures_are_there() -> None:
    assert len(VALID) >= 19
    assert len(BAD) >= 150
    assert {name(each) for each in BAD} >= ONLY_IN_A_FILE


@pytest.mark.parametrize("path", VALID, ids=name)
def test_a_right_file_gives_this_model(path: Path) -> None:
    dump = load_file(path).model_dump(mode="json", by_alias=True)
    assert dump == json.loads(path.with_suffix(".json").read_text())


@pytest.mark.parametrize("path", VALID, ids=name)
def test_pulumis_text_gives_the_same_model(path: Path) -> None:
    assert load(as_pulumi_hands_over(path)) == load_file(path)


@pytest.mark.parametrize("path", BAD, ids=name)
def test_a_wrong_file_gives_this_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with pytest.raises(SettingsError) as caught:
        load_file(path.name)
    assert f"{caught.value}\n" == path.with_suffix(".txt").read_text()


@pytest.mark.parametrize(
    "path", [each for each in BAD if name(each) not in ONLY_IN_A_FILE], ids=name
)
def test_pulumis_text_gives_the_same_problems(path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(as_pulumi_hands_over(path))

    # The sentence may quote "2.5" where the file had 2.5.
    def core(problems: tuple[Problem, ...]) -> list[tuple[str, str, str]]:
        return [(each.key, each.remedy, each.rule) for each in problems]

    assert core(caught.value.problems) == core(problems_of(path))


def test_every_rule_is_reached_by_a_wrong_file() -> None:
    reached = {problem.rule for path in BAD for problem in problems_of(path)} - {""}
    assert reached == {rule.name for rule in RULES}


def test_every_rule_about_a_group_is_reached_at_the_top_and_in_a_group() -> None:
    problems = [problem for path in BAD for problem in problems_of(path)]
    for rule in RULES:
        if rule.per_group:
            keys = [each.key for each in problems if each.rule == rule.name]
            assert [each for each in keys if each.startswith("groups.gpu.")], rule.name
            assert [each for each in keys if not each.startswith("groups.")], rule.name


def meant(path: Path) -> str:
    """The platform of a wrong file, which may not even name it: the first word of its name."""
    word = name(path).partition("-")[0]
    return word if word in PLATFORMS else "local"


def platform_of(path: Path) -> str:
    config = {key.rpartition(":")[2]: each for key, each in read(path, settings=())[0].items()}
    return str(config.get("platform"))


@pytest.mark.parametrize(("platform", "model"), PLATFORMS.items())
def test_every_key_is_wrong_in_some_file_and_set_in_some_right_one(
    platform: str, model: type[Settings]
) -> None:
    keys = {key_of(each) for each in model.model_fields}
    bad = [each for each in BAD if meant(each) == platform]
    wrong = {problem.key for path in bad for problem in problems_of(path) if not problem.rule}
    assert {each.partition(".")[0].partition("[")[0] for each in wrong} >= keys
    in_groups = {key_of(each) for each in model.group_model.model_fields}
    named = {each.split(".")[2] for each in wrong if each.startswith("groups.gpu.")}
    assert {each.partition("[")[0] for each in named} >= in_groups
    parts = {key: part for key in keys if (part := part_of(model, key))}
    inner = {f"{key}.{key_of(n)}" for key, part in parts.items() for n in part.model_fields}
    assert {each.partition("[")[0] for each in wrong} >= inner
    used: set[str] = set()
    for path in VALID:
        if platform_of(path) == platform:
            config = {key.rpartition(":")[2]: v for key, v in read(path, settings=())[0].items()}
            used |= config.keys()
            used |= {f"{key}.{n}" for key in parts if key in config for n in opened(config[key])}
    assert used >= keys | inner


def opened(value: Any) -> dict[str, Any]:  # noqa: ANN401
    found = json.loads(value) if isinstance(value, str) else value
    return found or {}


def test_rules_look_at_fields_that_exist() -> None:
    for rule in RULES:
        for model in [PLATFORMS[rule.platform]] if rule.platform else PLATFORMS.values():
            in_groups, fields = set(model.group_model.model_fields), set(model.model_fields)
            assert rule.needs <= (in_groups if rule.per_group else fields), rule.name
            assert rule.of_groups <= in_groups, rule.name
            assert rule.of_stack <= fields, rule.name
        assert rule.check.__doc__, rule.name
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_passwords_in_addresses_are_never_repeated() -> None:
    texts = [each.read_text() for each in (HERE / "bad").glob("*.txt")]
    assert not [text for text in texts if "password" in text]


def test_a_missing_file_and_a_folder_are_settings_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "Pulumi.none.yaml", tmp_path):
        with pytest.raises(SettingsError, match="this file cannot be read") as caught:
            load_file(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\x00", b"config: {a: *b}", b"!!python/name:os.system x"]
)
def test_what_is_not_yaml_is_a_settings_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "Pulumi.x.yaml"
    path.write_bytes(data)
    with pytest.raises(SettingsError, match="this file cannot be read"):
        load_file(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2:30", "2:30"),
        ("no", "no"),
        ("2026-01-01", "2026-01-01"),
        ("012", "012"),
        ("1_000", "1_000"),
        ("null", None),
        ("True", True),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("+7", 7),
        ("'7'", "7"),
    ],
)
def test_yaml_is_read_as_1_2(tmp_path: Path, text: str, value: Any) -> None:  # noqa: ANN401
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text(f"config:\n  key: {text}\n")
    found = read(path, settings=())[0]["key"]
    assert found == value
    assert type(found) is type(value)


def test_anchors_and_merges_work(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.x.yaml"
    path.write_text("config:\n  a: &a {x: 1, y: 2}\n  b: {<<: *a, y: 3}\n")
    assert read(path, settings=())[0]["b"] == {"x": 1, "y": 3}
