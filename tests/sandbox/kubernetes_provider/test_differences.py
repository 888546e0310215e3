"""What counts as a change of an object, and what the change needs."""

from __future__ import annotations

import base64
import copy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from engine.values import UNKNOWN, Secret, from_wire
from tests.sandbox.provider.plugin import urn

if TYPE_CHECKING:
    from tests.sandbox.provider.cases.case import Value
    from tests.sandbox.provider.plugin import Plugin

TOKENS = {
    "ConfigMap": "core/v1", "Deployment": "apps/v1", "PersistentVolumeClaim": "core/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1", "Secret": "core/v1", "Service": "core/v1",
}  # fmt: skip


def obj(kind: str, name: str = "it", **more: Value) -> dict[str, Any]:
    version = TOKENS[kind].removeprefix("core/")
    metadata = {"name": name, "namespace": "spaces", **more.pop("about", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def found(
    plugin: Plugin,
    inputs: dict[str, Any],
    live: dict[str, Any],
    news: dict[str, Any],
    *ignored: str,
) -> tuple[dict[str, bool], bool]:
    """The changed paths, with whether they need a new object; whether the old one goes first."""
    token = f"kubernetes:{TOKENS[inputs['kind']]}:{inputs['kind']}"
    outputs = {**live, "__inputs": inputs, "__fieldManager": "m", "__initialApiVersion": "v1"}
    state = SimpleNamespace(urn=urn(token), id="spaces/it", inputs=inputs, outputs=outputs)
    answer = plugin.diff(state, news, ignored)
    kinds = {path: bool(each.kind % 2) for path, each in answer.detailedDiff.items()}
    assert bool(kinds) == (answer.changes == answer.DIFF_SOME)
    return kinds, answer.deleteBeforeReplace


@pytest.mark.parametrize(
    ("wanted", "live"),
    [
        ({"limits": {"cpu": "1000m"}}, {"limits": {"cpu": "1"}}),
        ({"limits": {"memory": "1024Mi"}}, {"limits": {"memory": "1Gi"}}),
        ({"requests": {"cpu": 0.5}}, {"requests": {"cpu": "500m"}}),
        ({"emptyDir": {"sizeLimit": 1073741824}}, {"emptyDir": {"sizeLimit": "1Gi"}}),
        ({"hostNetwork": False, "value": "", "args": []}, {}),
        ({"replicas": 2}, {"replicas": 2, "paused": True, "strategy": {"type": "x"}}),
        ({"ports": [{"port": 1}]}, {"ports": [{"port": 1, "protocol": "TCP"}]}),
        ({"replicas": None}, {"replicas": 3}),
    ],
)
def test_the_server_may_write_it_otherwise(
    plugin: Plugin, wanted: dict[str, Any], live: dict[str, Any]
) -> None:
    inputs = obj("Deployment", spec=wanted)
    server = {**obj("Deployment", spec=live), "status": {"replicas": 1}}
    assert found(plugin, inputs, server, inputs) == ({}, False)


@pytest.mark.parametrize(
    ("wanted", "live", "path"),
    [
        ({"limits": {"cpu": "1000m"}}, {"limits": {"cpu": "2"}}, "spec.limits.cpu"),
        ({"image": "1000m"}, {"image": "1"}, "spec.image"),
        ({"paused": True}, {}, "spec.paused"),
        ({"replicas": 0}, {"replicas": 1}, "spec.replicas"),
        ({"ingress": [{}]}, {}, "spec.ingress"),
        ({"ports": [{"port": 1}, {}]}, {"ports": [{"port": 1}]}, "spec.ports[1]"),
        ({"matchLabels": {"a": ""}}, {"matchLabels": {}}, "spec.matchLabels.a"),
        ({"replicas": True}, {"replicas": 1}, "spec.replicas"),
        ({"image": UNKNOWN}, {"image": "1"}, "spec.image"),
        ({"image": UNKNOWN}, {}, "spec.image"),
    ],
)
def test_what_is_otherwise_is_a_change(
    plugin: Plugin, wanted: dict[str, Any], live: dict[str, Any], path: str
) -> None:
    inputs = obj("Deployment", spec=wanted)
    assert found(plugin, inputs, obj("Deployment", spec=live), inputs)[0] == {path: False}


def test_what_is_no_longer_wanted_is_a_change(plugin: Plugin) -> None:
    before = obj("ConfigMap", about={"annotations": {"a.b/c": "1", "d": "2"}})
    after = obj("ConfigMap", about={"annotations": {"d": "2"}})
    assert found(plugin, before, before, after)[0] == {'metadata.annotations["a.b/c"]': False}
    assert found(plugin, before, before, after, 'metadata.annotations["a.b/c"]')[0] == {}
    assert found(plugin, before, before, after, "metadata")[0] == {}


@pytest.mark.parametrize(
    ("kind", "path", "forced"),
    [
        ("Deployment", "spec.selector.matchLabels.a", True),
        ("Deployment", "spec.template.labels.a", False),
        ("Service", "spec.clusterIP", True),
        ("Service", "spec.type", False),
        ("PersistentVolumeClaim", "spec.storageClassName", True),
        ("PersistentVolumeClaim", "spec.resources.requests.storage", False),
        ("RoleBinding", "roleRef.name", True),
        ("RoleBinding", "metadata.labels.a", False),
        ("ConfigMap", "data.a", True),
        ("Secret", "data.a", True),
        ("Secret", "type", True),
        ("Secret", "metadata.labels.a", False),
        ("Secret", "metadata.namespace", True),
    ],
)
def test_what_needs_a_new_object(plugin: Plugin, kind: str, path: str, forced: bool) -> None:  # noqa: FBT001
    before, after = obj(kind), obj(kind)
    for each, text in ((before, "MQ=="), (after, "Mg==")):
        place = each
        *outer, last = path.split(".")
        for key in outer:
            place = place.setdefault(key, {})
        place[last] = text
    changes, first = found(plugin, before, before, after)
    assert changes == {path: forced}
    assert first == (forced and path != "metadata.namespace")


def test_a_selector_that_is_new_as_a_whole_needs_a_new_object(plugin: Plugin) -> None:
    after = obj("Deployment", spec={"selector": {"matchLabels": {"a": "1"}}})
    assert found(plugin, obj("Deployment"), obj("Deployment"), after) == ({"spec": True}, True)


def test_data_that_may_change_in_place(plugin: Plugin) -> None:
    plugin.configure(enableConfigMapMutable="true", enableSecretMutable=True)
    for kind in ("ConfigMap", "Secret"):
        before, after = obj(kind, data={"a": "MQ=="}), obj(kind, data={"a": "Mg=="})
        assert found(plugin, before, before, after) == ({"data.a": False}, False)
        fixed = {**copy.deepcopy(after), "immutable": True}
        before["immutable"] = True
        assert found(plugin, before, before, fixed) == ({"data.a": True}, True)


def test_one_that_pulumi_named_may_stand_beside_its_new_one(plugin: Plugin) -> None:
    about = {"annotations": {"pulumi.com/autonamed": "true"}}
    before = obj("ConfigMap", about=about, data={"a": "1"})
    after = obj("ConfigMap", about=about, data={"a": "2"})
    assert found(plugin, before, before, after) == ({"data.a": True}, False)
    renamed = obj("ConfigMap", "other", data={"a": "1"})
    plain = obj("ConfigMap", data={"a": "1"})
    assert found(plugin, plain, plain, renamed) == ({"metadata.name": True}, False)


def test_the_texts_of_a_secret_are_hidden_and_encoded(plugin: Plugin) -> None:
    given = obj("Secret", stringData={"token": "hunter2"})
    inputs, faults = plugin.check("kubernetes:core/v1:Secret", given)
    assert faults == {}
    assert "stringData" not in inputs
    assert isinstance(inputs["data"], Secret)
    assert inputs["data"].element == {"token": base64.b64encode(b"hunter2").decode()}
    live = obj("Secret", data=inputs["data"].element)
    assert found(plugin, inputs, live, given) == ({}, False)


def test_marks_of_secrets_stay(plugin: Plugin) -> None:
    given = obj("ConfigMap", data={"a": Secret("1"), "b": "2"})
    inputs, _ = plugin.check("kubernetes:core/v1:ConfigMap", given)
    assert isinstance(inputs["data"]["a"], Secret)
    assert inputs["data"]["b"] == "2"
    answer = plugin.create("kubernetes:core/v1:ConfigMap", {**given, "x": UNKNOWN}, preview=True)
    assert isinstance(from_wire(answer.properties)["data"]["a"], Secret)
