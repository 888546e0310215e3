"""The state of a stack: its resources and what was in flight.

The fields are those of `ResourceV3` in pulumi/sdk/go/common/apitype/core.go.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from engine import urns
from engine.values import Properties, Secret, secret

OPERATIONS: Final = {"create": "creating", "update": "updating", "delete": "deleting"}


@dataclass(eq=False)
class ResourceState:
    """One resource as the state records it; two objects are never equal, for a URN may occur twice.

    Attributes:
        urn: Where the program declares it.
        type: Type token.
        custom: Whether a provider manages it; otherwise it is a component.
        id: What the provider calls it; empty for components and, in a preview, when it is not
            known.
        inputs: Properties as checked by the provider.
        outputs: Properties as the provider returned them.
        parent: URN of the parent, or empty.
        dependencies: URNs that it waits for.
        property_dependencies: For each input, the URNs that its value comes from.
        provider: Reference of its provider, or empty.
        protect: Refuse to delete it.
        retain_on_delete: Forget it instead of deleting it.
        delete: It was replaced and only waits to be deleted.
        pending_replacement: It was deleted to be created again, and was not yet.
        external: Pulumi reads it and does not own it.
        init_errors: Why it exists but is not ready.
        additional_secret_outputs: Outputs to keep secret.
        ignore_changes: Paths whose changes are ignored.
        replace_on_changes: Paths whose changes replace it.
        custom_timeouts: Seconds for `create`, `update`, `delete`, `read`.
        source_position: Where in the program, as `project:///__main__.py#LINE`.
        created: When it came to be, ISO 8601.
        modified: When it last changed, ISO 8601.
        other: Fields of an imported state that this engine does not use, kept as they are.
    """

    urn: str
    type: str
    custom: bool = False
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    parent: str = ""
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    provider: str = ""
    protect: bool = False
    retain_on_delete: bool = False
    delete: bool = False
    pending_replacement: bool = False
    external: bool = False
    init_errors: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    source_position: str = ""
    created: str = ""
    modified: str = ""
    other: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The logical name."""
        return urns.name_of(self.urn)

    def hidden(self, outputs: Properties) -> Properties:
        """Outputs with those that `additional_secret_outputs` names marked as secret.

        Pulumi does so after every step, for a provider may give them in clear (executeStep in
        pulumi/pkg/resource/deploy/step_executor.go).
        """
        clear = {
            key: outputs[key]
            for key in self.additional_secret_outputs
            if key in outputs and not isinstance(outputs[key], Secret)
        }
        return outputs | {key: secret(value) for key, value in clear.items()}

    def needs(self) -> set[str]:
        """URNs of everything that must outlive it: parent, dependencies, provider."""
        result = {self.parent, *self.dependencies}
        for names in self.property_dependencies.values():
            result.update(names)
        if self.provider:
            result.add(urns.split_reference(self.provider)[0])
        result.discard("")
        return result


@dataclass
class Operation:
    """Something that was being done to a resource when the state was written."""

    resource: ResourceState
    type: str


@dataclass
class Deployment:
    """All that a state file says about a stack.

    Attributes:
        resources: In an order where everything comes after what it needs.
        pending: What was in flight.
    """

    resources: list[ResourceState] = field(default_factory=list)
    pending: list[Operation] = field(default_factory=list)


def now() -> str:
    """The time as a state file writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
