"""A state as JSON, in the form that `pulumi stack import` takes.

The form is `DeploymentV3` of pulumi/sdk/go/common/apitype/core.go.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

from engine.crypter import Crypter
from engine.errors import EngineError
from engine.state import Deployment, Operation, ResourceState, now
from engine.values import (
    RESOURCE_SIGNATURE,
    SECRET_SIGNATURE,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_SENTINEL,
    ResourceReference,
    Secret,
    Unknown,
)

VERSION: Final = 3
_JSON_NAMES: Final = {
    "property_dependencies": "propertyDependencies",
    "retain_on_delete": "retainOnDelete",
    "pending_replacement": "pendingReplacement",
    "init_errors": "initErrors",
    "additional_secret_outputs": "additionalSecretOutputs",
    "ignore_changes": "ignoreChanges",
    "replace_on_changes": "replaceOnChanges",
    "custom_timeouts": "customTimeouts",
    "source_position": "sourcePosition",
}
_FIELDS: Final = {
    f.name: _JSON_NAMES.get(f.name, f.name) for f in fields(ResourceState) if f.name != "other"
}
# Written by Pulumi and harmless to carry along.
_CARRIED: Final = frozenset({"aliases", "stackTrace", "importID", "hideDiff"})


def dump(
    deployment: Deployment, crypter: Callable[[], Crypter], *, show_secrets: bool = False
) -> dict[str, Any]:
    """The state as JSON data.

    Args:
        deployment: The state.
        crypter: Makes the crypter; called only when there are secrets.
        show_secrets: Write secrets as plain text, as `pulumi stack export --show-secrets` does.
    """
    encoder = _Encoder(crypter, show_secrets=show_secrets)
    resources = [encoder.resource(state) for state in deployment.resources]
    pending = [
        {"resource": encoder.resource(op.resource), "type": op.type} for op in deployment.pending
    ]
    result: dict[str, Any] = {
        "manifest": {"time": now(), "magic": "", "version": ""},
        "resources": resources,
        "pending_operations": pending,
        "metadata": {},
    }
    if encoder.secrets:
        # Without this block the real CLI cannot encrypt even plain secrets that it imports.
        salt = crypter().salt_line
        result["secrets_providers"] = {"type": "passphrase", "state": {"salt": salt}}
    return {"version": VERSION, "deployment": result}


class _Encoder:
    """Writes values, and remembers whether there was a secret."""

    def __init__(self, crypter: Callable[[], Crypter], *, show_secrets: bool) -> None:
        self._crypter = crypter
        self._show_secrets = show_secrets
        self.secrets = False

    def resource(self, state: ResourceState) -> dict[str, Any]:
        result: dict[str, Any] = {"urn": state.urn, "custom": state.custom}
        for name, json_name in _FIELDS.items():
            value = getattr(state, name)
            if name not in {"urn", "custom"} and value:
                result[json_name] = self.value(value)
        return result | state.other

    def value(self, value: Any) -> Any:  # noqa: ANN401
        match value:
            case Secret():
                return self._secret(value)
            case Unknown():
                # `computedValuePlaceholder` in pulumi/pkg/resource/stack/deployment.go
                return UNKNOWN_SENTINEL
            case ResourceReference():
                reference = {SIGNATURE: RESOURCE_SIGNATURE, "urn": value.urn}
                if value.id is not None:
                    reference["id"] = value.id
                return reference | {"packageVersion": value.version}
            case Mapping():
                return {key: self.value(value[key]) for key in sorted(value)}
            case list() | tuple():
                return [self.value(item) for item in value]
            case _:
                return value

    def _secret(self, secret: Secret) -> dict[str, str]:
        self.secrets = True
        text = json.dumps(self.value(secret.element), separators=(",", ":"))
        if self._show_secrets:
            return {SIGNATURE: SECRET_SIGNATURE, "plaintext": text}
        if secret.ciphertext is None:
            secret.ciphertext = self._crypter().encrypt(text)
        return {SIGNATURE: SECRET_SIGNATURE, "ciphertext": secret.ciphertext}


def load(data: Mapping[str, Any], crypter: Callable[[], Crypter]) -> Deployment:
    """Read a state from its JSON data.

    Raises:
        EngineError: It is not a version 3 deployment, holds a field that this engine does not
            know, or its secrets cannot be decrypted.
    """
    version, body = data.get("version"), data.get("deployment")
    if version != VERSION or not isinstance(body, Mapping):
        raise EngineError(
            f"this engine reads deployments of version {VERSION}, and this one is {version!r}"
        )
    return Deployment(
        [_resource(item, crypter) for item in body.get("resources") or []],
        [
            Operation(_resource(item["resource"], crypter), item["type"])
            for item in body.get("pending_operations") or []
        ],
    )


def _resource(item: Mapping[str, Any], crypter: Callable[[], Crypter]) -> ResourceState:
    known = {n: _decode(item[key], crypter) for n, key in _FIELDS.items() if item.get(key)}
    extra = {key: item[key] for key in item if key not in _FIELDS.values() and item[key]}
    if unknown := sorted(set(extra) - _CARRIED):
        raise EngineError(
            f"the state of {item.get('urn')} uses what this engine does not support: "
            f"{', '.join(unknown)}"
        )
    return ResourceState(**{"urn": "", "type": "", **known, "other": extra})


def _decode(value: Any, crypter: Callable[[], Crypter]) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_decode(item, crypter) for item in value]
    if not isinstance(value, Mapping):
        return UNKNOWN if value == UNKNOWN_SENTINEL else value
    signature = value.get(SIGNATURE)
    if signature is None:
        return {key: _decode(item, crypter) for key, item in value.items()}
    if signature == RESOURCE_SIGNATURE:
        return ResourceReference(value["urn"], value.get("id"), value.get("packageVersion", ""))
    if signature != SECRET_SIGNATURE:
        raise EngineError(f"the state holds a value of the unsupported kind {signature!r}")
    if "plaintext" in value:
        return Secret(_decode(json.loads(value["plaintext"]), crypter))
    ciphertext = value["ciphertext"]
    return Secret(_decode(json.loads(crypter().decrypt(ciphertext)), crypter), ciphertext)
