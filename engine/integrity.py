"""Whether a state holds together, as Pulumi checks before it takes one.

The rules and words are those of `VerifyIntegrity` in pulumi/pkg/resource/deploy/snapshot.go.
"""

from collections.abc import Iterable

from engine import urns
from engine.errors import EngineError
from engine.state import ResourceState


def verify(resources: Iterable[ResourceState], stack: str) -> None:
    """Check a state.

    Args:
        resources: All resources, in their order.
        stack: The stack that they must belong to.

    Raises:
        EngineError: The first fault.
    """
    resources = list(resources)
    everything = {state.urn for state in resources}
    seen: set[str] = set()
    live: set[str] = set()
    providers: set[str] = set()
    for index, state in enumerate(resources):
        _verify_alone(state, index, stack)
        if urns.is_provider(state.type):
            providers.add(urns.reference(state.urn, state.id))
        if state.provider and state.provider not in providers and not state.pending_replacement:
            raise EngineError(f"resource {state.urn} refers to unknown provider {state.provider}")
        for urn, what in _references(state):
            if urn not in seen:
                fault = "comes after it" if urn in everything else "is missing"
                raise EngineError(f"resource {state.urn}'s {what} {urn} {fault}")
        if not state.delete and state.urn in live:
            raise EngineError(f"duplicate resource {state.urn} (not marked for deletion)")
        if not state.delete:
            live.add(state.urn)
        seen.add(state.urn)


def _references(state: ResourceState) -> Iterable[tuple[str, str]]:
    if state.parent:
        yield state.parent, "parent"
    for urn in state.dependencies:
        yield urn, "dependency"
    for key, names in state.property_dependencies.items():
        for urn in names:
            yield urn, f"property dependency (from property {key})"


def _verify_alone(state: ResourceState, index: int, stack: str) -> None:
    if not state.urn:
        raise EngineError(f"resource at index {index} missing required 'urn' field")
    if not state.type:
        raise EngineError(f"resource '{state.urn}' missing required 'type' field")
    if not urns.is_valid(state.urn):
        raise EngineError(f"resource at index {index} has the invalid URN '{state.urn}'")
    if not state.custom and state.id:
        raise EngineError(f"resource '{state.urn}' has 'custom' false but non-empty ID")
    if urns.stack_of(state.urn) != stack:
        raise EngineError(f"resource '{state.urn}' does not belong to the stack '{stack}'")
