"""What Pulumi.yaml declares about configuration, and whether a value is of a declared type.

Rules and messages are those of the real CLI (pulumi/sdk/go/common/workspace/project.go,
`ValidateConfigValue`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engine.errors import EngineError

_TYPES: Final = ("string", "integer", "boolean", "array", "object")
_ATTRIBUTES: Final = frozenset({"type", "description", "items", "default", "value", "secret"})


@dataclass(frozen=True)
class Declaration:
    """What Pulumi.yaml says about one key; without a `type` it is only a value."""

    key: str
    type: str = ""
    items: Mapping[str, Any] | None = None
    default: Any = None
    secret: bool = False


def declarations(project: str, source: Any, path: Path) -> list[Declaration]:  # noqa: ANN401
    """Read the `config:` block of Pulumi.yaml.

    Raises:
        EngineError: It is not what Pulumi accepts.
    """
    if source is None:
        return []
    if not isinstance(source, Mapping):
        raise EngineError(f"could not unmarshal '{path}': 'config' must be a map")
    return [_declaration(project, key, source[key], path) for key in sorted(source)]


def _declaration(project: str, key: str, source: Any, path: Path) -> Declaration:  # noqa: ANN401
    def fail(what: str) -> EngineError:
        return EngineError(f"could not unmarshal '{path}': {what}")

    if not isinstance(source, Mapping):
        return Declaration(key, default=source)
    if unknown := sorted(set(source) - _ATTRIBUTES):
        raise fail(f"the configuration key '{key}' has the unknown attribute '{unknown[0]}'")
    type_, default = source.get("type", ""), source.get("default")
    foreign = ":" in key and not key.startswith(f"{project}:")
    if foreign and (type_ or default is not None):
        raise fail(
            f"Configuration key '{key}' is not namespaced by the project and should not define a "
            "type"
        )
    if type_ and type_ not in _TYPES:
        raise fail(f"#/config/{key}/type: value must be one of {', '.join(map(repr, _TYPES))}")
    if type_ == "array" and "items" not in source:
        raise fail(
            f"The configuration key '{key}' declares an array but does not specify the underlying "
            "type via the 'items' attribute"
        )
    value = source.get("value")
    if default is not None and value is not None:
        raise fail(f"The configuration key '{key}' can have a value or a default, not both")
    if not type_ and default is not None:
        type_ = _inferred(default)
    if default is not None and not conforms(type_, source.get("items"), default):
        name = type_name(type_, source.get("items"))
        raise fail(
            f"The default value specified for configuration key '{key}' is not of the expected "
            f"type '{name}'"
        )
    secret = bool(source.get("secret", False))
    chosen = value if default is None else default
    return Declaration(
        key, type_ or ("" if foreign else "string"), source.get("items"), chosen, secret
    )


def _inferred(value: Any) -> str:  # noqa: ANN401
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case list():
            return "array"
        case Mapping():
            return "object"
        case _:
            return "string"


def conforms(type_: str, items: Mapping[str, Any] | None, value: Any) -> bool:  # noqa: ANN401, PLR0911
    """Whether a value is of a config type; texts that read as one count."""
    match type_:
        case "string":
            return not isinstance(value, Mapping | list) and value is not None
        case "integer":
            if isinstance(value, str):
                return re.fullmatch(r"[-+]?\d+", value) is not None
            return isinstance(value, int) and not isinstance(value, bool)
        case "boolean":
            return value in {"true", "false"} if isinstance(value, str) else isinstance(value, bool)
        case "array":
            if not isinstance(value, list):
                return False
            if items is None:
                return True
            return all(conforms(items["type"], items.get("items"), item) for item in value)
        case _:
            return isinstance(value, Mapping)


def type_name(type_: str, items: Mapping[str, Any] | None) -> str:
    """A config type as messages name it: `array<string>`."""
    if type_ == "array" and items:
        return f"array<{type_name(items['type'], items.get('items'))}>"
    return type_
