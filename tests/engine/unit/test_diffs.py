from engine.diffs import (
    INIT_ERROR_KEY,
    Diff,
    apply_replace_on_changes,
    changed_keys,
    changed_paths,
    describe,
    ignore_changes,
)
from engine.events import PropertyChange
from engine.values import UNKNOWN, Secret


def test_changed_keys_and_paths_look_through_secrets() -> None:
    old = {"a": Secret(1), "m": {"x": 1, "y": [1, 2]}, "gone": 1}
    new = {"a": 1, "m": {"x": 2, "y": [1, 3, 4]}, "new": 1}
    assert changed_keys(old, new) == ("m", "gone", "new")
    assert changed_paths(old, new) == ["m.x", "m.y[1]", "m.y[2]", "gone", "new"]


def test_ignored_changes_leave_the_given_inputs_alone() -> None:
    news = {"m": {"x": 2}}
    kept, failed = ignore_changes(news, {"m": {"x": 1}}, ["m.x", "l[0]"])
    assert (kept, failed) == ({"m": {"x": 1}}, [])
    assert news == {"m": {"x": 2}}


def test_replace_on_changes_names_keys_and_paths() -> None:
    diff = Diff(changes=True, changed_keys=("a", "m"), detailed={"a": False, "m.x": False})
    assert not apply_replace_on_changes(diff, ["b", "m.y"], init_errors=False).replaces
    by_path = apply_replace_on_changes(diff, ["m.x"], init_errors=False)
    assert by_path.replaces
    assert by_path.detailed == {"a": False, "m.x": True}
    assert apply_replace_on_changes(diff, ["a"], init_errors=False).replace_keys == ("a",)
    assert apply_replace_on_changes(diff, ["*"], init_errors=False).replace_keys == ("a", "m")


def test_without_changes_nothing_is_replaced_but_for_a_resource_that_never_got_ready() -> None:
    diff = Diff(changes=False)
    assert not apply_replace_on_changes(diff, ["*"], init_errors=False).replaces
    replaced = apply_replace_on_changes(diff, ["*"], init_errors=True)
    assert (replaced.replaces, replaced.replace_keys) == (True, (INIT_ERROR_KEY,))
    assert not apply_replace_on_changes(diff, ["a"], init_errors=True).replaces


def test_describe_hides_secrets_and_machinery() -> None:
    old = {"a": 1, "s": Secret(1), "same": Secret(2), "__provider": "x", "l": [1]}
    new = {"a": UNKNOWN, "s": Secret(3), "same": Secret(2), "__provider": "y", "l": [1, 2]}
    assert describe(old, new, diff=Diff(changes=True, replace_keys=("a",))) == (
        PropertyChange("a", "update", 1, "[unknown]", replaces=True),
        PropertyChange("s", "update", "[secret]", "[secret]"),
        PropertyChange("l[1]", "add", None, 2),
    )
