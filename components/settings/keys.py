"""How a key is described: its meaning, an example, and what changing it does."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo


class Keys(BaseModel):
    """A model of keys of a stack file: they are camelCase, and an unknown one is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )


class Change(StrEnum):
    """What an update does to a running cluster when the value of a key changes."""

    IN_PLACE = "in place"
    ROLLS_WORKERS = "rolls the workers"
    REPLACES_SCHEDULER = "replaces the scheduler"
    REPLACES_EVERYTHING = "replaces everything"


def about(meaning: str, changing: Change, *, example: object, shown: JsonValue = None) -> FieldInfo:
    """Describe a key: for people, for editors and for the message when it is missing."""
    extra: dict[str, JsonValue] = {"changing": changing.value, "shown": shown}
    info: FieldInfo = Field(description=meaning, examples=[example], json_schema_extra=extra)
    return info


def key_of(name: str) -> str:
    """Return the key of a stack file for the name of a field."""
    return to_camel(name)


def example_of(model: type[BaseModel], name: str) -> Any:  # noqa: ANN401
    """Return a right value of a field, to show and to stand in for a wrong one."""
    return (model.model_fields[name].examples or [None])[0]
