"""Security facts over the whole graph of every stack file and every variation."""

from __future__ import annotations

import pytest

from tests.graph.facts import ACCEPTED, FACTS
from tests.graph.variations import ALL, of_stack_file


@pytest.mark.parametrize("name", FACTS)
def test_fact(name: str) -> None:
    fact = FACTS[name]
    broken = [
        f"{stack}: {resource.label}"
        for stack, graph in ALL.items()
        for resource in fact.check(graph())
        if not any(each.covers(name, resource) for each in ACCEPTED)
    ]
    assert not broken, fact.holds


@pytest.mark.parametrize("accepted", ACCEPTED, ids=lambda each: str(each.fact))
def test_what_is_accepted_is_found(accepted: object) -> None:
    """A row without use is a row to remove."""
    (row,) = [each for each in ACCEPTED if each is accepted]
    found = [
        resource
        for graph in ALL.values()
        for resource in FACTS[row.fact].check(graph())
        if row.covers(row.fact, resource)
    ]
    assert found
    assert len(row.reason) > 40


@pytest.mark.parametrize("stack", ["staging", "prod"])
@pytest.mark.parametrize(
    "name",
    [
        "CKV2_AWS_11 vpc_flow_logs_enabled CIS_4.7",
        "autoscaling_group_multiple_az",
    ],
)
def test_stacks_of_production_need_no_exception(stack: str, name: str) -> None:
    assert not list(FACTS[name].check(of_stack_file(stack)))


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_workers_of_production_are_of_several_types(stack: str) -> None:
    found = FACTS["autoscaling_group_multiple_instance_types"].check(of_stack_file(stack))
    assert [each.name for each in found] == [f"dask-{stack}-scheduler"]
