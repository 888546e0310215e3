"""No key in clear: what is sent to Pulumi, and what a stack exports."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import json_format
from pulumi.runtime.rpc import _special_secret_sig, _special_sig_key

from tests.graph.variations import ALL, variation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.graph.recorder import Graph, Resource

KEY = "PRIVATE KEY"
every_stack = pytest.mark.parametrize("stack", ALL)


def in_clear(value: Any) -> Iterator[str]:  # noqa: ANN401  # JSON
    """Yield the texts of a message of Pulumi's that are not marked as secret."""
    if isinstance(value, dict):
        if value.get(_special_sig_key) == _special_secret_sig:
            return
        for key, each in value.items():
            yield key
            yield from in_clear(each)
    elif isinstance(value, list):
        for each in value:
            yield from in_clear(each)
    elif isinstance(value, str):
        yield from _decoded(value)


def _decoded(text: str) -> Iterator[str]:
    """Yield a text, and what it stands for in base64."""
    yield text
    if len(text) > 40 and re.fullmatch(r"[A-Za-z0-9+/\n]+=*", text):
        yield base64.b64decode(text).decode(errors="replace")


def messages(graph: Graph) -> Iterator[tuple[Resource, Any]]:
    for resource in graph.resources:
        yield resource, json_format.MessageToDict(resource.request)


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
