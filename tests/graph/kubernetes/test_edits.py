"""What an edit of the stack file touches on Kubernetes: numbers, pods of a role, or all.

What the settings promise about each key (`Change`) is compared with whose template of pods another
value changes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from components.settings import Change, KubernetesSettings
from components.settings.keys import key_of
from tests.graph.kept import leaves
from tests.graph.kubernetes.variations import OWN_IMAGE, SCALED, STACK, Values, written
from tests.graph.recorder import build

if TYPE_CHECKING:
    from tests.graph.recorder import Graph, Resource

SCHEDULER, WORKER, JUPYTER = (f"dask-test-{each}" for each in ("scheduler", "worker", "jupyter"))
TOUCHES = {
    Change.IN_PLACE: set(),
    Change.ROLLS_WORKERS: {WORKER},
    Change.REPLACES_SCHEDULER: {SCHEDULER, WORKER},
}
OUTSIDE = {"serviceType": "LoadBalancer", "allowedCidrs": ["203.0.113.0/24"]}

# Every key: a stack without it, or with another value, and the edit.
EDITS: dict[str, tuple[Values, Values]] = {
    "workers": ({}, {"workers": 7}),
    "maxWorkers": ({}, {"maxWorkers": 9}),
    "autoscaler": (SCALED, {"autoscaler": "hpa"}),
    "idleStop": ({}, {"idleStop": "30 minutes"}),
    "noClientStop": ({}, {"noClientStop": "3 h"}),
    "startTimeout": ({}, {"startTimeout": "20 minutes"}),
    "groups": ({}, {"groups": {"big": {"workers": 1, "cpu": 8}}}),
    "jupyter": ({}, {"jupyter": {}}),
    "serviceType": (OUTSIDE, {"serviceType": "NodePort"}),
    "allowedCidrs": (OUTSIDE, {"allowedCidrs": ["198.51.100.0/24"]}),
    "lifetime": ({}, {"lifetime": "4 h"}),
    "drainTimeout": ({}, {"drainTimeout": "2 h"}),
    "processes": ({"cpu": 4}, {"processes": 2}),
    "resources": ({}, {"resources": {"slots": 2}}),
    "cpu": ({}, {"cpu": 2}),
    "memory": ({}, {"memory": "8 GiB"}),
    "disk": ({}, {"disk": "20 GiB"}),
    "dask": ({}, {"dask": {"distributed": {"scheduler": {"work-stealing": False}}}}),
    "packages": ({}, {"packages": ["xarray>=2025.1"]}),
    "imageRepository": ({}, {"imageRepository": "ghcr.io/me/other"}),
    "baseImage": ({}, {"baseImage": "registry.example.org/python:3.11"}),
    "image": ({"imageRepository": None, "image": OWN_IMAGE}, {"image": OWN_IMAGE[:-4] + "0000"}),
    "schedulerCpu": ({}, {"schedulerCpu": 2}),
    "schedulerMemory": ({}, {"schedulerMemory": "4 GiB"}),
}
REPLACES_EVERYTHING = {"platform", "context", "namespace"}
# Where the settings name the worst that can happen, and this is what happens.
OTHERWISE = {"schedulerCpu": {SCHEDULER}, "schedulerMemory": {SCHEDULER}}
LIVE = ("workers", "maxWorkers", "idleStop", "noClientStop")


def edited(key: str) -> tuple[Graph, Graph]:
    before, edit = EDITS[key]
    return tuple(build(written(v), stack=STACK) for v in (before, {**before, **edit}))  # type: ignore[return-value]


def changed(key: str) -> dict[str, Resource]:
    """Return the resources that are other ones, or have other inputs, by type and name."""
    before, after = ({r.label: r for r in graph.resources} for graph in edited(key))
    found = {}
    for label in before.keys() | after.keys():
        one, other = before.get(label), after.get(label)
        if one is None or other is None or _known(one) != _known(other):
            found[label] = other or one
    return {label: each for label, each in found.items() if each is not None}


def _known(resource: Resource) -> str:
    inputs = {k: v for k, v in resource.inputs.items() if k != "__provider"}
    return json.dumps(inputs, sort_keys=True)


def templates(key: str) -> set[str]:
    """Return whose pods become other ones, of those that are there before and after."""
    before, after = ({d.name: d for d in graph.of(":Deployment")} for graph in edited(key))
    return {
        name for name in before.keys() & after.keys() if _pod(before[name]) != _pod(after[name])
    }


def _pod(deployment: Resource) -> Any:  # noqa: ANN401  # JSON
    return deployment.inputs["spec"]["template"]


def promised(key: str) -> Change:
    (field,) = [f for name, f in KubernetesSettings.model_fields.items() if key_of(name) == key]
    assert isinstance(field.json_schema_extra, dict)
    return Change(str(field.json_schema_extra["changing"]))


def test_every_key_is_edited() -> None:
    keys = {key_of(name) for name in KubernetesSettings.model_fields}
    assert keys - REPLACES_EVERYTHING == EDITS.keys()
    for key in REPLACES_EVERYTHING:
        assert promised(key) is Change.REPLACES_EVERYTHING


@pytest.mark.parametrize("key", EDITS)
def test_an_edit_does_what_the_settings_say(key: str) -> None:
    assert changed(key), "the edit does nothing"
    assert templates(key) == OTHERWISE.get(key, TOUCHES[promised(key)])


@pytest.mark.parametrize("key", LIVE)
def test_a_number_is_one_update_of_one_deployment(key: str) -> None:
    assert changed(key).keys() == {f"kubernetes:apps/v1:Deployment {WORKER}"}
    before, after = (graph.one(":Deployment", WORKER).inputs for graph in edited(key))
    paths = dict(leaves(after, before))
    assert all(path.startswith(("spec.replicas", "metadata.annotations.")) for path in paths), paths


def test_another_number_of_workers_is_the_replicas_and_an_annotation() -> None:
    before, after = (graph.one(":Deployment", WORKER).inputs for graph in edited("workers"))
    assert dict(leaves(after, before)) == {
        "metadata.annotations.dask-cluster/workers": "7",
        "spec.replicas": 7,
    }


@pytest.mark.parametrize("key", ["cpu", "memory", "disk", "processes", "lifetime", "drainTimeout"])
def test_what_a_worker_is_touches_neither_the_scheduler_nor_its_wait(key: str) -> None:
    touched = changed(key)
    assert touched.keys() - {f"kubernetes:apps/v1:Deployment {WORKER}"} == {
        "pulumi-python:dynamic/kubernetes:Ready cluster-ready"
    }


@pytest.mark.parametrize("key", ["dask", "packages", "image", "imageRepository", "baseImage"])
def test_another_environment_is_waited_for_in_all_pods(key: str) -> None:
    ready = {each.name for each in changed(key).values() if each.type.endswith(":Ready")}
    assert ready == {"scheduler-ready", "cluster-ready"}


def test_a_group_more_touches_no_other_group() -> None:
    touched = {each.label for each in changed("groups").values() if "-big" not in each.name}
    assert touched == {
        # The scheduler may scale one more Deployment, and one more is waited for.
        "kubernetes:rbac.authorization.k8s.io/v1:Role dask-test-scheduler",
        "pulumi-python:dynamic/kubernetes:Ready cluster-ready",
    }


def test_a_notebook_touches_no_pod_that_is_there() -> None:
    touched = {each.label for each in changed("jupyter").values() if JUPYTER not in each.name}
    assert touched == {
        "kubernetes:networking.k8s.io/v1:NetworkPolicy dask-test-scheduler",
        "pulumi-python:dynamic/image:EnvironmentImage jupyter-image",
        "pulumi-python:dynamic/kubernetes:Ready cluster-ready",
    }
