"""What an edit of the stack file touches: which numbers are tags, and which are another machine.

Another launch template is another scheduler, which ends running work, or workers that roll. What
the tables of the settings promise about each key (`Change`) is compared with what happens.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from components.settings import Change, VmSettings
from components.settings.keys import key_of
from tests.graph.recorder import build
from tests.graph.rendering import boot_parameters
from tests.graph.variations import BASE, EFA, STACK, Values

if TYPE_CHECKING:
    from tests.graph.recorder import Graph, Resource

SCHEDULER, WORKER = "dask-test-scheduler", "dask-test-worker"
# What the settings say of a key: which launch templates another value of it changes.
TOUCHES = {
    Change.IN_PLACE: set(),
    Change.ROLLS_WORKERS: {WORKER},
    Change.REPLACES_SCHEDULER: {SCHEDULER, WORKER},
}
SPOT = {"spot": True, "workers": 3}
LARGE = {"vpc": {"zones": ["us-east-2b"]}, "instanceTypes": ["m7i.12xlarge"]}

# Every key: a stack without it, or with another value, and the edit.
EDITS: dict[str, tuple[Values, Values]] = {
    "workers": ({}, {"workers": 7}),
    "maxWorkers": ({}, {"maxWorkers": 9}),
    "idleStop": ({}, {"idleStop": "30 minutes"}),
    "noClientStop": ({}, {"noClientStop": "3 h"}),
    "lifetime": ({}, {"lifetime": "4 h"}),
    "startTimeout": ({}, {"startTimeout": "20 minutes"}),
    "onDemandFloor": (SPOT, {"onDemandFloor": 2}),
    "allOrNothing": ({}, {"allOrNothing": True}),
    "groups": ({}, {"groups": {"big": {"workers": 1, "instanceTypes": ["r7i.8xlarge"]}}}),
    "egress": ({}, {"egress": "natPerZone"}),
    "flowLogs": ({}, {"flowLogs": True}),
    "readBuckets": ({}, {"readBuckets": ["data"]}),
    "writeBuckets": ({}, {"writeBuckets": ["data/ours"]}),
    "monthlyBudget": ({"alarmEmails": ["a@example.org"]}, {"monthlyBudget": 100}),
    "alarmEmails": ({}, {"alarmEmails": ["a@example.org"]}),
    "allowedCidrs": ({}, {"allowedCidrs": ["203.0.113.0/24"]}),
    "tags": ({}, {"tags": {"team": "science"}}),
    "drainTimeout": ({}, {"drainTimeout": "2 h"}),
    "processes": ({}, {"processes": 2}),
    "resources": ({}, {"resources": {"slots": 2}}),
    "instanceTypes": ({}, {"instanceTypes": ["m7i.xlarge"]}),
    "architecture": ({}, {"architecture": "arm64", "instanceTypes": ["m7g.large"]}),
    "spot": ({}, {"spot": True}),
    "rootVolume": ({}, {"rootVolume": "80 GiB"}),
    "spillToNvme": ({"instanceTypes": ["m6id.large"]}, {"spillToNvme": True}),
    "threadsPerCore": ({}, {"threadsPerCore": 1}),
    "placementGroup": (LARGE, {"placementGroup": True}),
    "network": (LARGE, {"network": "enaExpress"}),
    "capacityReservation": (LARGE, {"capacityReservation": "cr-0123456789abcdef0"}),
    "dask": ({}, {"dask": {"distributed": {"scheduler": {"work-stealing": False}}}}),
    "packages": ({}, {"packages": ["xarray>=2025.1"]}),
    "images": ({}, {"images": {"x86_64": "ami-0123456789abcdef0"}}),
    "schedulerInstanceType": ({}, {"schedulerInstanceType": "r7i.large"}),
    "efs": ({}, {"efs": {"id": "fs-0123456789abcdef0"}}),
    "lustre": ({}, {"lustre": {"id": "fs-0123456789abcdef0", "mountName": "fsx"}}),
}
REPLACES_EVERYTHING = {"platform", "region", "vpc"}
# Where the settings say something else than what happens, and what happens.
OTHERWISE: dict[str, set[str]] = {
    # The group's own types, prices and placement: machines roll without another template.
    "spot": set(),
    "placementGroup": set(),
    # The types' sizes are in the boot text, their names are not.
    "schedulerInstanceType": {SCHEDULER},
}
# Keys of which the settings still promise something else; a row goes when they tell the truth.


def edited(key: str) -> tuple[Graph, Graph]:
    before, edit = EDITS[key]
    values = {**BASE, **before}
    return build(values, stack=STACK), build({**values, **edit}, stack=STACK)


def changed(key: str) -> dict[str, Resource]:
    """Return the resources that are other ones, or have other inputs, by type and name."""
    before, after = ({r.label: r for r in graph.resources} for graph in edited(key))
    labels = before.keys() | after.keys()
    found = {
        label: after.get(label, before.get(label))
        for label in labels
        if label not in before or label not in after or _differ(before[label], after[label])
    }
    return {label: each for label, each in found.items() if each is not None}


def _differ(one: Resource, other: Resource) -> bool:
    return _known(one.inputs) != _known(other.inputs)


def _known(inputs: dict[str, Any]) -> str:
    return json.dumps({k: v for k, v in inputs.items() if k != "__provider"}, sort_keys=True)


def templates(key: str) -> set[str]:
    """Return which templates change, of the default group and the scheduler."""
    return {
        each.name
        for each in changed(key).values()
        if each.type.endswith(":LaunchTemplate") and each.name in (SCHEDULER, WORKER)
    }


def promised(key: str) -> Change:
    """Return what the settings say that another value of a key does."""
    (field,) = [f for name, f in VmSettings.model_fields.items() if key_of(name) == key]
    assert isinstance(field.json_schema_extra, dict)
    return Change(str(field.json_schema_extra["changing"]))


def test_every_key_is_edited() -> None:
    keys = {key_of(name) for name in VmSettings.model_fields}
    assert keys - REPLACES_EVERYTHING == EDITS.keys()
    for key in REPLACES_EVERYTHING:
        assert promised(key) is Change.REPLACES_EVERYTHING


@pytest.mark.parametrize("key", EDITS)
def test_an_edit_does_what_the_settings_say(key: str) -> None:
    assert changed(key), "the edit does nothing"
    assert templates(key) == OTHERWISE.get(key, TOUCHES.get(promised(key)))


@pytest.mark.parametrize(
    "key", ["workers", "maxWorkers", "idleStop", "noClientStop", "lifetime", "startTimeout"]
)
def test_numbers_that_change_live_touch_neither_a_machine_nor_the_scheduler(key: str) -> None:
    touched = changed(key)
    assert not {label for label in touched if SCHEDULER in label}
    assert not {each.type for each in touched.values()} - {
        "aws:autoscaling/group:Group",
        "pulumi-python:dynamic/ready:Ready",
    }
    for before, after in zip(*(g.of(":LaunchTemplate") for g in edited(key)), strict=True):
        assert before.inputs == after.inputs


def test_another_number_of_workers_is_one_update_of_one_group() -> None:
    assert changed("workers").keys() == {f"aws:autoscaling/group:Group {WORKER}"}


@pytest.mark.parametrize("key", ["dask", "packages"])
def test_another_environment_is_another_archive_and_other_machines(key: str) -> None:
    kinds = {each.type.rpartition(":")[2] for each in changed(key).values()}
    assert {"BucketObjectv2", "LaunchTemplate", "Group"} >= kinds - {
        *("LockedEnvironment", "Ready", "RolePolicy"),
    }
    before, after = ({t.name: _told(t) for t in g.of(":LaunchTemplate")} for g in edited(key))
    for name in (SCHEDULER, WORKER):
        differing = {k for k in before[name] if before[name][k] != after[name][k]}
        assert differing == {"ARCHIVE"} | ({"ENVIRONMENT"} if key == "packages" else set())


def _told(template: Resource) -> dict[str, str]:
    return boot_parameters(template.inputs["userData"])


def test_another_scheduler_type_is_a_change_of_its_template_only() -> None:
    assert changed("schedulerInstanceType").keys() == {
        f"aws:ec2/launchTemplate:LaunchTemplate {SCHEDULER}"
    }


def test_a_group_more_touches_no_other_group() -> None:
    """Its reports and rights are new; what other machines are is not."""
    touched = [each for each in changed("groups").values() if not each.name.endswith("-big")]
    assert {each.label for each in touched if each.is_aws} == {
        "aws:iam/rolePolicy:RolePolicy dask-test-scheduler",
        "aws:iam/rolePolicy:RolePolicy dask-test-worker",
        "aws:iam/policy:Policy dask-test-connect",
        "aws:ssm/parameter:Parameter dask-test-big-boot",
    } | {each.label for each in touched if "-big-" in each.name and each.is_aws}


def test_efa_is_for_workers_only() -> None:
    values = {**BASE, **EFA, "instanceTypes": ["hpc7a.96xlarge"]}
    with_efa, without = (
        build({**values, "network": network}, stack=STACK) for network in ("efa", "standard")
    )
    one, other = (g.one(":LaunchTemplate", SCHEDULER).inputs for g in (with_efa, without))
    assert one == other


def test_another_zone_leaves_the_subnets_that_are_there() -> None:
    zones = ["us-east-2a", "us-east-2b"]
    one, two = (build({**BASE, "vpc": {"zones": zones[:n]}}, stack=STACK) for n in (1, 2))
    ranges = [{s.name: s.inputs["cidrBlock"] for s in g.of(":Subnet")} for g in (one, two)]
    assert ranges[0].items() <= ranges[1].items()
