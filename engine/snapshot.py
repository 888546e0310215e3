"""The state while an operation changes it: what is done, and what is in flight.

The bookkeeping is that of pulumi/pkg/engine/journal_snapshot.go: what this run has registered comes
first, what it has not come to yet follows, so that everything stays after what it needs.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Final, Literal

from engine import urns
from engine.errors import EngineError
from engine.state import OPERATIONS, Deployment, Operation, ResourceState

PENDING_CREATE: Final = OPERATIONS["create"]


def is_outside(state: ResourceState) -> bool:
    """Whether a resource is anything but its record: no component, stack or provider."""
    return state.custom and not urns.is_provider(state.type)


class Snapshot:
    """A deployment that is being changed by several threads."""

    def __init__(self, deployment: Deployment, save: Callable[[Deployment], None] | None) -> None:
        """Begin with what the last run left.

        Args:
            deployment: The state; the snapshot owns it from now on.
            save: Writes a state down; None for a preview, which keeps nothing.
        """
        self._base = deployment.resources
        self._new: list[ResourceState] = []
        # Only a create leaves doubt that a later run cannot settle by itself.
        self._unknown = [
            op for op in deployment.pending if op.type == PENDING_CREATE and is_outside(op.resource)
        ]
        self._pending: list[Operation] = []
        self._save = save
        self._mutex = threading.RLock()
        self._dirty = len(self._unknown) != len(deployment.pending)

    @property
    def resources(self) -> list[ResourceState]:
        """All resources, in an order where everything comes after what it needs."""
        with self._mutex:
            return [*self._new, *self._base]

    @property
    def base(self) -> list[ResourceState]:
        """What this run has not registered."""
        with self._mutex:
            return list(self._base)

    def forget_unknown(self) -> list[Operation]:
        """Drop the creates of an earlier run that were never settled, and return them."""
        with self._mutex:
            unknown, self._unknown = self._unknown, []
            self._dirty = self._dirty or bool(unknown)
            return unknown

    def begin(self, op: Literal["create", "update", "delete"], state: ResourceState) -> Operation:
        """Record that something is about to be done."""
        operation = Operation(state, OPERATIONS[op])
        with self._mutex:
            self._pending.append(operation)
            try:
                self.save()
            except EngineError:
                # What could not be written down is not done either.
                self._pending.remove(operation)
                raise
        return operation

    def failed(self, operation: Operation) -> None:
        """Record that nothing came of it; one that was recorded as done stays done."""
        with self._mutex:
            if operation in self._pending:
                self._pending.remove(operation)
                self.save()

    def created(self, operation: Operation, old: ResourceState | None) -> None:
        """Record a new resource; the one that it replaces now waits to be deleted."""
        with self._mutex:
            self._pending.remove(operation)
            self._new.append(operation.resource)
            if old is not None and old.pending_replacement:
                self._drop(old)
            elif old is not None:
                old.delete = True
            self.save()

    def updated(self, operation: Operation, old: ResourceState) -> None:
        """Record the new state of a resource."""
        with self._mutex:
            self._pending.remove(operation)
            self._drop(old)
            self._new.append(operation.resource)
            self.save()

    def deleted(self, operation: Operation, *, to_be_replaced: bool) -> None:
        """Record that a resource is gone; one that will be created again keeps its place."""
        with self._mutex:
            self._pending.remove(operation)
            if to_be_replaced:
                operation.resource.pending_replacement = True
            else:
                self._drop(operation.resource)
            self.save()

    def same(self, old: ResourceState, new: ResourceState) -> None:
        """Record that a resource is as it was; this alone is not worth a write."""
        with self._mutex:
            self._drop(old)
            self._new.append(new)
            self._dirty = True

    def removed(self, old: ResourceState) -> None:
        """Forget a resource without any provider."""
        with self._mutex:
            self._drop(old)
            self.save()

    def refreshed(self, resources: Iterable[ResourceState]) -> None:
        """Replace what this run has not registered by what a refresh found."""
        with self._mutex:
            self._base = list(resources)
            self.save()

    def touched(self) -> None:
        """Record that a resource was changed in place."""
        with self._mutex:
            self.save()

    def freeze(self) -> None:
        """Write nothing any more: what is in flight is going to be cut off, not undone."""
        with self._mutex:
            self._save = None

    def save(self) -> None:
        """Write the state down.

        Raises:
            EngineError: The disk refuses; `finish` tries again.
        """
        with self._mutex:
            self._dirty = True
            if self._save is not None:
                self._save(Deployment(self.resources, [*self._unknown, *self._pending]))
            self._dirty = False

    def finish(self) -> None:
        """Write the state down if the file is behind."""
        with self._mutex:
            if self._dirty:
                self.save()

    def _drop(self, state: ResourceState) -> None:
        # States compare by identity, so of several with one URN the right one goes.
        for resources in (self._base, self._new):
            if state in resources:
                resources.remove(state)
                return
