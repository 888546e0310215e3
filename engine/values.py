"""Property values: how they look in Python, on the wire and when they are compared.

Inside the engine a property map is a plain `dict`, with four classes for what JSON cannot say:
`Secret`, `Unknown`, `ResourceReference` and nothing else. Signatures and the unknown sentinels are
those of pulumi/sdk/go/common/resource/plugin/rpc.go and resource/sig.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf import struct_pb2

from engine.errors import EngineError

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a public type tag
OUTPUT_SIGNATURE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
RESOURCE_SIGNATURE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
ASSET_SIGNATURES: Final = frozenset(
    {"c44067f5952c0a294b673a41bacd8c17", "0def7320c3a5731c473e5ecbe6d01bc7"}
)
UNKNOWN_SENTINEL: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWN_SENTINELS: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        UNKNOWN_SENTINEL,  # string
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
_EXACT_INTEGERS: Final = 2**53

Properties = dict[str, Any]


class Unknown:
    """A value that only an update can know. Use the one instance, `UNKNOWN`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "[unknown]"


UNKNOWN: Final = Unknown()


@dataclass
class Secret:
    """A value that is never shown and is encrypted in the state.

    Attributes:
        element: The value itself; it may hold anything but another secret.
        ciphertext: What the state file holds for it, kept so that an unchanged secret stays
            byte for byte the same in the file.
    """

    element: Any
    ciphertext: str | None = field(default=None, compare=False, repr=False)

    def __repr__(self) -> str:
        return "[secret]"


@dataclass(frozen=True)
class ResourceReference:
    """A resource used as a value.

    Attributes:
        urn: The resource.
        id: Its id; None for a component, `UNKNOWN` in a preview.
        version: Version of the package that defines it, or empty.
    """

    urn: str
    id: Any = None
    version: str = ""


def from_wire(value: struct_pb2.Struct) -> Properties:
    """Read a property map from the wire.

    Raises:
        EngineError: The map holds an asset or an archive.
    """
    # The wire has no order of its own; a sorted one makes every run read the same.
    return {key: value_from_wire(value.fields[key]) for key in sorted(value.fields)}


def value_from_wire(value: struct_pb2.Value) -> Any:  # noqa: ANN401 - any property value
    """Read one property value from the wire; whole numbers become `int`."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _object_from_wire(from_wire(value.struct_value))
    if kind == "list_value":
        return [value_from_wire(item) for item in value.list_value.values]
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text in _UNKNOWN_SENTINELS else text
    if kind == "number_value":
        return number(value.number_value)
    return value.bool_value if kind == "bool_value" else None


def number(value: float) -> int | float:
    """A double as the state file writes it: 5 and not 5.0."""
    if value.is_integer() and abs(value) < _EXACT_INTEGERS:
        return int(value)
    return value


def _object_from_wire(fields: Properties) -> Any:  # noqa: ANN401
    match fields.get(SIGNATURE):
        case None:
            return fields
        case signature if signature == SECRET_SIGNATURE:
            return secret(fields.get("value"))
        case signature if signature == OUTPUT_SIGNATURE:
            value = fields.get("value", UNKNOWN)
            return secret(value) if fields.get("secret") else value
        case signature if signature == RESOURCE_SIGNATURE:
            version = str(fields.get("packageVersion") or "")
            return ResourceReference(str(fields["urn"]), fields.get("id"), version)
        case signature if signature in ASSET_SIGNATURES:
            raise EngineError(
                "assets and archives are not supported by this engine: "
                "pass the content as a string, or use Pulumi itself"
            )
        case signature:
            raise EngineError(f"a property value has the unknown signature {signature!r}")


def secret(value: Any) -> Secret:  # noqa: ANN401
    """Mark a value as secret, once: secrets inside it are lifted to the one around them."""
    return Secret(unwrap(value))


def to_wire(
    properties: Mapping[str, Any],
    *,
    secrets: bool = True,
    resources: bool = True,
) -> struct_pb2.Struct:
    """Write a property map for the wire.

    Args:
        properties: The map.
        secrets: Keep secrets marked; otherwise their plain value is sent.
        resources: Keep resource references; otherwise the id (or, for a component, the URN) is
            sent.
    """
    result = struct_pb2.Struct()
    for key, value in properties.items():
        _fill(result.fields[key], value, secrets=secrets, resources=resources)
    return result


def _fill(  # noqa: C901, PLR0912 - one branch for each kind of value
    target: struct_pb2.Value,
    value: Any,  # noqa: ANN401
    *,
    secrets: bool,
    resources: bool,
) -> None:
    match value:
        case None:
            target.null_value = struct_pb2.NULL_VALUE
        case bool():
            target.bool_value = value
        case int() | float():
            target.number_value = float(value)
        case str():
            target.string_value = value
        case Unknown():
            target.string_value = UNKNOWN_SENTINEL
        case Secret() if not secrets:
            _fill(target, value.element, secrets=secrets, resources=resources)
        case Secret():
            fields = target.struct_value.fields
            fields[SIGNATURE].string_value = SECRET_SIGNATURE
            _fill(fields["value"], value.element, secrets=secrets, resources=resources)
        case ResourceReference() if not resources:
            plain = value.urn if value.id is None else value.id
            _fill(target, plain, secrets=secrets, resources=resources)
        case ResourceReference():
            fields = target.struct_value.fields
            fields[SIGNATURE].string_value = RESOURCE_SIGNATURE
            fields["urn"].string_value = value.urn
            if value.id is not None:
                _fill(fields["id"], value.id, secrets=secrets, resources=resources)
            if value.version:
                fields["packageVersion"].string_value = value.version
        case Mapping():
            target.struct_value.SetInParent()
            for key, item in value.items():
                child = target.struct_value.fields[key]
                _fill(child, item, secrets=secrets, resources=resources)
        case list() | tuple():
            target.list_value.SetInParent()
            for item in value:
                child = target.list_value.values.add()
                _fill(child, item, secrets=secrets, resources=resources)
        case _:
            raise EngineError(f"a {type(value).__name__} is not a property value")


def same(left: Any, right: Any) -> bool:  # noqa: ANN401
    """Whether two property values are equal; unlike `==`, True is not 1."""
    if isinstance(left, Secret) or isinstance(right, Secret):
        both = isinstance(left, Secret) and isinstance(right, Secret)
        return both and same(left.element, right.element)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def transform(value: Any, leaf: Callable[[Any], Any]) -> Any:  # noqa: ANN401
    """Rebuild a value with `leaf` applied to everything that is neither object nor list."""
    if isinstance(value, Mapping):
        return {key: transform(item, leaf) for key, item in value.items()}
    if isinstance(value, list):
        return [transform(item, leaf) for item in value]
    return leaf(value)


def unwrap(value: Any) -> Any:  # noqa: ANN401
    """The value with every secret replaced by what it holds."""
    return transform(value, lambda v: unwrap(v.element) if isinstance(v, Secret) else v)


def redact(value: Any, *, show_secrets: bool = False) -> Any:  # noqa: ANN401
    """The value as plain JSON for a person: `[secret]` and `[unknown]` where they apply."""

    def leaf(item: Any) -> Any:  # noqa: ANN401
        match item:
            case Secret():
                return redact(item.element, show_secrets=True) if show_secrets else "[secret]"
            case Unknown():
                return "[unknown]"
            case ResourceReference():
                return item.urn if item.id is None else redact(item.id)
            case _:
                return item

    return transform(value, leaf)


def has_unknown(value: Any) -> bool:  # noqa: ANN401
    """Whether an unknown value is anywhere inside."""
    return _any(value, lambda item: isinstance(item, Unknown))


def has_secret(value: Any) -> bool:  # noqa: ANN401
    """Whether a secret is anywhere inside."""
    return _any(value, lambda item: isinstance(item, Secret))


def _any(value: Any, test: Callable[[Any], bool]) -> bool:  # noqa: ANN401
    if test(value):
        return True
    match value:
        case Secret():
            return _any(value.element, test)
        case ResourceReference():
            return _any(value.id, test)
        case Mapping():
            return any(_any(item, test) for item in value.values())
        case list():
            return any(_any(item, test) for item in value)
        case _:
            return False


def annotate_secrets(outputs: Properties, inputs: Mapping[str, Any]) -> Properties:
    """Mark outputs as secret whose input of the same name was.

    A provider that does not take secrets gets plain values and so cannot give the mark back
    (pulumi/sdk/go/common/resource/plugin/provider_plugin.go, annotateSecrets).
    """
    result = dict(outputs)
    for key, given in inputs.items():
        if key not in result:
            continue
        if isinstance(given, Mapping) and isinstance(result[key], Mapping):
            result[key] = annotate_secrets(result[key], given)
        elif not isinstance(result[key], Secret) and has_secret(given):
            result[key] = secret(result[key])
    return result
