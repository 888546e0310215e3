"""What Pulumi hands over, the models themselves, and what loading must not do."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pydantic
import pytest

from components.settings import (
    Layout,
    LocalSettings,
    Settings,
    SettingsError,
    load,
    load_file,
    ports,
)

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


VM = {
    "dask-cluster:platform": "vm",
    "dask-cluster:workers": "2",
    "dask-cluster:region": "us-east-2",
    "dask-cluster:vpc": '{"zones": ["us-east-2a"]}',
    "dask-cluster:instanceTypes": '["m7i.large"]',
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("region", SECRET),
        ("vpc", SECRET),
        ("vpc", f'{{"zones": ["{SECRET}"]}}'),
        ("vpc", f'{{"{SECRET}": []}}'),
        ("vpc", '{"zones": ["ap-south-1a"]}'),
        ("instanceTypes", f'["{SECRET}"]'),
        ("spot", SECRET),
        ("network", SECRET),
        ("allowedCidrs", f'["{SECRET}"]'),
        ("readBuckets", f'["s3://{SECRET}"]'),
        ("efs", f'{{"mount": "{SECRET}"}}'),
        ("lustre", f'{{"{SECRET}": 1}}'),
        ("tags", f'{{"aws:{SECRET}": "x"}}'),
        ("tags", f'{{"x": "{SECRET}*"}}'),
        ("alarmEmails", f'["{SECRET}"]'),
    ],
)
def test_a_secret_key_of_the_vm_platform_is_named_and_not_shown(key: str, value: str) -> None:
    full = f"dask-cluster:{key}"
    with pytest.raises(SettingsError) as caught:
        load(VM | {full: value}, secret_keys=[full])
    assert SECRET not in str(caught.value)
    assert "ap-south-1" not in str(caught.value)
    assert {each.key for each in caught.value.problems} == {key}


@pytest.mark.parametrize("secret", ["vpc", "groups"])
def test_a_rule_about_a_group_and_the_stack_shows_neithers_secret(secret: str) -> None:
    group = {"workers": 1, "instanceTypes": ["m7i.large"], "placementGroup": True}
    wrong = {
        "dask-cluster:vpc": '{"zones": ["us-east-2a", "us-east-2b", "us-east-2c"]}',
        "dask-cluster:groups": json.dumps({"a": group}),
    }
    with pytest.raises(SettingsError, match="a secret is not shown") as caught:
        load(VM | wrong, secret_keys=[f"dask-cluster:{secret}"])
    assert "3 zones" not in str(caught.value)


def test_a_worker_is_split_over_its_processes() -> None:
    settings = LocalSettings(
        platform="local",
        workers=3,
        processes=2,
        threads=4,
        memory=3 * 2**30 + 1,
        resources={"GPU": 2, "disk": 5e9},
    )
    expected = Layout(
        processes=2, threads=2, memory=3 * 2**29, resources={"GPU": 1.0, "disk": 2.5e9}
    )
    assert settings.layout == expected


def test_auto_is_resolved() -> None:
    settings = load(LEAST | {"dask-cluster:threads": "8", "dask-cluster:processes": "auto"})
    assert settings.processes == "auto"
    assert (settings.layout.processes, settings.layout.threads) == (4, 2)


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
        "heavy = {'pulumi', 'dask', 'distributed', 'boto3', 'moto', 'grpc', 'numpy', 'asyncio'};"
        "sys.exit(f'{heavy & set(sys.modules)}' if heavy & set(sys.modules) else 0)"
    )
    done = python("-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_local_platform_does_not_read_the_table_of_instance_types() -> None:
    code = (
        "from components.settings import instance_types, load_file;"
        "load_file('stacks/Pulumi.local.yaml');"
        "assert instance_types._types.cache_info().misses == 0;"
        "load_file('stacks/Pulumi.dev.yaml');"
        "assert instance_types._types.cache_info().misses == 1"
    )
    done = python("-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_stack_file_of_any_platform_is_told_soon() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = python("-m", "components.settings", "tests/settings/bad/vm-every-value-wrong.yaml")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 1
    # Seconds of the processor: those of a clock are also those of whatever else runs here.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2


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
