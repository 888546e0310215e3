"""Every input of every resource on Kubernetes, compared with what is kept under ``golden/``.

As in tests/graph/test_golden.py: `golden/plain/` is a whole cluster, a file for each component;
`golden/NAME.yaml` is what the variation of this name has more or otherwise.
After a change that is meant: DASK_CLUSTER_WRITE_GOLDEN=1 pytest tests/graph/kubernetes, then read
the difference that git shows.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

from tests.graph.kept import check, difference, finely, read, readable
from tests.graph.kubernetes.variations import VARIATIONS, variation

GOLDEN = Path(__file__).parent / "golden"
PLAIN = GOLDEN / "plain"


@functools.cache
def of(name: str) -> dict[str, Any]:
    return readable(variation(name))


def test_every_component_of_a_plain_cluster() -> None:
    components = of("plain")
    for name, resources in components.items():
        check(PLAIN / f"{name}.yaml", resources)
    assert {path.stem for path in PLAIN.iterdir()} == components.keys()


@pytest.mark.parametrize("name", sorted(VARIATIONS.keys() - {"plain"}))
def test_what_a_variation_changes(name: str) -> None:
    there, plain = of(name), of("plain")
    check(GOLDEN / f"{name}.yaml", finely(difference(there, plain), plain))


def test_every_golden_file_is_of_a_variation() -> None:
    kept = {path.stem for path in GOLDEN.glob("*.yaml")}
    assert kept | {"plain"} == set(VARIATIONS)


def test_every_variation_changes_something() -> None:
    for path in GOLDEN.glob("*.yaml"):
        assert read(path), path
