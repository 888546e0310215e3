"""Whatever stands in a stack file, it is read or explained."""

from typing import Any

import pytest

from components.settings import PLATFORMS, Problem, SettingsError, load
from components.settings.keys import key_of

LEAST = {"dask-cluster:platform": "local", "dask-cluster:workers": "2"}
VM = {
    "dask-cluster:platform": "vm",
    "dask-cluster:workers": "2",
    "dask-cluster:region": "us-east-2",
    "dask-cluster:vpc": '{"zones": ["us-east-2a"]}',
    "dask-cluster:instanceTypes": '["m7i.large"]',
}

ODD: list[Any] = [
    None, True, 0, -1, 2.5, 10**20, float("nan"), float("-inf"), "", " ", "null", "[", "{}", "[]",
    "\0", "ä" * 5000, "9" * 5000, [], [None], [[]], {}, {"": None}, {"a": {"b": [{"c": set()}]}},
    {1: 2}, {"a.b": 1}, {"secure": "x"}, {"secure": {}}, b"x", {"x"}, ("a",), object(),
    {"a\n": {"b\n": 1}}, {1: {2: 3}}, {"a": {"": {}}}, {"a": {"workers": 1, "memory": set()}},
]  # fmt: skip


@pytest.mark.parametrize(
    ("platform", "key"),
    [(name, key_of(field)) for name, model in PLATFORMS.items() for field in model.model_fields],
)
def test_no_value_breaks_the_reader(platform: str, key: str) -> None:
    """Every line is short and none is empty."""
    for value in ODD:
        problems: tuple[Problem, ...] = ()
        try:
            load((VM if platform == "vm" else LEAST) | {f"dask-cluster:{key}": value})
        except SettingsError as error:
            problems = error.problems
        for each in problems:
            assert each.key.partition(".")[0].partition("[")[0] == key or each.rule, value
            assert each.problem, value
            assert each.remedy.endswith((".", "?")), value
            assert len(each.problem) < 120, value
            assert "\n" not in f"{each.key}{each.problem}{each.remedy}", value
