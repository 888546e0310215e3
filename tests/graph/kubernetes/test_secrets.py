"""No key and no token in clear: what is sent to Pulumi, and what a stack exports."""

from __future__ import annotations

import json

import pytest

from components.kubernetes import token
from tests.graph.clear_text import KEY, in_clear, messages
from tests.graph.kubernetes.variations import ALL, variation

# As the mock makes one.
TOKEN = "TOKEN "  # noqa: S105
every_stack = pytest.mark.parametrize("stack", ALL)


@every_stack
def test_nothing_secret_is_sent_in_clear(stack: str) -> None:
    """In no input, no pickled provider, no annotation and no option."""
    for resource, message in messages(ALL[stack]()):
        leaks = [text for text in in_clear(message) if KEY in text or TOKEN in text]
        assert not leaks, resource.label


def test_it_would_be_seen() -> None:
    """Keys and token do pass through the program, and are secrets on their way."""
    sent = {
        resource.label.rpartition(":")[2]
        for resource, message in messages(variation("everything"))
        if KEY in json.dumps(message) or TOKEN in json.dumps(message)
    }
    assert sent == {
        *(f"Certificate dask-test-tls-{role}" for role in ("scheduler", "worker", "client")),
        *(f"Secret dask-test-tls-{role}" for role in ("scheduler", "worker", "client")),
        "Secret dask-test-jupyter",
    }


def test_what_is_answered_stays_secret_in_the_state() -> None:
    graph = variation("everything")
    made = graph.of(":Authority", ":Certificate")
    assert len(made) == 4
    for each in made:
        assert list(each.request.additionalSecretOutputs) == ["private_key"]
    assert list(graph.one(":Token").request.additionalSecretOutputs) == ["token"]
    for each in graph.of("core/v1:Secret"):
        # Kubernetes answers with the same in base64.
        assert set(each.request.additionalSecretOutputs) == {"data", "stringData"}


def test_each_role_gets_its_own_key_and_no_other() -> None:
    graph = variation("everything")
    for role in ("scheduler", "worker", "client"):
        secret = graph.one("core/v1:Secret", f"dask-test-tls-{role}").inputs["stringData"]
        own = graph.one(":Certificate", f"dask-test-tls-{role}").outputs
        assert secret["key.pem"] == own["private_key"]
        assert secret["certificate.pem"] == own["certificate"]
        assert secret["authority.pem"] == graph.one(":Authority").outputs["certificate"]


@every_stack
def test_nothing_secret_is_exported_and_no_component_tells_one(stack: str) -> None:
    graph = ALL[stack]()
    for told in (graph.outputs, *(outputs for _, outputs in graph.registered)):
        assert KEY not in json.dumps(told)
        assert TOKEN not in json.dumps(told)


def test_a_token_is_made_once_and_never_again() -> None:
    provider = token._TokenProvider()
    first, second = ((provider.create({"token": None}).outs or {})["token"] for _ in range(2))
    assert first != second
    assert len(first) >= 43  # 256 bits
    assert not provider.diff("token", {"token": first}, {"token": None}).changes
