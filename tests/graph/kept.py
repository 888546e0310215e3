"""Golden files: how they are compared, written, and read.

After a change that is meant: DASK_CLUSTER_WRITE_GOLDEN=1 pytest tests/graph/..., then read the
difference that git shows.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import yaml

from tests.graph.recorder import environment_identity
from tests.graph.rendering import rendered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.graph.recorder import Graph

GONE = "<gone>"
WRITE = bool(os.environ.get("DASK_CLUSTER_WRITE_GOLDEN"))


def readable(graph: Graph) -> dict[str, Any]:
    """Return all of a graph's inputs and options, the same in every checkout."""
    text = json.dumps(rendered(graph)).replace(environment_identity(), "<identity>")
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


def finely(found: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    """Return the same as `difference`, and of what the plain graph has, too, only what differs.

    Objects of Kubernetes are long, and mostly the same.
    """
    return {
        component: {
            label: {"differs": dict(leaves(each, plain[component][label]))}
            if label in plain.get(component, {})
            else each
            for label, each in entries.items()
        }
        if component != "lacks"
        else entries
        for component, entries in found.items()
    }


def leaves(new: Any, old: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401  # JSON
    """Yield what differs between two values, by its path."""
    if isinstance(new, dict) and isinstance(old, dict):
        for key in sorted(new.keys() | old.keys()):
            at = f"{path}.{key}" if path else key
            yield from leaves(new.get(key, GONE), old.get(key, GONE), at)
    elif isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        for number, (one, other) in enumerate(zip(new, old, strict=True)):
            yield from leaves(one, other, f"{path}[{number}]")
    elif new != old:
        yield path, new


def read(path: Path) -> dict[str, Any]:
    # libyaml's loader: a tenth of the time.
    return dict(yaml.load(path.read_text(), yaml.CSafeLoader))  # a safe one


def check(path: Path, found: dict[str, Any]) -> None:
    if WRITE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(found, sort_keys=True, width=100, allow_unicode=True))
    assert found == read(path)
