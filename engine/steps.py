"""What is to be done to one resource."""

from dataclasses import dataclass, field
from typing import Literal

from engine import urns
from engine.events import PropertyChange, StepDone, StepFailed, StepStarted
from engine.state import ResourceState
from engine.values import Properties

Op = Literal[
    "same",
    "create",
    "update",
    "replace",
    "delete",
    "create-replacement",
    "delete-replaced",
    "remove-pending-replace",
    "refresh",
]
# The physical halves of a replacement are not counted: `replace` stands for both
# (`Logical` in pulumi/pkg/resource/deploy/step.go).
_UNCOUNTED = frozenset(
    {"create-replacement", "delete-replaced", "remove-pending-replace", "refresh"}
)


@dataclass(frozen=True)
class Step:
    """One step of a plan.

    Attributes:
        op: What is done.
        old: The resource as recorded; None for a create.
        new: The resource as wanted; None for a delete.
        changes: The changed inputs.
        to_be_replaced: The delete makes room for a new one, so the record stays.
    """

    op: Op
    old: ResourceState | None = None
    new: ResourceState | None = None
    changes: tuple[PropertyChange, ...] = ()
    to_be_replaced: bool = False

    @property
    def state(self) -> ResourceState:
        """The resource, as wanted if there is that."""
        state = self.new or self.old
        assert state is not None  # noqa: S101 - a step is about a resource
        return state

    def event(
        self,
        kind: type[StepStarted] | type[StepDone] | type[StepFailed],
        duration: float = 0.0,
    ) -> StepStarted | StepDone | StepFailed:
        """The event for a listener."""
        state = self.state
        return kind(
            urn=state.urn,
            type=state.type,
            name=state.name,
            op=self.op,
            diff=self.changes,
            duration=duration,
            parent=state.parent,
            internal=urns.is_default_provider(state.urn),
            counted=self.op not in _UNCOUNTED,
        )


@dataclass(frozen=True)
class Goal:
    """What the program asks for: one registration.

    Attributes:
        type: Type token.
        name: Logical name.
        custom: Whether a provider manages it.
        inputs: Its properties.
        parent: URN of the parent, or empty.
        dependencies: URNs that it waits for.
        property_dependencies: For each input, the URNs its value comes from.
        provider: Reference of its provider, or empty.
        protect: Refuse to delete it; None if the program does not say.
        retain_on_delete: Forget it instead of deleting it; None if the program does not say.
        delete_before_replace: Order of a replacement; None leaves it to the provider.
        ignore_changes: Paths to ignore.
        replace_on_changes: Paths whose changes replace it.
        additional_secret_outputs: Outputs to keep secret.
        custom_timeouts: Seconds for `create`, `update`, `delete`, `read`.
        source_position: Where in the program.
        former_types: What its type was called before.
    """

    type: str
    name: str
    custom: bool
    inputs: Properties
    parent: str = ""
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    provider: str = ""
    protect: bool | None = None
    retain_on_delete: bool | None = None
    delete_before_replace: bool | None = None
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    source_position: str = ""
    former_types: list[str] = field(default_factory=list)

    def state(self, urn: str) -> ResourceState:
        """The state that the program wants, before any provider has seen it."""
        return ResourceState(
            urn=urn,
            type=self.type,
            custom=self.custom,
            inputs=self.inputs,
            parent=self.parent,
            dependencies=self.dependencies,
            property_dependencies=self.property_dependencies,
            provider=self.provider,
            protect=bool(self.protect),
            retain_on_delete=bool(self.retain_on_delete),
            additional_secret_outputs=self.additional_secret_outputs,
            ignore_changes=self.ignore_changes,
            replace_on_changes=self.replace_on_changes,
            custom_timeouts=self.custom_timeouts,
            source_position=self.source_position,
        )
