"""No key in clear: what is sent to Pulumi, and what a stack exports."""

from __future__ import annotations

import base64
import json

import pytest

from tests.graph.clear_text import KEY, in_clear, messages
from tests.graph.variations import ALL, variation

every_stack = pytest.mark.parametrize("stack", ALL)


@every_stack
def test_no_key_is_sent_in_clear(stack: str) -> None:
    """In no input, no pickled provider, no user data and no option."""
    for resource, message in messages(ALL[stack]()):
        leaks = [text for text in in_clear(message) if KEY in text]
        assert not leaks, resource.label


def test_a_key_in_clear_would_be_seen() -> None:
    """The certificates' keys do pass through the program, and are secrets on their way."""
    graph = variation("plain")
    secret = [each for each, message in messages(graph) if KEY in json.dumps(message)]
    assert {each.type.rpartition(":")[2] for each in secret} == {"SecretVersion", "Certificate"}
    assert len(secret) == 6
    pem = graph.one(":Authority").outputs["private_key"]
    hidden = base64.b64encode(pem.encode()).decode()
    assert [text for text in in_clear({"inputs": [{"x": hidden}]}) if KEY in text]


def test_keys_stay_secret_in_the_state() -> None:
    """What a dynamic provider answers is marked by the resource's options."""
    graph = variation("plain")
    made = graph.of(":Authority", ":Certificate")
    assert len(made) == 4
    for each in made:
        assert list(each.request.additionalSecretOutputs) == ["private_key"]
        assert KEY in each.outputs["private_key"]


@every_stack
def test_no_key_is_exported_and_no_component_tells_one(stack: str) -> None:
    graph = ALL[stack]()
    assert KEY not in json.dumps(graph.outputs)
    for _, outputs in graph.registered:
        assert KEY not in json.dumps(outputs)


@every_stack
def test_a_stack_exports_what_clients_need(stack: str) -> None:
    graph = ALL[stack]()
    secret = graph.one(":Secret", f"dask-{graph.outputs['cluster']}-client")
    assert graph.outputs["client_secret"] == secret.outputs["arn"]
    assert graph.outputs["platform"] == "vm"
    assert graph.outputs["workers"] >= graph.values["workers"]
    names = {each.inputs["name"] for each in graph.of("autoscaling/group:Group")}
    assert set(graph.outputs["groups"].values()) == names
