"""How many objects of each type a cluster on Kubernetes has: known, and the same for any size.

After a change that is meant: DASK_CLUSTER_WRITE_GOLDEN=1 pytest tests/graph/kubernetes.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
import yaml

from tests.graph.kubernetes.variations import (
    SCALED,
    SHIPPED,
    STACK,
    Values,
    of_stack_file,
    variation,
    written,
)
from tests.graph.recorder import Graph, build, stack_file

COUNTS = Path(__file__).parent / "counts.yaml"


def counts(graph: Graph) -> dict[str, int]:
    return dict(Counter(each.type for each in graph.resources))


def test_the_stack_file_is_counted() -> None:
    found = {SHIPPED: counts(of_stack_file()), "everything": counts(variation("everything"))}
    if os.environ.get("DASK_CLUSTER_WRITE_GOLDEN"):
        COUNTS.write_text(yaml.safe_dump(found, sort_keys=True))
    assert found == yaml.safe_load(COUNTS.read_text())


@pytest.mark.parametrize("workers", [1, 100, 2000])
@pytest.mark.parametrize(
    "values",
    [stack_file(SHIPPED), written({**SCALED, "maxWorkers": 2000})],
    ids=["fixed", "scaled"],
)
def test_any_number_of_workers_is_the_same_objects(values: Values, workers: int) -> None:
    graph = build({**values, "workers": workers}, stack=STACK)
    assert counts(graph) == counts(build(values, stack=STACK))
    group = graph.one(":Deployment", f"dask-{STACK}-worker")
    assert group.inputs["spec"]["replicas"] == workers
    assert group.inputs["metadata"]["annotations"]["dask-cluster/workers"] == str(workers)


def test_a_group_more_is_the_same_objects_once_more() -> None:
    plain = Counter(counts(variation("plain")))
    groups = {name: {"workers": 3, "cpu": 2} for name in ("a", "b", "c")}
    one = Counter(counts(build(written({"groups": {"a": groups["a"]}}), stack=STACK)))
    three = Counter(counts(build(written({"groups": groups}), stack=STACK)))
    more = one - plain
    assert three - plain == Counter({type_: 3 * n for type_, n in more.items()})
    assert {type_.rpartition(":")[2]: n for type_, n in more.items()} == {
        "Workers": 1,
        "Deployment": 1,
        "PodDisruptionBudget": 1,
    }
