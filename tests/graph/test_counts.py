"""How many resources of each type a stack has: known exactly, and the same for any size.

After a change that is meant: DASK_CLUSTER_WRITE_GOLDEN=1 pytest tests/graph/test_counts.py.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.graph.recorder import build, stack_file
from tests.graph.variations import BASE, STACK, STACK_FILES, of_stack_file, variation

if TYPE_CHECKING:
    from tests.graph.recorder import Graph

COUNTS = Path(__file__).parent / "counts.yaml"


def counts(graph: Graph) -> dict[str, int]:
    return dict(Counter(each.type for each in graph.resources))


def of_size(values: dict[str, Any], workers: int) -> dict[str, Any]:
    """Return a stack's keys with another number of workers, and what follows from it."""
    changed = {**values, "workers": workers}
    if "maxWorkers" in values:
        changed["maxWorkers"] = max(workers, values["maxWorkers"])
    if "onDemandFloor" in values:
        changed["onDemandFloor"] = min(workers, values["onDemandFloor"])
    return changed


def test_every_stack_file_is_counted() -> None:
    found = {name: counts(of_stack_file(name)) for name in STACK_FILES}
    if os.environ.get("DASK_CLUSTER_WRITE_GOLDEN"):
        COUNTS.write_text(yaml.safe_dump(found, sort_keys=True))
    assert found == yaml.safe_load(COUNTS.read_text())


@pytest.mark.parametrize("workers", [1, 100, 2000])
@pytest.mark.parametrize("name", STACK_FILES)
def test_any_number_of_workers_is_the_same_resources(name: str, workers: int) -> None:
    graph = build(of_size(stack_file(name), workers), stack=name)
    assert counts(graph) == counts(of_stack_file(name))
    group = graph.one("autoscaling/group:Group", f"dask-{name}-worker")
    assert group.inputs["desiredCapacity"] == workers
    sized = {each.label for each in graph.resources if str(workers) in str(_plain(each.inputs))}
    assert group.label in sized


def _plain(inputs: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in inputs.items() if key != "__provider"}


def test_a_group_more_is_the_same_resources_once_more() -> None:
    one = Counter(counts(variation("plain")))
    groups = {name: {"workers": 3, "instanceTypes": ["m7i.xlarge"]} for name in ("a", "b", "c")}
    first = Counter(counts(build({**BASE, "groups": {"a": groups["a"]}}, stack=STACK)))
    three = Counter(counts(build({**BASE, "groups": groups}, stack=STACK)))
    more = first - one
    assert three - one == Counter({type_: 3 * n for type_, n in more.items()})
    assert {type_.rpartition(":")[2]: n for type_, n in more.items()} == {
        "WorkerFleet": 1,
        "LaunchTemplate": 1,
        "Group": 1,
        "Policy": 1,
        "MetricAlarm": 1,
        "Parameter": 1,
    }
