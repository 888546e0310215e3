"""Every input of every resource, compared with what is kept under ``golden/``.

`golden/plain/` is a whole cluster, a file for each component; `golden/NAME.yaml` is what the
variation of this name has that the plain one has not, or has otherwise, and what it lacks.
After a change that is meant: DASK_CLUSTER_WRITE_GOLDEN=1 pytest tests/graph/test_golden.py, then
read the difference that git shows.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.graph.recorder import environment_identity
from tests.graph.rendering import rendered
from tests.graph.variations import VARIATIONS, variation

GOLDEN = Path(__file__).parent / "golden"
PLAIN = GOLDEN / "plain"
WRITE = bool(os.environ.get("DASK_CLUSTER_WRITE_GOLDEN"))


@functools.cache
def of(name: str) -> dict[str, Any]:
    text = json.dumps(rendered(variation(name))).replace(environment_identity(), "<identity>")
    return dict(json.loads(text))


def difference(there: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    """Return what another graph has more or otherwise, by component, and what it lacks."""
    found: dict[str, Any] = {}
    for component in sorted(there.keys() | plain.keys()):
        new, old = there.get(component, {}), plain.get(component, {})
        changed = {label: new[label] for label in new if new[label] != old.get(label)}
        if changed:
            found[component] = changed
        if gone := sorted(old.keys() - new.keys()):
            found.setdefault("lacks", []).extend(gone)
    return found


def read(path: Path) -> dict[str, Any]:
    # libyaml's loader: a tenth of the time.
    return dict(yaml.load(path.read_text(), yaml.CSafeLoader))  # a safe one


def check(path: Path, found: dict[str, Any]) -> None:
    if WRITE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(found, sort_keys=True, width=100, allow_unicode=True))
    assert found == read(path)


def test_every_component_of_a_plain_cluster() -> None:
    components = of("plain")
    for name, resources in components.items():
        check(PLAIN / f"{name}.yaml", resources)
    assert {path.stem for path in PLAIN.iterdir()} == components.keys()


@pytest.mark.parametrize("name", sorted(VARIATIONS.keys() - {"plain"}))
def test_what_a_variation_changes(name: str) -> None:
    check(GOLDEN / f"{name}.yaml", difference(of(name), of("plain")))


def test_every_golden_file_is_of_a_variation() -> None:
    kept = {path.stem for path in GOLDEN.glob("*.yaml")}
    assert kept | {"plain"} == set(VARIATIONS)


def test_every_variation_changes_something() -> None:
    for path in GOLDEN.glob("*.yaml"):
        assert read(path), path
