"""Carrying out steps: providers are called, the state is saved, listeners are told."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Literal

from engine import urns
from engine.answers import Answer
from engine.deletes import schedule
from engine.errors import EngineError
from engine.events import StepDone, StepFailed, StepStarted
from engine.registry import Registry, public
from engine.reporter import Reporter
from engine.snapshot import Snapshot
from engine.state import Operation, ResourceState, now
from engine.steps import Step


class StepError(EngineError):
    """A step failed; listeners have been told."""


class Executor:
    """Carries out steps, a limited number at a time."""

    def __init__(
        self,
        snapshot: Snapshot,
        registry: Registry,
        reporter: Reporter,
        *,
        preview: bool,
        parallel: int,
    ) -> None:
        """Take what steps work on."""
        self._snapshot = snapshot
        self._registry = registry
        self._reporter = reporter
        self._preview = preview
        self._parallel = max(parallel, 1)
        self._slots = threading.Semaphore(self._parallel)
        self._stopped = threading.Event()
        self._idle = threading.Condition()
        self._active = 0

    @property
    def stopped(self) -> bool:
        """Whether no step may begin any more."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Let no step begin any more; those that run go on to their end."""
        self._stopped.set()

    def run(self, steps: Sequence[Step]) -> None:
        """Carry out the steps of one resource, in order.

        Raises:
            StepError: One failed, or the run was stopped before it.
        """
        with self._slots:
            with self._idle:
                self._active += 1
            try:
                for step in steps:
                    if self.stopped:
                        raise StepError("the operation was stopped")
                    self._one(step)
            finally:
                with self._idle:
                    self._active -= 1
                    self._idle.notify_all()

    def wait_idle(self) -> None:
        """Wait until no step runs."""
        with self._idle:
            self._idle.wait_for(lambda: self._active == 0)

    def delete_all(self, steps: Sequence[Step]) -> None:
        """Carry out deletes in the order that dependencies allow.

        Raises:
            StepError: One failed; those that ran beside it have ended.
        """
        by_state = {id(step.state): step for step in steps}
        groups = schedule([step.state for step in steps], self._snapshot.resources)
        with ThreadPoolExecutor(self._parallel) as pool:
            for group in groups:
                running = [pool.submit(self.run, [by_state[id(state)]]) for state in group]
                errors = [error for task in running if (error := task.exception()) is not None]
                if errors:
                    raise errors[0]

    def _one(self, step: Step) -> None:
        started = time.monotonic()
        self._reporter.emit(step.event(StepStarted))
        try:
            self._apply(step)
        except EngineError as error:
            self._stopped.set()
            self._reporter.emit(step.event(StepFailed, time.monotonic() - started))
            self._reporter.say("error", str(error), step.state.urn)
            raise StepError(str(error)) from error
        self._reporter.emit(step.event(StepDone, time.monotonic() - started))

    def _apply(self, step: Step) -> None:
        old, new = step.old, step.new
        match step.op:
            case "same" if old and new:
                self._same(old, new)
            case "create" | "create-replacement" if new:
                self._create(new, old)
            case "update" if old and new:
                self._update(old, new)
            case "delete" | "delete-replaced" if old:
                self._delete(old, to_be_replaced=step.to_be_replaced)
            case "remove-pending-replace" if old:
                self._snapshot.removed(old)
            case _:
                # `replace` only says what the steps beside it do.
                pass

    def _same(self, old: ResourceState, new: ResourceState) -> None:
        new.id, new.outputs = old.id, new.hidden(old.outputs)
        new.created, new.modified = old.created, old.modified
        if urns.is_provider(new.type):
            # A provider that calls changed inputs equal goes on with those it knows.
            self._registry.keep(new, old.inputs)
        self._snapshot.same(old, new)

    def _create(self, new: ResourceState, old: ResourceState | None) -> None:
        with self._operation("create", new) as operation:
            result = Answer("", {})
            if urns.is_provider(new.type):
                result = Answer(self._registry.create(new), public(new.inputs))
            elif new.custom:
                provider = self._registry.get(new.provider)
                result = provider.create(new, preview=self._preview)
            new.id = result.id
            new.created = new.modified = now()
            self._take(new, result)
            self._snapshot.created(operation, old)
        self._complain(new)

    def _update(self, old: ResourceState, new: ResourceState) -> None:
        new.id, new.created, new.modified = old.id, old.created, old.modified
        with self._operation("update", new) as operation:
            result = Answer(old.id, {})
            if urns.is_provider(new.type):
                self._registry.keep(new, new.inputs)
                result = Answer(old.id, public(new.inputs))
            elif new.custom:
                provider = self._registry.get(new.provider)
                result = provider.update(old, new, new.ignore_changes, preview=self._preview)
            new.modified = now()
            self._take(new, result)
            if new.init_errors:
                # What exists was not made with the new inputs, so the next run must try again.
                new.inputs = old.inputs
            self._snapshot.updated(operation, old)
        self._complain(new)

    def _delete(self, old: ResourceState, *, to_be_replaced: bool) -> None:
        replaced = to_be_replaced or old.delete
        if old.protect and not replaced:
            raise EngineError(protected_message(old.urn))
        with self._operation("delete", old) as operation:
            kept = old.external or old.retain_on_delete or self._preview
            if old.custom and not kept and not urns.is_provider(old.type):
                self._registry.get(old.provider).delete(old)
            self._snapshot.deleted(operation, to_be_replaced=to_be_replaced)

    @contextmanager
    def _operation(
        self, op: Literal["create", "update", "delete"], state: ResourceState
    ) -> Iterator[Operation]:
        operation = self._snapshot.begin(op, state)
        try:
            yield operation
        except EngineError:
            self._snapshot.failed(operation)
            raise

    def _take(self, new: ResourceState, result: Answer) -> None:
        new.outputs = new.hidden(result.outputs)
        new.init_errors = result.init_errors

    def _complain(self, new: ResourceState) -> None:
        """Fail a step whose resource exists and is recorded, but is not ready."""
        if new.init_errors:
            reasons = "".join(f"\n* {reason}" for reason in new.init_errors)
            raise EngineError(
                f"{len(new.init_errors)} error(s) occurred before the resource was ready:{reasons}"
            )


def protected_message(urn: str) -> str:
    """Why a protected resource is not deleted, in Pulumi's words."""
    return (
        f'resource "{urn}" cannot be deleted\nbecause it is protected. To unprotect the resource, '
        "either remove the `protect` flag from the resource in your Pulumi program and run "
        f"`pulumi up`, or use the command:\n`pulumi state unprotect '{urn}'`"
    )
