"""What a look at an object says about it, from canned answers of an API server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from engine.answers import init_failed
from engine.values import Secret, from_wire
from tests.sandbox.provider.plugin import urn

if TYPE_CHECKING:
    from tests.sandbox.kubernetes_provider.conftest import Canned
    from tests.sandbox.provider.cases.case import Value
    from tests.sandbox.provider.plugin import Plugin

SPACE = "namespaces/spaces"
REVISION = {"deployment.kubernetes.io/revision": "2"}
AVAILABLE = {"type": "Available", "status": "True"}
ROLLED = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}


def state_of(kind: str, group: str, **more: Value) -> SimpleNamespace:
    version = group.removeprefix("core/")
    inputs = {"apiVersion": version, "kind": kind, "metadata": {"name": "it"}, **more}
    outputs = {**inputs, "__inputs": inputs, "__fieldManager": "m"}
    token = f"kubernetes:{group}:{kind}"
    return SimpleNamespace(urn=urn(token), id="spaces/it", inputs=inputs, outputs=outputs)


def reasons(plugin: Plugin, state: SimpleNamespace) -> list[str]:
    """Why an object is not ready; none if it is."""
    detail: Value = None
    try:
        plugin.read(state)
    except grpc.RpcError as error:
        detail = init_failed(error)
        if detail is None:
            raise
    if detail is None:
        return []
    assert detail.id == "spaces/it"
    assert from_wire(detail.inputs)["metadata"] == {"name": "it"}
    assert from_wire(detail.properties)["metadata"]["namespace"] == "spaces"
    assert "it is there, but not ready" in detail.reasons[0]
    return list(detail.reasons[1:])


def put(canned: Canned, *, conditions: Value, ready: int, pod: Value = None, **spec: Value) -> None:
    """A Deployment that wants one pod, of its second revision."""
    metadata = {"name": "it", "namespace": "spaces", "uid": "d", "generation": 4}
    status = {"observedGeneration": spec.pop("observed", 4), "conditions": conditions}
    canned.objects[f"/apis/apps/v1/{SPACE}/deployments/it"] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**metadata, "annotations": REVISION},
        "spec": {"selector": {"matchLabels": {"a": "1"}}, **spec},
        "status": status,
    }
    owned = {"ownerReferences": [{"uid": "d"}], "uid": "r", "annotations": REVISION}
    old = {"ownerReferences": [{"uid": "d"}], "uid": "o", "annotations": {}}
    replica = {"spec": {"replicas": 1}, "status": {"readyReplicas": ready}}
    canned.objects[f"/apis/apps/v1/{SPACE}/replicasets"] = {
        "items": [{"metadata": owned, **replica}, {"metadata": old, "spec": {"replicas": 5}}]
    }
    about = {"name": "it-1", "namespace": "spaces", "ownerReferences": [{"uid": "r"}]}
    other = {"metadata": {"name": "other"}, "status": {"conditions": [{"type": "PodScheduled"}]}}
    canned.objects[f"/api/v1/{SPACE}/pods"] = {
        "items": [{"metadata": about, "status": pod or {}}, other]
    }


DEPLOYMENT = state_of("Deployment", "apps/v1")


def test_a_deployment_whose_pods_are_ready(plugin: Plugin, canned: Canned) -> None:
    put(canned, conditions=[AVAILABLE, ROLLED], ready=1)
    assert reasons(plugin, DEPLOYMENT) == []
    assert f"/apis/apps/v1/{SPACE}/replicasets?labelSelector=a%3D1" in canned.asked


@pytest.mark.parametrize(
    ("pod", "said"),
    [
        (
            {
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/2 nodes are available",
                    }
                ]
            },
            "[Pod spaces/it-1]: 0/2 nodes are available",
        ),
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "True"},
                    {"type": "Initialized", "status": "True"},
                    {"type": "Ready", "status": "False", "reason": "x", "message": "not ready"},
                ],
                "containerStatuses": [
                    {
                        "name": "main",
                        "ready": False,
                        "state": {"waiting": {"reason": "ErrImagePull", "message": "no such"}},
                    }
                ],
            },
            "[Pod spaces/it-1]: not ready; [ErrImagePull] no such",
        ),
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "True"},
                    {"type": "Initialized", "status": "True"},
                    {"type": "Ready", "status": "False"},
                ],
                "containerStatuses": [
                    {
                        "name": "main",
                        "ready": False,
                        "state": {"waiting": {"reason": "ContainerCreating"}},
                        "lastState": {
                            "terminated": {"reason": "Error", "exitCode": 3, "message": "ouch"}
                        },
                    }
                ],
            },
            "[Pod spaces/it-1]: container main ended with exit code 3 (Error): ouch",
        ),
    ],
)
def test_the_reasons_of_pods_are_told(
    plugin: Plugin, canned: Canned, pod: dict[str, Any], said: str
) -> None:
    refused = {"type": "Available", "status": "False", "reason": "Min", "message": "too few"}
    put(canned, conditions=[refused, ROLLED], ready=0, pod=pod)
    found = reasons(plugin, DEPLOYMENT)
    assert found[0] == "[Min] too few"
    assert found[-1] == said


def test_a_roll_that_goes_on(plugin: Plugin, canned: Canned) -> None:
    rolling = {**ROLLED, "reason": "ReplicaSetUpdated"}
    put(canned, conditions=[AVAILABLE, rolling], ready=1)
    assert reasons(plugin, DEPLOYMENT) == [
        "fewer Pods of its newest revision are ready than it wants"
    ]
    put(canned, conditions=[AVAILABLE, ROLLED], ready=0)
    assert len(reasons(plugin, DEPLOYMENT)) == 1
    put(canned, conditions=[AVAILABLE, ROLLED], ready=1, observed=3)
    assert reasons(plugin, DEPLOYMENT) == ["its controller has not looked at it yet"]


def test_a_claim_that_is_not_bound_keeps_a_deployment(plugin: Plugin, canned: Canned) -> None:
    volumes = [{"persistentVolumeClaim": {"claimName": "home"}}]
    template = {"spec": {"volumes": volumes}}
    put(canned, conditions=[AVAILABLE, ROLLED], ready=1, template=template)
    claim = {"status": {"phase": "Pending"}}
    canned.objects[f"/api/v1/{SPACE}/persistentvolumeclaims/home"] = claim
    assert reasons(plugin, DEPLOYMENT) == ["its PersistentVolumeClaim home is not bound"]
    claim["status"]["phase"] = "Bound"
    assert reasons(plugin, DEPLOYMENT) == []


def test_one_that_need_not_be_ready_is_not_judged(plugin: Plugin, canned: Canned) -> None:
    put(canned, conditions=[], ready=0)
    about = {"name": "it", "annotations": {"pulumi.com/skipAwait": "true"}}
    assert reasons(plugin, state_of("Deployment", "apps/v1", metadata=about)) == []


@pytest.mark.parametrize(
    ("spec", "status", "subsets", "said"),
    [
        ({"selector": {"a": "1"}}, {}, [{"addresses": [1]}], ""),
        ({"selector": {"a": "1"}}, {}, [{"notReadyAddresses": [1]}], "some of its Pods"),
        ({"selector": {"a": "1"}, "clusterIP": "None"}, {}, [{"notReadyAddresses": [1]}], ""),
        ({"type": "ExternalName"}, {}, [{"notReadyAddresses": [1]}], ""),
        ({"type": "LoadBalancer"}, {}, [], "given no address"),
        ({"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"ip": "x"}]}}, [], ""),
    ],
)
def test_a_service(
    plugin: Plugin, canned: Canned, spec: Value, status: Value, subsets: Value, said: str
) -> None:
    metadata = {"name": "it", "namespace": "spaces"}
    service = {"apiVersion": "v1", "kind": "Service", "spec": spec, "status": status}
    canned.objects[f"/api/v1/{SPACE}/services/it"] = {**service, "metadata": metadata}
    about = {**metadata, "resourceVersion": "1"}
    canned.objects[f"/api/v1/{SPACE}/endpoints/it"] = {"metadata": about, "subsets": subsets}
    found = reasons(plugin, state_of("Service", "core/v1"))
    assert [said in each for each in found] == [True] * bool(said)


def test_an_object_that_is_gone(plugin: Plugin) -> None:
    assert plugin.read(DEPLOYMENT).id == ""


def test_nothing_is_imported(plugin: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        plugin.read(SimpleNamespace(urn=DEPLOYMENT.urn, id="spaces/it", inputs={}, outputs={}))
    assert "imports nothing" in str(caught.value.details())


def test_a_read_gives_the_inputs_as_they_are_now(plugin: Plugin, canned: Canned) -> None:
    state = state_of("ConfigMap", "core/v1", data={"a": "1", "b": Secret("2")})
    live = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "9", "b": "8", "c": "7"}}
    metadata = {"name": "it", "namespace": "spaces", "labels": {"new": "1"}}
    canned.objects[f"/api/v1/{SPACE}/configmaps/it"] = {**live, "metadata": metadata}
    answer = plugin.read(state)
    inputs, outputs = from_wire(answer.inputs), from_wire(answer.properties)
    assert inputs["metadata"] == {"name": "it"}
    assert inputs["data"] == {"a": "9", "b": Secret("8")}
    assert outputs["metadata"] == metadata
    assert outputs["data"] == {"a": "9", "b": Secret("8"), "c": "7"}
    assert outputs["__inputs"] == inputs
