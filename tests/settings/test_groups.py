"""Groups of workers: their names, and that each is a whole of its own."""

import json
import re
from typing import Any

import pytest

from components.settings import LocalSettings, LocalWorkerGroup, SettingsError, group_names, load

LEAST = {"dask-cluster:platform": "local", "dask-cluster:workers": "2"}
RIGHT = ["a", "gpu", "gpu1", "a-b-c", "a1-b2", "a-1a", "a--b", "workers", "scheduler-a", "a" * 20]
WRONG = [
    "", "A", "gPu", "1", "1a", "-a", "a-", "a_b", "a.b", "a b", "a/b", "é", "a\u0661", "a\n", "a-1",
    "a-12", "a-1-b", "a--1", "a-1-2", "worker", "scheduler", "a" * 21, "a-" * 10 + "a",
]  # fmt: skip


def groups(**members: Any) -> dict[str, str]:  # noqa: ANN401
    return LEAST | {"dask-cluster:groups": json.dumps(members)}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_name(name: str) -> None:
    assert group_names.wrong(name) is None
    assert re.search(group_names.PATTERN, name)
    settings = load(groups(**{name: {"workers": 1}}))
    assert list(settings.worker_groups) == ["worker", name]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_name(name: str) -> None:
    # In Python a `$` also matches before the last newline; not in JSON schema.
    assert not re.search(group_names.PATTERN.replace("$", r"\Z"), name)
    with pytest.raises(SettingsError) as caught:
        load(groups(**{name: {"workers": 1}}))
    assert [each.rule for each in caught.value.problems] == ["group_names_are_right"]


@pytest.mark.parametrize("name", WRONG)
def test_the_name_that_is_suggested_is_right(name: str) -> None:
    found = group_names.wrong(name)
    assert found is not None
    suggested = re.findall(r"for example `([^`]*)`", found[1])
    assert [group_names.wrong(each) for each in suggested] == [None]


def test_the_default_group_is_the_first_and_is_the_stack_itself() -> None:
    settings = load(groups(b={"workers": 1}, a={"workers": 3}))
    assert list(settings.worker_groups) == ["worker", "b", "a"]
    assert settings.worker_groups["worker"] is settings
    assert [each.workers for each in settings.worker_groups.values()] == [2, 1, 3]


def test_a_group_inherits_nothing() -> None:
    top = {
        "dask-cluster:maxWorkers": "5",
        "dask-cluster:threads": "4",
        "dask-cluster:processes": "2",
        "dask-cluster:memory": "3 GiB",
        "dask-cluster:resources": '{"disk": 2}',
    }
    assert load(groups(a={"workers": 1}) | top).groups == {"a": LocalWorkerGroup(workers=1)}


def test_a_group_is_split_over_its_processes() -> None:
    group = LocalWorkerGroup(workers=1, processes=2, threads=4, memory=2**30, resources={"GPU": 2})
    assert group.layout.processes == group.layout.threads == 2
    assert group.layout.memory == 2**29
    assert group.layout.resources == {"GPU": 1.0}


def test_as_many_as_there_can_be() -> None:
    assert LocalWorkerGroup(workers=2).most_workers == 2
    assert LocalWorkerGroup(workers=0, max_workers=3).most_workers == 3


def test_the_rules_hold_for_groups_made_by_hand() -> None:
    with pytest.raises(SettingsError, match=r"groups\.a\.threads +3 cannot be split"):
        LocalSettings(
            platform="local",
            workers=1,
            groups={"a": LocalWorkerGroup(workers=1, threads=3, processes=2)},
        )


@pytest.mark.parametrize(
    "value",
    [
        {"gpu": {"workers": 1, "resources": {"GPU": 1}}},
        {"gpu": {"workers": "1", "resources": '{"GPU": "1"}'}},
        {"gpu": '{"workers": 1, "resources": {"GPU": 1}}'},
    ],
)
def test_text_and_mappings_are_read_alike(value: Any) -> None:  # noqa: ANN401
    for written in (value, json.dumps(value)):
        found = load(LEAST | {"dask-cluster:groups": written})
        assert found.groups == {"gpu": LocalWorkerGroup(workers=1, resources={"GPU": 1})}


def test_two_stacks_share_no_groups() -> None:
    one, two = load(LEAST), load(LEAST)
    assert isinstance(one, LocalSettings)
    one.groups["a"] = LocalWorkerGroup(workers=1)
    assert two.groups == {}
