"""Objects of Kubernetes: as a program writes them, as the server returns them, as Pulumi records.

Follows provider/pkg/provider/{provider,util}.go and provider/pkg/clients/unstructured.go of
pulumi-kubernetes.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from engine.values import Properties, Secret, annotate_secrets, has_unknown, secret, unwrap
from sandbox.kubernetes.provider.tokens import Kind

INPUTS: Final = "__inputs"
API_VERSION: Final = "__initialApiVersion"
MANAGER: Final = "__fieldManager"
AUTONAMED: Final = "pulumi.com/autonamed"
_OF_THE_SERVER: Final = (
    "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation",
    "managedFields", "resourceVersion", "uid",
)  # fmt: skip


def at(obj: Any, *path: str) -> Any:  # noqa: ANN401
    """What is at a path in nested objects; None if there is nothing."""
    for key in path:
        if not isinstance(obj, Mapping):
            return None
        obj = obj.get(key)
    return obj


def annotation(obj: Mapping[str, Any], key: str) -> str:
    """An annotation; empty if there is none."""
    value = at(obj, "metadata", "annotations", key)
    return value if isinstance(value, str) else ""


def annotated(obj: Mapping[str, Any], key: str) -> bool:
    """Whether an annotation is `true`."""
    return annotation(obj, key).lower() == "true"


def metadata(obj: Mapping[str, Any], key: str) -> str:
    """The name, namespace or uid of an object; empty if there is none."""
    value = at(obj, "metadata", key)
    return value if isinstance(value, str) else ""


def is_kind(obj: Mapping[str, Any], api_version: str, kind: str) -> bool:
    """Whether an object is of a kind."""
    return obj.get("apiVersion") == api_version and obj.get("kind") == kind


def kind_in(obj: Mapping[str, Any]) -> Kind:
    """The kind that an object says it is."""
    return Kind(str(obj.get("apiVersion")), str(obj.get("kind")))


def normalised(props: Mapping[str, Any]) -> Properties:
    """Inputs as the server would keep them, without marks of secrets; unknown values stay."""
    obj: Properties = _without_nulls(unwrap(props))
    if isinstance(obj.get("metadata"), dict):
        for key in _OF_THE_SERVER:
            obj["metadata"].pop(key, None)
    if is_kind(obj, "v1", "Secret") and not has_unknown(obj):
        _encode(obj)
    return obj


def _without_nulls(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _encode(obj: Properties) -> None:
    """Do with a Secret's texts what the server does: `stringData` becomes `data`."""
    data = {key: _recoded(value) for key, value in (obj.get("data") or {}).items()}
    for key, text in (obj.pop("stringData", None) or {}).items():
        data[key] = base64.b64encode(str(text).encode()).decode()
    if data or "data" in obj:
        obj["data"] = data


def _recoded(value: Any) -> Any:  # noqa: ANN401
    try:
        return base64.b64encode(base64.b64decode(value)).decode()
    except (binascii.Error, TypeError, ValueError):
        return value  # the server says what is wrong with it


def pruned(live: Any, inputs: Any) -> Any:  # noqa: ANN401
    """What the server has, cut down to the fields that the inputs have."""
    if isinstance(live, Mapping) and isinstance(inputs, Mapping):
        return {key: pruned(value, inputs[key]) for key, value in live.items() if key in inputs}
    if isinstance(live, list) and isinstance(inputs, list):
        return [pruned(value, given) for value, given in zip(live, inputs, strict=False)]
    return live


def hidden(obj: Properties, marked: Mapping[str, Any]) -> Properties:
    """The object with the secrets that the inputs mark; a Secret's data is always one."""
    if obj.get("kind") != "Secret":
        return annotate_secrets(obj, marked)
    return {
        key: secret(value)
        if key in {"data", "stringData"} and not isinstance(value, Secret)
        else value
        for key, value in obj.items()
    }


def checkpoint(
    inputs: Properties, live: Properties, marked: Mapping[str, Any], manager: str
) -> Properties:
    """What Pulumi records: everything that the server has, and the inputs that it came from."""
    state = hidden(live, marked)
    state[INPUTS] = hidden(inputs, marked)
    state[API_VERSION] = inputs.get("apiVersion", "")
    state[MANAGER] = manager
    return state


def recorded(state: Mapping[str, Any]) -> tuple[Properties, Properties]:
    """The inputs and what the server had, of a recorded state, without marks of secrets."""
    live: Properties = unwrap(state)
    inputs = normalised(live.pop(INPUTS, None) or {})
    live.pop(API_VERSION, None)
    live.pop(MANAGER, None)
    return inputs, live


def id_of(live: Mapping[str, Any]) -> str:
    """Pulumi's id of an object: `namespace/name`, or `name` where there is no namespace."""
    namespace, name = metadata(live, "namespace"), metadata(live, "name")
    return f"{namespace}/{name}" if namespace else name


def split_id(id_: str) -> tuple[str, str]:
    """Namespace, or the empty text, and name in an id."""
    namespace, _, name = id_.rpartition("/")
    return namespace, name
