"""States as the scenarios compare them: whole, but without what no two runs share."""

from __future__ import annotations

import json
from typing import Any

from tests.engine.backends import STACK
from tests.engine.fake_provider.wire import SECRET, SIGNATURE, Value

VOLATILE = ("created", "modified", "sourcePosition", "stackTrace")


def normalise(exported: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources of a state, with ids of providers that say nothing and secrets in clear."""
    resources = exported["deployment"].get("resources") or []
    provider_ids = [each["id"] for each in resources if _is_provider(each)]
    found = []
    for resource in resources:
        plain = {
            # An empty list and no list mean the same in a state, and `propertyDependencies` may
            # name a property that depends on nothing.
            key: value
            for key, value in map(_without_empty, resource.items())
            if key not in VOLATILE and value not in (None, False, "", [], {})
        }
        plain["custom"] = resource["custom"]
        found.append(_without_ids(_in_clear(plain), provider_ids))
    return found


def _is_provider(resource: dict[str, Any]) -> bool:
    return str(resource["type"]).startswith("pulumi:providers:")


def _without_empty(item: tuple[str, Any]) -> tuple[str, Any]:
    key, value = item
    if key == "propertyDependencies":
        return key, {name: sorted(urns) for name, urns in value.items() if urns}
    return key, sorted(value) if key == "dependencies" and value else value


def _in_clear(value: Value) -> Value:
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return {"secret": json.loads(value["plaintext"])}
        return {key: _in_clear(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_in_clear(each) for each in value]
    return value


def _without_ids(value: Value, ids: list[str]) -> Value:
    if isinstance(value, dict):
        return {key: _without_ids(each, ids) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_ids(each, ids) for each in value]
    if isinstance(value, str):
        for each in ids:
            value = value.replace(each, "<id>")
    return value


def stack_state(outputs: dict[str, Any] | None = None) -> dict[str, Any]:
    """The state of the stack itself."""
    made = {
        "urn": f"urn:pulumi:{STACK}::scenarios::pulumi:pulumi:Stack::scenarios-{STACK}",
        "type": "pulumi:pulumi:Stack",
        "custom": False,
    }
    return {**made, "outputs": outputs} if outputs else made


def provider_state(name: str = "default_1_2_3", **config: Value) -> dict[str, Any]:
    """The state of a provider of the package `fake`; the default one knows its version.

    `__internal` marks that `version` is not a setting (SetProviderVersion,
    pkg/resource/deploy/providers/registry.go); outputs are without it (Registry.Create).
    """
    config = {"version": "1.2.3", **config}
    return {
        "urn": f"urn:pulumi:{STACK}::scenarios::pulumi:providers:fake::{name}",
        "type": "pulumi:providers:fake",
        "custom": True,
        "id": "<id>",
        "inputs": {"__internal": {}, **config},
        "outputs": config,
    }


def thing_state(
    name: str,
    inputs: dict[str, Any],
    *,
    number: int = 1,
    outputs: dict[str, Any] | None = None,
    **more: Value,
) -> dict[str, Any]:
    """The state of a thing below the stack, made by the default provider."""
    default = f"urn:pulumi:{STACK}::scenarios::pulumi:providers:fake::default_1_2_3"
    made = {
        "urn": f"urn:pulumi:{STACK}::scenarios::fake:index:Thing::{name}",
        "type": "fake:index:Thing",
        "custom": True,
        "id": f"{name}-{number}",
        "outputs": {**inputs, "handle": f"{name}-{number}", **(outputs or {})},
        "parent": stack_state()["urn"],
        "provider": f"{default}::<id>",
    }
    return {**made, **({"inputs": inputs} if inputs else {}), **more}
