"""How an input of a Pulumi type maps to a parameter of botocore, and how two values compare."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from engine.values import Unknown

Kind = Literal[
    "text", "number", "flag", "json", "flag-text", "number-text", "commas",
    "list", "set", "map", "block", "blocks", "block-set",
]  # fmt: skip
Props = dict[str, Any]
Fields = Mapping[str, "Field"]


@dataclass(frozen=True)
class Field:
    """One input.

    Attributes:
        kind: Shape of the value: `flag-text` and `number-text` are text to Pulumi only, `commas` is
            a list to Pulumi and one text to AWS.
        to: Name in botocore; None is Pulumi's own with a capital; empty if no call takes it.
        replace: A change needs a new resource.
        computed: Without it in the program, whatever AWS has is right.
        default: What counts as "not set" in AWS.
        local: AWS is never told: only the plugin uses it.
        secret: Never in clear.
        required: Check refuses a program without it.
        fields: Those of a block.
    """

    kind: Kind = "text"
    to: str | None = None
    replace: bool = False
    computed: bool = False
    default: Any = None
    local: bool = False
    secret: bool = False
    required: bool = False
    fields: Fields = field(default_factory=dict)

    @property
    def blocky(self) -> bool:
        """Whether it has fields of its own."""
        return self.kind in {"block", "blocks", "block-set"}

    def param(self, name: str) -> str:
        """Its name in botocore."""
        return name[:1].upper() + name[1:] if self.to is None else self.to


def _maker(kind: Kind) -> Any:  # noqa: ANN401 - a constructor of fields
    def make(to: str | None = None, **more: Any) -> Field:  # noqa: ANN401
        return Field(kind, to, **more)

    return make


text: Final = _maker("text")
number: Final = _maker("number")
flag: Final = _maker("flag")
document: Final = _maker("json")
flag_text: Final = _maker("flag-text")
number_text: Final = _maker("number-text")
commas: Final = _maker("commas")
texts: Final = _maker("list")
text_set: Final = _maker("set")
mapping: Final = _maker("map")
TAGS: Final = Field("map", "")


def block(fields: Fields, to: str | None = None, **more: Any) -> Field:  # noqa: ANN401
    """One object."""
    return Field("block", to, fields=fields, **more)


def blocks(fields: Fields, to: str | None = None, **more: Any) -> Field:  # noqa: ANN401
    """A list of objects, in order."""
    return Field("blocks", to, fields=fields, **more)


def block_set(fields: Fields, to: str | None = None, **more: Any) -> Field:  # noqa: ANN401
    """Objects without an order."""
    return Field("block-set", to, fields=fields, **more)


def local(kind: Kind = "flag", default: Any = None, **more: Any) -> Field:  # noqa: ANN401
    """An input that only the plugin reads."""
    return Field(kind, "", default=default, local=True, **more)


def replacing(fields: Fields) -> dict[str, Field]:
    """The same fields, all of which need a new resource to change; tags never do."""
    return {k: v if v is TAGS or v.local else replace(v, replace=True) for k, v in fields.items()}


def to_aws(fields: Fields, props: Mapping[str, Any]) -> Props:
    """Parameters for botocore; what is not set, or is empty text, is left out."""
    params: Props = {}
    for name, value in props.items():
        spec = fields.get(name)
        if spec is None or spec.to == "" or value is None or value == "":
            continue
        params[spec.param(name)] = _value_to_aws(spec, value)
    return params


def _value_to_aws(spec: Field, value: Any) -> Any:  # noqa: ANN401, PLR0911 - one for each kind
    match spec.kind:
        case "text":
            return plain_text(value)
        case "flag-text":
            return value if isinstance(value, bool) else str(value).lower() == "true"
        case "number-text" | "number" if isinstance(value, str):
            # A text that is no number goes on as it is: botocore refuses it by name.
            return value if isinstance(number_of(value), str) else _exact(value)
        case "json":
            return value if isinstance(value, str) else json.dumps(value)
        case "commas":
            return ",".join(value)
        case "set":
            return sorted(value, key=str)
        case "map":
            return {key: plain_text(item) for key, item in value.items()}
        case "block":
            return to_aws(spec.fields, value)
        case "blocks" | "block-set":
            return [to_aws(spec.fields, item) for item in value]
    return value


def _exact(value: str) -> float:
    return float(value) if "." in value else int(value)


def plain_text(value: Any) -> str:  # noqa: ANN401
    """A scalar as text, flags as Pulumi writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def from_aws(fields: Fields, data: Mapping[str, Any]) -> Props:
    """Properties under Pulumi's names; what AWS does not say is left out."""
    props: Props = {}
    for name, spec in fields.items():
        if spec.to == "" or data.get(spec.param(name)) is None:
            continue
        props[name] = _value_from_aws(spec, data[spec.param(name)])
    return props


def _value_from_aws(spec: Field, value: Any) -> Any:  # noqa: ANN401
    match spec.kind:
        case "text" | "flag-text" | "number-text":
            return plain_text(value)
        case "json" if not isinstance(value, str):
            return json.dumps(value)
        case "commas":
            return [item for item in value.split(",") if item]
        case "block":
            return from_aws(spec.fields, value)
        case "blocks" | "block-set":
            return [from_aws(spec.fields, item) for item in value]
    return value


def empty(spec: Field, value: Any) -> bool:  # noqa: ANN401
    """Whether AWS's value is what a program without this input gets."""
    if spec.default is not None and value is not None:
        return equal(spec, value, spec.default)
    if isinstance(value, Mapping):
        return all(spec.fields[k].computed or empty(spec.fields[k], v) for k, v in value.items()
                   if k in spec.fields) and not (spec.kind == "map" and value)  # fmt: skip
    return value in (None, "", "false", [], 0)


def equal(spec: Field, old: Any, new: Any) -> bool:  # noqa: ANN401
    """Whether AWS's value and the program's mean the same."""
    return next(differences(spec, old, new, "."), None) is None


def differences(spec: Field, old: Any, new: Any, path: str) -> Iterator[str]:  # noqa: ANN401
    """The paths at which AWS's value (`old`) and the program's differ in meaning."""
    if isinstance(new, Unknown):
        yield path
    elif new is None:
        if not spec.computed and not empty(spec, old):
            yield path
    elif spec.kind == "block" and isinstance(new, Mapping):
        yield from _block(spec, old or {}, new, path)
    elif spec.kind == "blocks" and isinstance(new, list):
        yield from _ordered(spec, old or [], new, path)
    elif spec.kind == "block-set" and isinstance(new, list):
        if not _same_set(spec, old or [], new):
            yield path
    elif not _same(spec, spec.default if old is None else old, new):
        yield path


def _block(spec: Field, old: Props, new: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, inner in spec.fields.items():
        yield from differences(inner, old.get(name), new.get(name), f"{path}.{name}")


def _ordered(spec: Field, old: list[Any], new: list[Any], path: str) -> Iterator[str]:
    if len(old) != len(new):
        yield path
        return
    one = replace(spec, kind="block")
    for index, (before, after) in enumerate(zip(old, new, strict=True)):
        yield from differences(one, before, after, f"{path}[{index}]")


def _same_set(spec: Field, old: list[Any], new: list[Any]) -> bool:
    one, left = replace(spec, kind="block"), list(old)
    for after in new:
        match = next((item for item in left if equal(one, item, after)), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def _same(spec: Field, old: Any, new: Any) -> bool:  # noqa: ANN401, PLR0911 - one for each kind
    match spec.kind:
        case "json":
            return same_document(old, new)
        case "set" | "commas" if isinstance(old or [], list) and isinstance(new, list):
            return {plain_text(v) for v in old or []} == {plain_text(v) for v in new}
        case "list" if isinstance(new, list):
            return bool((old or []) == new)
        case "map" if isinstance(new, Mapping):
            return {k: plain_text(v) for k, v in (old or {}).items()} == {
                k: plain_text(v) for k, v in new.items()
            }
        case "text" | "flag-text" | "number-text":
            return (plain_text(old) if old is not None else "") == plain_text(new)
        case "flag":
            return plain_text(bool(old) if old is None else old) == plain_text(new)
        case "number" if old is not None and not isinstance(new, list | Mapping):
            return number_of(old) == number_of(new)
    return bool((old or None) == (new or None))


def number_of(value: Any) -> float | str:  # noqa: ANN401
    """A number, or the text that is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)


def same_document(old: Any, new: Any) -> bool:  # noqa: ANN401
    """Whether two JSON documents mean the same: in a policy, one text is a list of one."""
    try:
        return bool(_canonical(_parsed(old)) == _canonical(_parsed(new)))
    except ValueError:
        return bool(old == new)


def _parsed(value: Any) -> Any:  # noqa: ANN401
    return json.loads(value) if isinstance(value, str) and value else value


def _canonical(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [_canonical(item) for item in value]
        return (
            items[0]
            if len(items) == 1
            else sorted(items, key=lambda i: json.dumps(i, sort_keys=True))
        )
    return value
