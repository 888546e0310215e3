"""How one value of a stack file is read: counts, sizes, durations, ports.

`pulumi config set` writes text, a person writes numbers: both are read. Each type carries what an
editor is told about it, so that the schema and the reader are written side by side.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from components.settings import ports
from components.settings.layout import AUTO
from components.settings.problems import WrongValueError, show

KIB, MIB, GIB, TIB = 2**10, 2**20, 2**30, 2**40
MOST_THREADS = 1024
MOST_WORKERS = 100_000

Json = dict[str, Any]

# Dask's own units (`dask.utils`): what is right in its configuration is right here.
_DECIMAL = {f"{letter}b": 1000**power for power, letter in enumerate("kmgtp", start=1)}
_BINARY = {f"{letter}ib": 1024**power for power, letter in enumerate("kmgtp", start=1)}
_BYTES = {
    "": 1,
    "b": 1,
    **_DECIMAL,
    **_BINARY,
    **{unit[:-1]: size for unit, size in (_DECIMAL | _BINARY).items()},
}
_SECONDS = {
    "": 1.0,
    **dict.fromkeys(("s", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604800.0),
}
# Short enough that no figure can be too long to work with.
_NUMBER = r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,2})?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*([A-Za-z]*)\s*", re.ASCII)
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_RESOURCE_NAME = re.compile(r"[A-Za-z0-9_.:/-]+", re.ASCII)


@dataclass(frozen=True)
class Reads:
    """Reads a value with one function, and tells an editor what that function accepts."""

    parse: Callable[[object], object]
    schema: Json

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> Json:
        return dict(self.schema)

    def _read(self, value: object) -> object:
        refuse_encrypted(value)
        return self.parse(value)


def is_encrypted(value: object) -> bool:
    """Whether this is a value that `pulumi config set --secret` wrote into a stack file."""
    return isinstance(value, Mapping) and set(value) == {"secure"}


def refuse_encrypted(value: object) -> None:
    """Refuse a value that only Pulumi can read, without showing even its ciphertext."""
    if is_encrypted(value):
        raise WrongValueError("is encrypted, but no setting is a secret", "Write the value itself.")


def whole(low: int, high: int, *, example: int, also: str = "") -> Reads:
    """A whole number from `low` to `high`; `also` is the one word that another reader accepts."""
    words = f", or `{also}`" if also else ""

    def parse(value: object) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = str(value).strip()
        if not _WHOLE.fullmatch(text):
            remedy = f"Write for example `{example}`{words}."
            raise WrongValueError(f"{show(value)} is not a whole number", remedy)
        if not low <= int(text) <= high:
            raise WrongValueError(
                f"{int(text)} is out of range", f"Write a number from {low} to {high}."
            )
        return int(text)

    number = {"type": "integer", "minimum": low, "maximum": high}
    written = {"type": "string", "pattern": r"^\s*(0|[1-9][0-9]*)\s*$"}
    return Reads(parse, {"anyOf": [number, written, *([{"const": also}] if also else [])]})


def quantity(value: object, units: Mapping[str, float]) -> Decimal | None:
    """Read a number with one of these units, in any case; nothing where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    found = _QUANTITY.fullmatch(str(value))
    if found is None or found[2].lower() not in units:
        return None
    return Decimal(found[1]) * Decimal(units[found[2].lower()])


def quantity_schema(units: Mapping[str, float], least: float) -> list[Json]:
    """Tell an editor about a number with one of these units, and about a bare one."""
    # JSON schema has no flag for "in any case".
    names = (re.sub("[a-z]", lambda c: f"[{c[0].upper()}{c[0]}]", unit) for unit in units if unit)
    pattern = rf"^\s*{_NUMBER}\s*({'|'.join(['', *names])})\s*$"
    return [{"type": "string", "pattern": pattern}, {"type": "number", "minimum": least}]


def _seconds(value: object) -> float | None:
    seconds = quantity(value, _SECONDS)
    return None if seconds is None else float(seconds)


def duration(least: str, most: str = "", *, example: str, also: str = "") -> Reads:
    """A time from `least` to `most`, as seconds; `also` is as in `whole`."""
    words = f", or `{also}`" if also else ""
    low, high = _seconds(least) or 0.0, _seconds(most)

    def parse(value: object) -> float:
        seconds = _seconds(value)
        if seconds is None:
            remedy = f"Write for example `{example}`{words}."
            raise WrongValueError(f"{show(value)} is not a duration", remedy)
        if seconds < low:
            raise WrongValueError(f"{show(value)} is too short", f"Write at least `{least}`.")
        if high is not None and seconds > high:
            raise WrongValueError(f"{show(value)} is too long", f"Write at most `{most}`.")
        return seconds

    text, number = quantity_schema(_SECONDS, low)
    number |= {} if high is None else {"maximum": high}
    return Reads(parse, {"anyOf": [*([{"const": also}] if also else []), text, number]})


def or_null(reader: Reads) -> Reads:
    """What another reader reads, or nothing at all; the other one names `null` to people."""

    def parse(value: object) -> object:
        return None if value is None or value in ("", "null") else reader.parse(value)

    schemas = reader.schema.get("anyOf", [reader.schema])
    return Reads(parse, {"anyOf": [{"enum": [None, "", "null"]}, *schemas]})


def or_auto(reader: Reads) -> Reads:
    """What another reader reads, or the word that leaves it to us; the other one names it."""

    def parse(value: object) -> object:
        return value if value == AUTO else reader.parse(value)

    return Reads(parse, reader.schema)


def size(value: object) -> int:
    """Read a number of bytes."""
    found = quantity(value, _BYTES)
    if found is None:
        raise WrongValueError(f"{show(value)} is not a size", "Write for example `2 GiB`.")
    return int(found)


def size_schema(least: int) -> Json:
    """Tell an editor about a number of bytes, of which a bare number is at least `least`."""
    return {"anyOf": quantity_schema(_BYTES, least)}


def _amount(value: object) -> float:
    number = quantity(value, {"": 1})
    if number is None:
        raise WrongValueError(f"{show(value)} is not an amount", "Write a number, 0 or more.")
    return float(number)


def _resource_name(value: object) -> str:
    if not isinstance(value, str) or not _RESOURCE_NAME.fullmatch(value):
        remedy = "Write letters, digits and `_ . : / -`, for example `GPU`."
        raise WrongValueError("this name does not fit into Dask's list of resources", remedy)
    return value


def mapping(value: object) -> object:
    """Read a mapping, also from JSON text; nothing is an empty one."""
    return _collection(value, dict, "a mapping", "Write `key: value` lines below it.")


def sequence(value: object) -> object:
    """Read a list, also from JSON text; nothing is an empty one."""
    return _collection(value, list, "a list", "Write `- item` lines below it.")


def _collection(value: object, kind: type[dict[Any, Any] | list[Any]], name: str, how: str) -> Any:  # noqa: ANN401
    """Read a mapping or a list, also from the JSON text in which Pulumi hands it over."""
    refuse_encrypted(value)
    found = value
    if isinstance(value, str):
        try:
            found = json.loads(value) if value.strip() else None
        except ValueError:
            found = value
    # All lines below a key commented out leave nothing: that is an empty collection.
    if found is None:
        return kind()
    if isinstance(found, tuple) and kind is list:
        return found
    if not isinstance(found, kind):
        raise WrongValueError(f"{show(value)} is not {name}", how)
    return found


@dataclass(frozen=True)
class OrJson:
    """Tells an editor that an object may also stand there as JSON text, or as nothing."""

    empty: bool = True

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> Json:
        own = handler(schema)
        text = {"type": "string", "pattern": r"^\s*\{[\s\S]*$"}
        return or_json(own, "{") if self.empty else {"anyOf": [own, text]}


def or_json(schema: Json, opening: str) -> Json:
    """Tell an editor that a collection may also stand there as JSON text, or as nothing."""
    text = {"type": "string", "pattern": rf"^\s*(null|\{opening}[\s\S]*)?\s*$"}
    return {"anyOf": [schema, {"type": "null"}, text]}


_AMOUNT: Json = {"anyOf": quantity_schema({"": 1}, 0)}
_RESOURCES: Json = {
    "type": "object",
    "propertyNames": {"pattern": rf"^{_RESOURCE_NAME.pattern}$"},
    "additionalProperties": _AMOUNT,
}

Size = Annotated[int, Reads(size, size_schema(128 * MIB))]
Lifetime = Annotated[float | None, or_null(duration("60 s", example="2 h", also="null"))]
DrainTimeout = Annotated[float, duration("1 s", "24 h", example="15 minutes")]
StartTimeout = Annotated[float, duration("10 s", "3 h", example="30 minutes")]
Quiet = Annotated[float | None, or_null(duration("1 s", example="30 minutes", also="null"))]
Port = Annotated[int, whole(ports.FIRST_FREE, ports.LAST, example=ports.SCHEDULER)]
Workers = Annotated[int, whole(0, MOST_WORKERS, example=2)]
MaxWorkers = Annotated[int | None, or_null(whole(1, MOST_WORKERS, example=8, also="null"))]
Threads = Annotated[int, whole(1, MOST_THREADS, example=2)]
Processes = Annotated[int | Literal["auto"], or_auto(whole(1, MOST_THREADS, example=2, also=AUTO))]
Resources = Annotated[
    dict[
        Annotated[str, Reads(_resource_name, {"type": "string"})],
        Annotated[float, Reads(_amount, _AMOUNT)],
    ],
    BeforeValidator(mapping),
    WithJsonSchema(or_json(_RESOURCES, "{")),
]
DaskConfiguration = Annotated[
    dict[str, Any],
    Reads(mapping, or_json({"type": "object"}, "{")),
]
