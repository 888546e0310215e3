"""What Pulumi hands over, the models themselves, and what loading must not do."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pydantic
import pytest

from components.settings import (
    Layout,
    LocalSettings,
    Problem,
    Settings,
    SettingsError,
    load,
    load_file,
    ports,
)
from components.settings.model import key_of

ROOT = Path(__file__).resolve().parents[2]
LEAST = {"dask-cluster:platform": "local", "dask-cluster:workers": "2"}


def test_other_namespaces_are_left_alone() -> None:
    others = {"aws:region": "x", "pulumi:autonaming": "{", "dask:workers": "9", "kubernetes:a": "b"}
    assert load(LEAST | others) == load(LEAST)


def test_the_project_may_have_another_name() -> None:
    renamed = {key.replace("dask-cluster", "mine"): value for key, value in LEAST.items()}
    assert load(renamed, project="mine") == load(LEAST)


@pytest.mark.parametrize(
    ("empty", "key"),
    [
        ("", "dask"),
        ("null", "lifetime"),
        ("null", "packages"),
        ("null", "groups"),
        ("", "groups"),
        ("", "maxWorkers"),
        ("null", "maxWorkers"),
        ("null", "idleStop"),
        ("", "noClientStop"),
    ],
)
def test_nothing_is_the_default(empty: str, key: str) -> None:
    assert load(LEAST | {f"dask-cluster:{key}": empty}) == load(LEAST)


SECRET = "hunter2-is-not-shown"  # noqa: S105 - nobody's


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("memory", SECRET),
        ("platform", SECRET),
        ("workers", SECRET),
        ("lifetime", SECRET),
        ("resources", f'{{"{SECRET} ": 1}}'),
        ("resources", SECRET),
        ("dask", f'{{"a.{SECRET}": 1}}'),
        ("dask", f'{{"distributed": {{"comm": "{SECRET}"}}}}'),
        ("packages", f'["{SECRET}"]'),
        ("maxWorkers", SECRET),
        ("drainTimeout", SECRET),
        ("idleStop", SECRET),
        ("noClientStop", SECRET),
        ("groups", SECRET),
        ("groups", f'{{"{SECRET} ": {{"workers": 1}}}}'),
        ("groups", f'{{"{SECRET}": {{}}}}'),
        ("groups", f'{{"{SECRET}": {{"workers": 1, "threads": 3, "processes": 2}}}}'),
        ("groups", f'{{"gpu": {{"workers": "{SECRET}"}}}}'),
        ("groups", f'{{"gpu": {{"workers": 1, "{SECRET}": 1}}}}'),
    ],
)
def test_a_secret_is_named_and_not_shown(key: str, value: str) -> None:
    full = f"dask-cluster:{key}"
    with pytest.raises(SettingsError) as caught:
        load(LEAST | {full: value}, secret_keys=[full])
    assert SECRET not in str(caught.value)
    assert [each.key for each in caught.value.problems] == [key]


def test_a_rule_does_not_show_the_secret_of_another_key() -> None:
    wrong = {
        "dask-cluster:threads": "3",
        "dask-cluster:processes": "734",
        "dask-cluster:memory": "4 TiB",
    }
    with pytest.raises(SettingsError) as caught:
        load(LEAST | wrong, secret_keys=["dask-cluster:processes"])
    assert "734" not in str(caught.value)
    assert {each.key for each in caught.value.problems} == {"threads", "workers"}


def test_a_groups_own_problem_is_told_though_a_key_at_the_top_is_secret() -> None:
    wrong = {
        "dask-cluster:processes": "1",
        "dask-cluster:groups": '{"gpu": {"workers": 1, "threads": 3, "processes": 2}}',
    }
    with pytest.raises(SettingsError, match=r"groups\.gpu\.threads +3 cannot be split over 2"):
        load(LEAST | wrong, secret_keys=["dask-cluster:processes"])


def test_a_rule_does_not_show_a_secret_group_in_a_key_at_the_top() -> None:
    wrong = {"dask-cluster:workers": "80", "dask-cluster:groups": '{"gpu": {"workers": 61}}'}
    with pytest.raises(SettingsError) as caught:
        load(LEAST | wrong, secret_keys=["dask-cluster:groups"])
    assert "61" not in str(caught.value)
    assert "141" not in str(caught.value)


def test_a_secret_key_that_is_unknown_is_still_explained() -> None:
    with pytest.raises(SettingsError, match=r"wokers +unknown key\. Did you mean `workers`"):
        load(LEAST | {"dask-cluster:wokers": SECRET}, secret_keys=["dask-cluster:wokers"])


ODD: list[Any] = [
    None, True, 0, -1, 2.5, 10**20, float("nan"), float("-inf"), "", " ", "null", "[", "{}", "[]",
    "\0", "ä" * 5000, "9" * 5000, [], [None], [[]], {}, {"": None}, {"a": {"b": [{"c": set()}]}},
    {1: 2}, {"a.b": 1}, {"secure": "x"}, {"secure": {}}, b"x", {"x"}, ("a",), object(),
    {"a\n": {"b\n": 1}}, {1: {2: 3}}, {"a": {"": {}}}, {"a": {"workers": 1, "memory": set()}},
]  # fmt: skip


@pytest.mark.parametrize("key", [key_of(name) for name in LocalSettings.model_fields])
@pytest.mark.parametrize("value", ODD, ids=[f"odd{index}" for index in range(len(ODD))])
def test_no_value_breaks_the_reader(key: str, value: Any) -> None:  # noqa: ANN401
    """Whatever stands there, it is read or explained; every line is short and none is empty."""
    problems: tuple[Problem, ...] = ()
    try:
        load(LEAST | {f"dask-cluster:{key}": value})
    except SettingsError as error:
        problems = error.problems
    for each in problems:
        assert each.key.partition(".")[0].partition("[")[0] == key
        assert each.problem
        assert each.remedy.endswith((".", "?"))
        assert len(each.problem) < 120
        assert "\n" not in f"{each.key}{each.problem}{each.remedy}"


def test_a_worker_is_split_over_its_processes() -> None:
    settings = LocalSettings(
        platform="local",
        workers=3,
        processes=2,
        threads=4,
        memory=3 * 2**30 + 1,
        resources={"GPU": 2, "disk": 5e9},
    )
    assert settings.threads_per_process == 2
    assert settings.memory_per_process == 3 * 2**29
    assert settings.resources_per_process == {"GPU": 1.0, "disk": 2.5e9}
    expected = Layout(
        processes=2, threads=2, memory=3 * 2**29, resources={"GPU": 1.0, "disk": 2.5e9}
    )
    assert settings.layout == expected


def test_auto_is_resolved() -> None:
    settings = load(LEAST | {"dask-cluster:threads": "8", "dask-cluster:processes": "auto"})
    assert (settings.processes, settings.threads_per_process) == (4, 2)


def test_the_rules_hold_for_a_model_made_by_hand() -> None:
    with pytest.raises(SettingsError, match="cannot be split"):
        LocalSettings(platform="local", workers=1, threads=3, processes=2)


def test_settings_do_not_change() -> None:
    settings = load(LEAST)
    assert isinstance(settings, LocalSettings)
    assert isinstance(settings, Settings)
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        settings.workers = 3  # type: ignore[misc]


def test_two_stacks_share_no_default() -> None:
    one, two = load(LEAST), load(LEAST)
    one.dask["a"] = 1
    assert two.dask == {}


def test_the_ranges_of_ports_do_not_meet() -> None:
    ranges = list(ports.RANGES.values())
    assert len({port for each in ranges for port in each}) == 300
    assert {len(each) for each in ranges} == {ports.PROCESSES_ON_A_MACHINE}
    assert min(map(min, ranges)) == 9000
    assert max(map(max, ranges)) == 9299


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_loading_needs_neither_pulumi_nor_dask() -> None:
    code = (
        "import sys, components.settings;"
        "heavy = {'pulumi', 'dask', 'distributed', 'boto3', 'grpc', 'numpy', 'asyncio'};"
        "sys.exit(f'{heavy & set(sys.modules)}' if heavy & set(sys.modules) else 0)"
    )
    done = python("-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_checks_files() -> None:
    right = "stacks/Pulumi.local.yaml"
    wrong = "tests/settings/bad/everything.yaml"
    done = python("-m", "components.settings", right, wrong)
    assert done.returncode == 1
    assert done.stdout == f"{right}: right\n"
    assert done.stderr.startswith(f"{wrong}: 19 settings are wrong\n")
    with pytest.raises(SettingsError) as caught:
        load_file(ROOT / wrong)
    assert [line.split()[0] for line in done.stderr.splitlines()[1:]] == [
        each.key.split()[0] for each in caught.value.problems
    ]


def test_the_command_without_anything_to_do_says_how_to_use_it() -> None:
    done = python("-m", "components.settings")
    assert done.returncode == 2
    assert "usage:" in done.stderr
