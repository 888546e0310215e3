import copy
from typing import Any

import pytest

from engine import paths
from engine.errors import EngineError
from engine.values import Secret


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("root", ("root",)),
        ("root.nested", ("root", "nested")),
        ('root["nested"]', ("root", "nested")),
        ("root.double.nest", ("root", "double", "nest")),
        ("root.array[0].nested", ("root", "array", 0, "nested")),
        ("root[0][1]", ("root", 0, 1)),
        ('root["key with \\"escaped\\" quotes"]', ("root", 'key with "escaped" quotes')),
        ('["root.with.dots"].a', ("root.with.dots", "a")),
        ("root.*.x[*]", ("root", "*", "x", "*")),
        ("*", ("*",)),
        ("#initerror", ("#initerror",)),
    ],
)
def test_parse(text: str, path: paths.Path) -> None:
    assert paths.parse(text) == path
    assert paths.parse(paths.render(path)) == path


@pytest.mark.parametrize("text", ["a[", "a[b]", 'a["b', "a..b"])
def test_what_is_not_a_path(text: str) -> None:
    with pytest.raises(EngineError):
        paths.parse(text)


@pytest.mark.parametrize(
    ("outer", "inner", "contained"),
    [
        ("*", "anything", True),
        ("a", "a", True),
        ("a", "a.b[0]", True),
        ("a.b", "a", False),
        ("a[*].c", "a[3].c.d", True),
        ("a[0]", "a[1]", False),
        ("a", "ab", False),
    ],
)
def test_contains(outer: str, inner: str, contained: bool) -> None:  # noqa: FBT001
    assert paths.contains(paths.parse(outer), paths.parse(inner)) is contained


OLD: dict[str, Any] = {
    "a": 1,
    "m": {"x": 1, "y": 2},
    "l": [{"v": 1}, {"v": 2}],
    "s": Secret({"k": 1}),
}


@pytest.mark.parametrize(
    ("path", "new", "expected", "done"),
    [
        ("a", {"a": 2}, {"a": 1}, True),
        ("a", {}, {"a": 1}, True),
        ("b", {"b": 2}, {}, True),
        ("m.x", {"m": {"x": 9, "y": 9}}, {"m": {"x": 1, "y": 9}}, True),
        ("m.z", {"m": {"z": 9}}, {"m": {}}, True),
        ("m.x", {}, {}, False),
        ("m.*", {"m": {"x": 9, "z": 9}}, {"m": {"x": 1, "y": 2}}, True),
        ("l[1].v", {"l": [{"v": 7}, {"v": 8}]}, {"l": [{"v": 7}, {"v": 2}]}, True),
        ("l[*].v", {"l": [{"v": 7}, {"v": 8}]}, {"l": [{"v": 1}, {"v": 2}]}, True),
        ("l[2]", {"l": [0, 0, 0]}, {"l": [0, 0, 0]}, False),
        ("s.k", {"s": Secret({"k": 5})}, {"s": Secret({"k": 1})}, True),
        ("x.y", {"a": 1}, {"a": 1}, True),
    ],
)
def test_reset(path: str, new: dict[str, Any], expected: object, done: bool) -> None:  # noqa: FBT001
    new = copy.deepcopy(new)
    assert paths.reset(paths.parse(path), OLD, new) is done
    assert new == expected
