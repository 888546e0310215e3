"""URNs and provider references: `urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME` and `URN::ID`.

The form is that of pulumi/sdk/go/common/resource/urn/urn.go.
"""

from typing import Final

STACK_TYPE: Final = "pulumi:pulumi:Stack"
PROVIDER_PREFIX: Final = "pulumi:providers:"
_PARTS: Final = 4


def make(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """Build the URN of a resource; the stack itself leaves no trace in its children's types."""
    parent_type = qualified_type(parent) if parent else ""
    if parent_type and parent_type != STACK_TYPE:
        type_ = f"{parent_type}${type_}"
    return f"urn:pulumi:{stack}::{project}::{type_}::{name}"


def is_valid(urn: str) -> bool:
    """Whether a string is a URN."""
    return urn.startswith("urn:pulumi:") and len(urn.split("::", _PARTS - 1)) == _PARTS


def qualified_type(urn: str) -> str:
    """The type with the types of all parents before it."""
    return urn.split("::", _PARTS - 1)[2]


def type_of(urn: str) -> str:
    """The type of the resource itself."""
    return qualified_type(urn).rsplit("$", 1)[-1]


def name_of(urn: str) -> str:
    """The logical name, which may itself hold `::`."""
    return urn.split("::", _PARTS - 1)[3]


def stack_of(urn: str) -> str:
    """The stack that a URN belongs to."""
    return urn.removeprefix("urn:pulumi:").split("::", 1)[0]


def package_of(type_: str) -> str:
    """The package of a type token, which names the plugin."""
    return type_.split(":", 1)[0]


def is_provider(type_: str) -> bool:
    """Whether a type is that of a provider resource."""
    return type_.startswith(PROVIDER_PREFIX)


def is_default_provider(urn: str) -> bool:
    """Whether a URN is that of a provider which the program did not write down."""
    if not is_provider(type_of(urn)):
        return False
    name = name_of(urn)
    return name == "default" or name.startswith("default_")


def reference(urn: str, id_: str) -> str:
    """The provider reference of a provider resource."""
    return f"{urn}::{id_}"


def split_reference(provider: str) -> tuple[str, str]:
    """URN and id of a provider reference."""
    urn, _, id_ = provider.rpartition("::")
    return urn, id_
