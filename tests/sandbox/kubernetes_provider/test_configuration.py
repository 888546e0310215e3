"""Which API servers the plugin works with, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import psutil
import pytest
from pulumi.runtime.proto import provider_pb2

from engine.values import UNKNOWN, to_wire
from tests.sandbox.kubernetes_provider.conftest import kubeconfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.sandbox.kubernetes_provider.conftest import Canned
    from tests.sandbox.provider.cases.case import Value
    from tests.sandbox.provider.plugin import Plugin

ELSEWHERE = "https://cluster.example.org:6443"
HERE = "https://127.0.0.1:6443"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"


def refusal(call: Value, *args: Value, **more: Value) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        call(*args, **more)
    return str(caught.value.details())


def own_address() -> str:
    found = [a.address for each in psutil.net_if_addrs().values() for a in each]
    return next(a for a in found if a.count(".") == 3 and not a.startswith("127."))


@pytest.mark.parametrize(
    "server",
    [
        ELSEWHERE,
        "https://127.0.0.1.example.org:6443",
        "https://localhost@cluster.example.org",
        "https://203.0.113.9:6443",
        "https://10.255.255.254:6443",
        "https://[2001:db8::1]:6443",
    ],
)
def test_an_api_server_elsewhere_is_refused(launch: Callable[..., Plugin], server: str) -> None:
    plugin = launch(server)
    said = refusal(plugin.configure)
    assert server in said
    assert "not at an address of this machine" in said
    request = provider_pb2.CheckRequest(news=to_wire({}))
    assert [f.property for f in plugin.stub.CheckConfig(request).failures] == ["kubeconfig"]
    assert "not configured" in refusal(plugin.check, CONFIG_MAP, {})


@pytest.mark.parametrize(
    "server",
    [HERE, "https://localhost:6443", "https://[::1]:6443", "https://0.0.0.0:6443", "own"],
)
def test_an_api_server_of_this_machine_is_taken(launch: Callable[..., Plugin], server: str) -> None:
    launch(server.replace("own", f"https://{own_address()}:6443")).configure()


def test_no_command_of_a_kubeconfig_that_leads_elsewhere_is_run(
    launch: Callable[..., Plugin], tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    command = f"{{apiVersion: client.authentication.k8s.io/v1, command: touch, args: [{ran}]}}"
    users = f"users: [{{name: me, user: {{exec: {command}}}}}]"
    text = kubeconfig(ELSEWHERE).replace("users:", f"{users}\nothers:")
    plugin = launch(HERE)
    assert ELSEWHERE in refusal(plugin.configure, kubeconfig=text)
    assert not ran.exists()
    # The same one for a server of this machine does run it.
    plugin.configure(kubeconfig=text.replace(ELSEWHERE, HERE))
    assert ran.exists()


def test_the_context_that_is_named_is_used(launch: Callable[..., Plugin], canned: Canned) -> None:
    plugin = launch(ELSEWHERE, canned.url)
    plugin.configure(context="c1", namespace="mine")
    inputs, faults = plugin.check(CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap"})
    assert faults == {}
    assert inputs["metadata"]["namespace"] == "mine"
    assert "nobody" in refusal(plugin.configure, context="nobody")


def test_a_kubeconfig_is_a_path_or_a_text(launch: Callable[..., Plugin], canned: Canned) -> None:
    plugin = launch(ELSEWHERE, KUBECONFIG="/nowhere")
    assert "there is no kubeconfig at /nowhere" in refusal(plugin.configure)
    plugin.configure(kubeconfig=kubeconfig(canned.url))
    inputs, _ = plugin.check(CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap"})
    assert inputs["metadata"]["namespace"] == "spaces"


@pytest.mark.parametrize(
    ("news", "fault"),
    [
        ({"cluster": "other"}, "cluster"),
        ({"renderYamlToDirectory": "/x"}, "renderYamlToDirectory"),
        ({"upsertExistingObjects": "true"}, "upsertExistingObjects"),
        ({"enableServerSideApply": "false"}, "enableServerSideApply"),
    ],
)
def test_other_settings_are_refused(
    launch: Callable[..., Plugin], news: dict[str, Value], fault: str
) -> None:
    request = provider_pb2.CheckRequest(news=to_wire(news))
    found = launch(HERE).stub.CheckConfig(request).failures
    assert [f.property for f in found] == [fault]
    assert fault in found[0].reason


@pytest.mark.parametrize(
    ("change", "diffs", "replaces"),
    [
        ({}, [], []),
        ({"namespace": "other"}, ["namespace"], []),
        ({"context": "c1"}, ["context"], ["context"]),
        ({"context": "c2"}, ["context"], []),
        ({"context": UNKNOWN}, ["context"], ["context"]),
    ],
)
def test_another_api_server_replaces_everything(
    launch: Callable[..., Plugin], change: dict[str, Value], diffs: list[str], replaces: list[str]
) -> None:
    old = {"context": "c0", "version": "4"}
    plugin = launch(HERE, "https://127.0.0.1:6444", HERE)
    request = provider_pb2.DiffRequest(old_inputs=to_wire(old), news=to_wire({**old, **change}))
    found = plugin.stub.DiffConfig(request)
    assert (list(found.diffs), list(found.replaces)) == (diffs, replaces)


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("kubernetes:helm.sh/v3:Release", "no Helm charts"),
        ("kubernetes:helm.sh/v4:Chart", "no Helm charts"),
        ("kubernetes:yaml/v2:ConfigGroup", "YAML files"),
        ("kubernetes:kustomize/v2:Directory", "Kustomize"),
        ("kubernetes:core/v1:ConfigMapPatch", "no Patch resources"),
        ("kubernetes:core/v1:ConfigMapList", "lists cannot be created"),
        ("kubernetes:core/v1:Pod", "does not know this kind's ways"),
        ("kubernetes:batch/v1:Job", "does not know this kind's ways"),
        ("kubernetes:core/v1:Secretive", "knows no Secretive of v1"),
        ("kubernetes:none/v1:Thing", "knows no Thing of none/v1"),
    ],
)
def test_other_types_are_refused(plugin: Plugin, token: str, said: str) -> None:
    assert said in refusal(plugin.check, token, {"metadata": {"name": "x"}})


def test_functions_are_refused(plugin: Plugin) -> None:
    assert "knows no functions" in refusal(plugin.invoke, "kubernetes:yaml:decode", {})


def test_an_api_server_that_does_not_answer_is_named(launch: Callable[..., Plugin]) -> None:
    plugin = launch("http://127.0.0.1:1")
    plugin.configure()
    assert "http://127.0.0.1:1 cannot be reached" in refusal(plugin.check, CONFIG_MAP, {})


def test_a_redirect_is_not_followed(plugin: Plugin, canned: Canned) -> None:
    canned.objects["/api/v1"] = {"elsewhere": f"{canned.url}/other"}
    assert "cannot be reached" in refusal(plugin.check, CONFIG_MAP, {})
    assert "/other" not in canned.asked


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"generateName": "x-"}, "generateName"),
        ({"name": "x", "annotations": {"pulumi.com/waitFor": "condition=Ready"}}, "waitFor"),
    ],
)
def test_what_it_does_not_do_is_refused(
    plugin: Plugin, metadata: dict[str, Value], said: str
) -> None:
    inputs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    assert said in plugin.check(CONFIG_MAP, inputs)[1]["metadata"]


def test_a_name_is_kept_while_its_object_lives(plugin: Plugin) -> None:
    inputs = {"apiVersion": "v1", "kind": "ConfigMap"}
    first, _ = plugin.check(CONFIG_MAP, inputs)
    name = first["metadata"]["name"]
    assert name.startswith("thing-")
    assert len(name) == len("thing-") + 8
    again, _ = plugin.check(CONFIG_MAP, inputs, first)
    assert again == first
    named, _ = plugin.check(CONFIG_MAP, {**inputs, "metadata": {"name": "mine"}}, first)
    assert named["metadata"] == {"name": "mine", "namespace": "spaces"}
