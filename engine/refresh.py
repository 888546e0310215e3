"""Looking at what became of the resources since the last run.

Follows `RefreshStep` in pulumi/pkg/resource/deploy/step.go and `rebuildBaseState` beside it.
"""

import copy
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Literal

from engine import urns
from engine.diffs import describe
from engine.errors import EngineError
from engine.events import StepDone, StepFailed, StepStarted
from engine.executor import Executor, StepError
from engine.registry import Registry
from engine.reporter import Reporter
from engine.snapshot import Snapshot
from engine.state import ResourceState, now
from engine.steps import Step
from engine.values import same

Outcome = Literal["same", "update", "delete"]


class Refresher:
    """Reads every resource of a state and records what it finds."""

    def __init__(
        self,
        snapshot: Snapshot,
        registry: Registry,
        reporter: Reporter,
        executor: Executor,
        *,
        parallel: int,
    ) -> None:
        """Take what a refresh works on."""
        self._snapshot = snapshot
        self._registry = registry
        self._reporter = reporter
        self._executor = executor
        self._parallel = max(parallel, 1)
        self.outcomes: Counter[str] = Counter()

    def run(self) -> None:
        """Read everything; creates that nobody knows the end of are forgotten, with a warning.

        Raises:
            StepError: A resource could not be read; what the others came to is recorded.
        """
        for operation in self._snapshot.forget_unknown():
            self._reporter.say(
                "warning",
                f"{operation.resource.urn} was being created when an earlier run was interrupted: "
                "whether it exists could not be known. Its pending operation is dropped; if it "
                "does exist, remove it by hand.",
                operation.resource.urn,
            )
        resources = self._snapshot.base
        with ThreadPoolExecutor(self._parallel) as pool:
            tasks = [pool.submit(self._one, state) for state in resources]
        found: list[ResourceState | None] = []
        errors: list[BaseException] = []
        for old, task in zip(resources, tasks, strict=True):
            if error := task.exception():
                errors.append(error)
                found.append(old)
                continue
            new, outcome = task.result()
            found.append(new)
            if not urns.is_default_provider(old.urn):
                self.outcomes[outcome] += 1
        self._snapshot.refreshed(rebuild(found))
        if errors:
            raise errors[0]

    def _one(self, old: ResourceState) -> tuple[ResourceState | None, Outcome]:
        if not old.custom or urns.is_provider(old.type) or old.pending_replacement:
            return old, "same"
        if self._executor.stopped:
            raise StepError("the operation was stopped")
        started = time.monotonic()
        step = Step("refresh", old)
        self._reporter.emit(step.event(StepStarted))
        try:
            new, outcome, step = self._read(old)
        except EngineError as error:
            self._executor.stop()
            self._reporter.emit(step.event(StepFailed, time.monotonic() - started))
            self._reporter.say("error", str(error), old.urn)
            raise StepError(str(error)) from error
        event = step.event(StepDone, time.monotonic() - started)
        self._reporter.emit(replace(event, found=outcome))
        return new, outcome

    def _read(self, old: ResourceState) -> tuple[ResourceState | None, Outcome, Step]:
        provider = self._registry.get(old.provider)
        result = provider.read(old)
        if result.init_errors:
            reasons = "\n* ".join(result.init_errors)
            self._reporter.say(
                "warning", f"Refreshed resource is in an unhealthy state:\n* {reasons}", old.urn
            )
        if not result.id:
            return None, "delete", Step("refresh", old)
        new = copy.copy(old)
        new.id, new.init_errors = result.id, result.init_errors
        new.outputs = old.hidden(result.outputs)
        new.inputs = old.inputs if result.inputs is None else result.inputs
        if not (same(old.inputs, new.inputs) and same(old.outputs, new.outputs)):
            new.modified = now()
        # What the next `up` would do to undo the change, told the other way round.
        diff = provider.diff(new, old.inputs, old.ignore_changes)
        if diff is None or not diff.changes:
            return new, "same", Step("refresh", old, new)
        changes = describe(old.inputs, new.inputs) or describe(old.outputs, new.outputs)
        return new, "update", Step("refresh", old, new, changes)


def rebuild(found: Sequence[ResourceState | None]) -> list[ResourceState]:
    """The resources that are left, without references to those that are not.

    A URN means what stands before: the old half of an unfinished replacement does not stand in for
    a new half that is gone.
    """
    left = [state for state in found if state is not None]
    known: set[str] = set()
    for state in left:
        if state.parent not in known:
            state.parent = ""
        state.dependencies = [urn for urn in state.dependencies if urn in known]
        state.property_dependencies = {
            key: [urn for urn in names if urn in known]
            for key, names in state.property_dependencies.items()
        }
        known.add(state.urn)
    return left
