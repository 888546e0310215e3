"""The order in which resources go."""

from collections.abc import Iterable, Sequence

from engine.state import ResourceState


def schedule(
    condemned: Iterable[ResourceState], everything: Sequence[ResourceState]
) -> list[list[ResourceState]]:
    """Group resources so that each group only goes when nothing left depends on it.

    The members of a group do not depend on each other (`ScheduleDeletes` in
    pulumi/pkg/resource/deploy/step_generator.go).

    Args:
        condemned: What is to be deleted.
        everything: The whole state, in its order: a URN means what stands before it there.

    Returns:
        The groups, the first to go first.
    """
    position = {id(state): index for index, state in enumerate(everything)}
    left = sorted(condemned, key=lambda state: position[id(state)])
    groups: list[list[ResourceState]] = []
    while left:
        needed: set[tuple[str, int]] = set()
        group = []
        # From the end: whatever has needed a resource has been seen when its turn comes.
        for state in reversed(left):
            index = position[id(state)]
            if not any(urn == state.urn and user > index for urn, user in needed):
                group.append(state)
            needed.update((urn, index) for urn in state.needs())
        gone = {id(state) for state in group}
        left = [state for state in left if id(state) not in gone]
        groups.append(group)
    return groups


def dependents(
    root: ResourceState, everything: Sequence[ResourceState], ignored: Iterable[str] = ()
) -> list[ResourceState]:
    """What depends on a resource, directly or not, in the order of the state.

    Args:
        root: The resource.
        everything: The whole state, in its order.
        ignored: URNs that no longer count, with what depends only on them.
    """
    skipped = set(ignored)
    reached = {root.urn}
    found = []
    for state in everything[list(everything).index(root) + 1 :]:
        if state.urn not in skipped and not reached.isdisjoint(state.needs() - {state.urn}):
            reached.add(state.urn)
            found.append(state)
    return found
