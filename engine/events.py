"""What the engine tells a listener while it works, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Severity = Literal["debug", "info", "warning", "error"]
Kind = Literal["preview", "up", "refresh", "destroy"]


@dataclass(frozen=True)
class PropertyChange:
    """One changed property of a resource.

    Attributes:
        path: Where it is, in Pulumi's notation (`tags.owner`, `ports[0]`).
        kind: `add`, `delete` or `update`.
        old: The value before, without secrets (`[secret]`); None where there was none.
        new: The value after; None where there is none. Unknown values read `[unknown]`.
        replaces: Whether this change is why the resource is replaced.
    """

    path: str
    kind: Literal["add", "delete", "update"]
    old: Any = None
    new: Any = None
    replaces: bool = False


@dataclass(frozen=True)
class StepEvent:
    """What all events of one step say.

    Attributes:
        urn: The resource.
        type: Its type token.
        name: Its logical name.
        op: `same`, `create`, `update`, `replace`, `delete`, `refresh`, and the physical halves of a
            replacement, `create-replacement` and `delete-replaced`.
        diff: The changed properties, empty where nothing is compared.
        duration: Seconds since the step began.
        parent: URN of the parent, empty for the stack itself.
        internal: True for what Pulumi does not show: default providers.
        counted: Whether `Result.changes` counts it.
        found: For a refresh, what it found: `same`, `update` or `delete`.
    """

    urn: str
    type: str
    name: str
    op: str
    diff: tuple[PropertyChange, ...] = ()
    duration: float = 0.0
    parent: str = ""
    internal: bool = False
    counted: bool = True
    found: str = ""


@dataclass(frozen=True)
class StepStarted(StepEvent):
    """A step begins."""


@dataclass(frozen=True)
class StepDone(StepEvent):
    """A step has finished and is recorded in the state."""


@dataclass(frozen=True)
class StepFailed(StepEvent):
    """A step has failed; a `Diagnostic` of severity `error` says why."""

    message: str = ""


@dataclass(frozen=True)
class Diagnostic:
    """A message of the program, of a provider or of the engine.

    Attributes:
        severity: `debug`, `info`, `warning` or `error`.
        urn: The resource it is about, or empty for the stack.
        message: One or several lines.
        ephemeral: True for a status text that is only worth showing while it is true.
    """

    severity: Severity
    urn: str
    message: str
    ephemeral: bool = False


@dataclass(frozen=True)
class Outputs:
    """The stack's outputs before and after, with secrets as `[secret]`."""

    old: Mapping[str, Any]
    new: Mapping[str, Any]


@dataclass(frozen=True)
class Summary:
    """The end of an operation.

    Attributes:
        kind: Which operation ended.
        changes: How many resources each op touched.
        duration: Seconds of wall clock.
        ok: False if anything failed.
    """

    kind: Kind
    changes: Mapping[str, int] = field(default_factory=dict)
    duration: float = 0.0
    ok: bool = True


Event = StepStarted | StepDone | StepFailed | Diagnostic | Outputs | Summary


class Listener(Protocol):
    """Anything that can be called with an event; calls never overlap."""

    def __call__(self, event: Event) -> None:
        """Take one event."""


def ignore(_event: Event) -> None:
    """Listen to nothing."""
