"""The life of each stack of this project, from the first `up` to an AWS as empty as before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.rehearsed import Rehearsed

STACKS = ["dev", "staging", "prod", "hpc"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", STACKS)
def test_the_life_of_a_stack(rehearsed: Callable[[str], Rehearsed], name: str) -> None:
    stack = rehearsed(name)
    stack.take_committed()
    assert stack.contents() == []

    first = stack.up()
    assert set(first.changed) == {"create"}
    workers = stack.settings["workers"]
    assert stack.states("worker") == {"InService": workers}
    assert stack.states("scheduler") == {"InService": 1}
    _nothing_changes(stack)

    _size(stack, name)
    if name != "hpc":  # all of its workers, or none
        _scaler(stack)
    _scheduler_type(stack)
    if name != "hpc":  # one zone has few other types
        _another_group(stack)
    _certificates(stack)

    stack.destroy()
    assert stack.contents() == []
    assert not stack.stack.exists


def _nothing_changes(stack: Rehearsed) -> None:
    assert stack.up().changed == {}


def _size(stack: Rehearsed, name: str) -> None:
    """4 -> 40 -> 4: one update each, and the instances that stay are the same."""
    stack.edit(workers=4, maxWorkers=None)
    stack.up()
    stack.eventually(lambda: stack.states("worker"), {"InService": 4})
    at_first = _instances(stack, "worker")
    group = [f"dask-{name}-worker Group"]
    # All of its workers are waited for, so its number is part of what is waited for.
    one = {"update": ["cluster-ready Ready", *group] if name == "hpc" else group}
    stack.edit(workers=40)
    assert stack.up().changed == one
    stack.eventually(lambda: stack.states("worker"), {"InService": 40})
    assert at_first < _instances(stack, "worker")
    assert (stack.group("worker")["DesiredCapacity"], stack.group("worker")["MaxSize"]) == (40, 40)
    assert stack.group("worker")["MinSize"] == 0
    stack.edit(workers=4)
    assert stack.up().changed == one
    stack.eventually(lambda: stack.states("worker"), {"InService": 4})
    _nothing_changes(stack)


def _scaler(stack: Rehearsed) -> None:
    """With `maxWorkers` the number is the scaler's; without it is the file's again."""
    scaling = stack.client("autoscaling")
    stack.edit(maxWorkers=50)
    stack.up()
    assert stack.group("worker")["MaxSize"] == 50
    asg = stack.group("worker")["AutoScalingGroupName"]
    scaling.set_desired_capacity(AutoScalingGroupName=asg, DesiredCapacity=9)
    stack.eventually(lambda: stack.states("worker"), {"InService": 9})
    _nothing_changes(stack)
    assert stack.group("worker")["DesiredCapacity"] == 9
    stack.edit(maxWorkers=None)
    stack.up()
    assert (stack.group("worker")["DesiredCapacity"], stack.group("worker")["MaxSize"]) == (4, 4)
    stack.eventually(lambda: stack.states("worker"), {"InService": 4})


def _scheduler_type(stack: Rehearsed) -> None:
    """Another type is another scheduler, seen as a replacement; the workers stay."""
    name = stack.name
    workers, scheduler = _instances(stack, "worker"), _instances(stack, "scheduler")
    stack.edit(schedulerInstanceType="m7i.xlarge")
    changed = stack.up().changed
    assert changed["replace"] == [f"dask-{name}-scheduler Group"]
    assert changed["update"] == [
        "cluster-ready Ready",
        f"dask-{name}-scheduler LaunchTemplate",
        "scheduler-ready Ready",
    ]
    assert changed.keys() <= {"replace", "update", "create-replacement", "delete-replaced"}
    assert _instances(stack, "worker") == workers
    assert not _instances(stack, "scheduler") & scheduler
    # It has set its own name, which no `up` takes back.
    address = _record(stack)
    assert address != "127.0.0.1"
    _nothing_changes(stack)
    assert _record(stack) == address


def _another_group(stack: Rehearsed) -> None:
    """A group comes and goes, and the first one does not notice."""
    workers = _instances(stack, "worker")
    big = {"workers": 1, "instanceTypes": ["r7i.2xlarge"], "maxWorkers": 3}
    stack.edit(groups={"big": big})
    changed = stack.up().changed
    assert set(changed) == {"create", "update"}
    assert all("-big" in each for each in changed["create"]), changed
    stack.eventually(lambda: stack.states("big"), {"InService": 1})
    _nothing_changes(stack)
    stack.edit(groups=None)
    changed = stack.up().changed
    assert set(changed) == {"delete", "update"}
    assert all("-big" in each for each in changed["delete"]), changed
    assert _instances(stack, "worker") == workers


def _certificates(stack: Rehearsed) -> None:
    """The first `up` of a certificate's last days makes another one, and its secret has it."""
    secrets = stack.client("secretsmanager")
    secret = str(stack.stack.outputs()["client_secret"])
    before = json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"])
    state = stack.stack.export()
    for resource in state["deployment"]["resources"]:
        if resource["type"].endswith(":Certificate") and resource["urn"].endswith("-client"):
            resource["outputs"]["expires"] = "2026-01-01T00:00:00+00:00"
    stack.stack.import_(state)
    changed = stack.up().changed
    assert set(changed) <= {"update", "replace", "create-replacement", "delete-replaced"}, changed
    after = json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"])
    assert after["authority"] == before["authority"]
    assert after["certificate"] != before["certificate"]
    assert after["key"] != before["key"]
    _nothing_changes(stack)


def _instances(stack: Rehearsed, group: str) -> set[str]:
    return {each["InstanceId"] for each in stack.group(group)["Instances"]}


def _record(stack: Rehearsed) -> str:
    route53 = stack.client("route53")
    (zone,) = route53.list_hosted_zones()["HostedZones"]
    records: list[dict[str, Any]] = route53.list_resource_record_sets(HostedZoneId=zone["Id"])[
        "ResourceRecordSets"
    ]
    (address,) = [r["ResourceRecords"][0]["Value"] for r in records if r["Type"] == "A"]
    return str(address)
