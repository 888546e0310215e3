"""Every resource type: created, read back, changed in place, mended and deleted."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

import jmespath
import pytest

from engine.values import Secret, Unknown, from_wire, unwrap
from sandbox.aws.provider.rows import ROWS
from tests.sandbox.provider import wheel
from tests.sandbox.provider.life import CASES

if TYPE_CHECKING:
    from tests.sandbox.provider.cases.case import Case, Value
    from tests.sandbox.provider.life import Life
    from tests.sandbox.provider.plugin import Plugin

every = pytest.mark.parametrize("case", CASES, ids=str)
changing = pytest.mark.parametrize("case", [c for c in CASES if c.then], ids=str)
by_hand = pytest.mark.parametrize("case", [c for c in CASES if c.by_hand], ids=str)
CHOSEN = "__defaults"


def expected(case: Case, *, later: bool) -> Value:
    """What AWS is to have; a path in `had` goes into an object, `...` takes a key away."""
    wanted = copy.deepcopy(case.has)
    for path, value in case.had.items() if later else ():
        *parents, last = path.split(".")
        inner = jmespath.search(".".join(f'"{p}"' for p in parents) or "@", wanted)
        if value is ...:
            del inner[last]
        else:
            inner[last] = value
    return wanted


def same(found: Value, wanted: Value) -> bool:
    """Whether they are equal; JSON texts by their meaning."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.keys() == found.keys() and all(same(found[k], wanted[k]) for k in wanted)
    if isinstance(wanted, str) and wanted.startswith("{") and isinstance(found, str):
        return bool(json.loads(wanted) == json.loads(found))
    return bool(found == wanted)


def test_there_is_a_case_for_every_row() -> None:
    assert {wheel.token_of(case.kind) for case in CASES} == ROWS.keys()
    assert len({case.name for case in CASES}) == len(CASES) > 40


@every
def test_a_preview_creates_nothing_and_says_what_up_does(life: Life, case: Case) -> None:
    assert life.runs["plan first"].steps[case.name] == {"create"}
    assert life.runs["first"].steps[case.name] == {"create"}


@every
def test_aws_has_what_the_program_says(life: Life, case: Case) -> None:
    wanted = life.world.filled(expected(case, later=False), life.states["first"])
    found = life.aws["first"][case.name]
    assert same(found, wanted), f"{found} is not {wanted}"


@every
def test_every_output_of_the_wheel_is_there(life: Life, case: Case) -> None:
    outputs = life.states["first"][case.name].outputs
    names = wheel.outputs_of(case.kind)
    missing = sorted(name for name in names if name not in outputs)
    assert missing == []
    given = [name for name, value in life.states["first"][case.name].inputs.items() if value]
    assert [name for name in given if name not in outputs and name != CHOSEN] == []


@every
def test_a_second_up_changes_nothing(life: Life, case: Case) -> None:
    assert life.runs["first again"].steps[case.name] == {"same"}
    assert life.runs["later again"].steps[case.name] == {"same"}


@every
def test_a_read_gives_the_inputs_back(life: Life, case: Case) -> None:
    before, after = life.states["first"][case.name], life.states["first again"][case.name]
    assert after.inputs == before.inputs
    assert after.outputs == before.outputs


@changing
def test_changes_are_made_in_place(life: Life, case: Case) -> None:
    before, after = life.states["first"][case.name], life.states["later"][case.name]
    assert life.runs["plan later"].steps[case.name] == {"update"}
    assert life.runs["later"].steps[case.name] == {"update"}
    assert life.runs["plan later"].paths[case.name] == life.runs["later"].paths[case.name]
    assert after.id == before.id
    wanted = life.world.filled(expected(case, later=True), life.states["later"])
    found = life.aws["later"][case.name]
    assert same(found, wanted), f"{found} is not {wanted}"


@every
def test_what_did_not_change_is_left_alone(life: Life, case: Case) -> None:
    if not case.then:
        assert life.runs["later"].steps[case.name] == {"same"}
    assert life.runs["plan later"].steps[case.name] == life.runs["later"].steps[case.name]


@changing
def test_a_preview_of_an_update_knows_what_it_can(life: Life, case: Case, plugin: Plugin) -> None:
    before, after = life.states["first"][case.name], life.states["later"][case.name]
    planned = plugin.preview(before, after.inputs)
    unknown = {name for name, value in planned.items() if isinstance(value, Unknown)}
    assert unknown == set(case.unknown)
    shown = {k: v for k, v in unwrap(planned).items() if k not in unknown}
    wanted = {k: v for k, v in unwrap(after.outputs).items() if k in shown}
    row = ROWS[wheel.token_of(case.kind)]
    for name in sorted(shown.keys() - set(case.by_others)):
        if name in row.fields and not row.fields[name].blocky:
            assert same(_plain(shown[name]), _plain(wanted[name])), name
        elif name not in row.fields:
            assert shown[name] == wanted[name], name


def _plain(value: Value) -> Value:
    return sorted(value, key=str) if isinstance(value, list) else value or ""


@by_hand
def test_a_refresh_sees_what_was_done_by_hand(life: Life, case: Case) -> None:
    assert life.runs["refresh"].found[case.name] == "update"
    seen = {path.split("[")[0] for path in life.runs["refresh"].paths[case.name]}
    assert {path.split("[")[0] for path in case.seen} <= seen


@every
def test_a_refresh_leaves_the_rest_alone(life: Life, case: Case) -> None:
    if not case.by_hand and case.name != "everything":
        assert life.runs["refresh"].found[case.name] == "same"


@every
def test_up_mends_it(life: Life, case: Case) -> None:
    wanted, found = life.aws["later"][case.name], life.aws["mend"][case.name]
    if case.name in {"template", "scheduler", "workers", "policy"}:
        # A new version is how these are mended.
        wanted, found = _without_versions(wanted), _without_versions(found)
    assert same(found, wanted)


def _without_versions(value: Value) -> Value:
    if isinstance(value, dict):
        return {k: _without_versions(v) for k, v in value.items() if k.lower() != "version"}
    return value


@every
def test_each_replacing_input_replaces(life: Life, case: Case, plugin: Plugin) -> None:
    state = life.states["first"][case.name]
    row = ROWS[wheel.token_of(case.kind)]
    fields = {name for name, spec in row.fields.items() if spec.replace and name != "region"}
    named = any(c.kind == case.kind and fields <= c.replacing.keys() for c in CASES)
    assert named, f"no case of {case.kind} has all of {sorted(fields)}"
    for name, value in case.replacing.items():
        assert value != unwrap(state.inputs).get(name)
        found = plugin.diff(state, {**unwrap(state.inputs), name: value})
        assert name in found.replaces, name
        assert found.detailedDiff[name].kind in {1, 3, 5}


@every
def test_another_region_replaces(life: Life, case: Case, plugin: Plugin) -> None:
    state = life.states["first"][case.name]
    regional = ROWS[wheel.token_of(case.kind)].regional
    _, faults = plugin.check(
        wheel.token_of(case.kind), {**unwrap(state.inputs), "region": "eu-west-1"}
    )
    if regional:
        found = plugin.diff(state, {**unwrap(state.inputs), "region": "eu-west-1"})
        assert list(found.replaces) == ["region"]
        assert faults == {}
    else:
        assert list(faults) == ["region"]


@changing
def test_an_ignored_change_is_none(life: Life, case: Case, plugin: Plugin) -> None:
    state, later = life.states["first"][case.name], life.states["later"][case.name]
    changed = plugin.diff(state, later.inputs)
    assert changed.diffs
    ignored = tuple(changed.diffs)
    assert plugin.diff(state, later.inputs, ignored[1:]).diffs == [ignored[0]]
    assert not plugin.diff(state, later.inputs, ignored).diffs


@every
def test_a_destroy_leaves_nothing(life: Life, case: Case, plugin: Plugin) -> None:
    assert life.left == []
    assert life.states["destroy"] == {}
    state = life.states["mend"][case.name]
    answer = plugin.read(state)
    assert answer.id == ""
    assert from_wire(answer.properties) == {}


@every
def test_deleting_what_is_gone_is_no_error(life: Life, case: Case, plugin: Plugin) -> None:
    plugin.delete(life.states["mend"][case.name])


def test_secrets_are_never_in_clear(life: Life) -> None:
    state = life.states["first"]["version"]
    assert isinstance(state.inputs["secretString"], Secret)
    assert isinstance(state.outputs["secretString"], Secret)
    assert isinstance(life.states["later"]["parameter"].outputs["value"], Secret)
