"""From a registration to the steps that bring it about.

Follows pulumi/pkg/resource/deploy/step_generator.go. A planner is used by one thread at a time.
"""

from typing import Final

from engine import urns
from engine.answers import Failure
from engine.deletes import dependents
from engine.diffs import (
    Diff,
    apply_replace_on_changes,
    changed_keys,
    describe,
    ignore_changes,
)
from engine.errors import EngineError
from engine.registry import Registry, public
from engine.reporter import Reporter
from engine.snapshot import Snapshot
from engine.state import ResourceState
from engine.steps import Goal, Op, Step
from engine.values import UNKNOWN, Properties, redact, same

_PROTECTED: Final = (
    "as it is currently marked for protection. To unprotect the resource, remove the `protect` "
    "flag from the resource in your Pulumi program and run `pulumi up`"
)


class PlanError(EngineError):
    """A registration cannot be carried out."""

    def __init__(self, urn: str, message: str) -> None:
        """Name the resource and the fault."""
        super().__init__(message)
        self.urn = urn


class Planner:
    """Turns registrations into steps, and at the end says what nobody registered."""

    def __init__(
        self, stack: str, project: str, snapshot: Snapshot, registry: Registry, reporter: Reporter
    ) -> None:
        """Begin with the recorded state."""
        self._stack = stack
        self._project = project
        self._snapshot = snapshot
        self._registry = registry
        self._reporter = reporter
        self._graph = snapshot.base
        self._olds = {state.urn: state for state in self._graph if not state.delete}
        self._news: dict[str, ResourceState] = {}
        self._ops: dict[str, Op] = {}
        self._deletes: set[str] = set()
        self._gone: set[int] = set()

    def plan(self, goal: Goal) -> list[Step]:
        """The steps for one registration.

        Raises:
            PlanError: It cannot be carried out; nothing has been done.
        """
        urn = urns.make(self._stack, self._project, goal.parent, goal.type, goal.name)
        if urn in self._news:
            raise PlanError(urn, f"Duplicate resource URN '{urn}'; try giving it a unique name")
        new = goal.state(urn)
        self._news[urn] = new
        old = self._olds.get(urn)
        if old is not None and old.external:
            raise PlanError(urn, "taking over an external resource is not supported by this engine")
        if old is None:
            self._refuse_former(urn, goal)
            new.inputs = self._check(new, goal.inputs, None)
            return self._steps("create", Step("create", None, new))
        if urn in self._deletes:
            # It had to go before it was known whether the program still wants it: it does.
            self._deletes.discard(urn)
            new.inputs = self._check(new, goal.inputs, None)
            return self._steps("replace", *self._recreate(old, new, Diff(changes=True)))
        wanted, failed = ignore_changes(goal.inputs, old.inputs, goal.ignore_changes)
        if failed:
            self._reporter.say(
                "info",
                "cannot ignore changes in added or removed elements of the path: "
                + ", ".join(f'"{path}"' for path in failed),
                urn,
            )
        new.inputs = self._check(new, wanted, old.inputs)
        return self._from_diff(goal, old, new)

    def _refuse_former(self, urn: str, goal: Goal) -> None:
        """Refuse to make anew what the state holds under a type's former name."""
        for former in goal.former_types:
            if urns.make(self._stack, self._project, goal.parent, former, goal.name) in self._olds:
                raise PlanError(
                    urn,
                    f"the state holds it as a {former}, and renaming it is not supported by this "
                    "engine; use Pulumi itself",
                )

    def is_operated(self, urn: str) -> bool:
        """Whether the program has registered a resource that the state knows."""
        return self._ops.get(urn) in {"same", "update", "replace"}

    def leftovers(self) -> list[Step]:
        """Deletes of what was replaced and of what nobody registered, in no order."""
        steps = []
        for state in self._snapshot.resources:
            if id(state) in self._gone and state.delete:
                continue
            if state.delete:
                steps.append(Step("delete-replaced", state))
            elif not self.is_operated(state.urn) and state.urn in self._olds:
                if self._olds[state.urn] is not state:
                    continue
                self._deletes.add(state.urn)
                op: Op = "remove-pending-replace" if state.pending_replacement else "delete"
                steps.append(Step(op, state))
        return steps

    def _steps(self, op: Op, *steps: Step) -> list[Step]:
        self._ops[steps[-1].state.urn] = op
        return list(steps)

    def _check(self, new: ResourceState, inputs: Properties, olds: Properties | None) -> Properties:
        if not new.custom:
            return inputs
        if urns.is_provider(new.type):
            checked, failures = self._registry.check(new.urn, olds or {}, inputs)
        else:
            checked, failures = self._registry.get(new.provider).check(new, inputs, olds)
        if failures:
            raise PlanError(new.urn, "\n".join(check_message(new, inputs, f) for f in failures))
        return checked

    def _from_diff(self, goal: Goal, old: ResourceState, new: ResourceState) -> list[Step]:
        diff = apply_replace_on_changes(
            self._diff(goal, old, new),
            goal.replace_on_changes,
            init_errors=bool(old.init_errors),
        )
        if old.pending_replacement or diff.replaces:
            return self._replace(goal, old, new, diff)
        changes = describe(old.inputs, new.inputs, diff=diff)
        if diff.changes or old.init_errors:
            return self._steps("update", Step("update", old, new, changes))
        return self._steps("same", Step("same", old, new))

    def _diff(self, goal: Goal, old: ResourceState, new: ResourceState) -> Diff:
        if self._provider_changed(old, new):
            return Diff(changes=True, replace_keys=("provider",))
        if not new.custom:
            changes = not same(old.inputs, new.inputs)
            return Diff(changes, changed_keys=changed_keys(old.inputs, new.inputs))
        return self._provider_diff(old, new.inputs, goal.ignore_changes, new.provider)

    def _provider_diff(
        self, old: ResourceState, inputs: Properties, ignored: list[str], provider: str
    ) -> Diff:
        if urns.is_provider(old.type):
            return self._registry.diff(old, inputs, ignored)
        diff = self._registry.get(provider).diff(old, inputs, ignored)
        if diff is not None:
            return diff
        self._reporter.say(
            "warning",
            "The provider for this resource has inputs that are not known during preview.\n"
            "This preview may not correctly represent the changes that will be applied during an "
            "update.",
            old.urn,
        )
        return Diff(changes=True)

    def _provider_changed(self, old: ResourceState, new: ResourceState) -> bool:
        if old.provider == new.provider:
            return False
        if not old.provider or not new.provider:
            return True
        old_urn, old_id = urns.split_reference(old.provider)
        new_urn, _ = urns.split_reference(new.provider)
        before = next((s for s in self._graph if (s.urn, s.id) == (old_urn, old_id)), None)
        if before is None:
            raise PlanError(new.urn, f"failed to resolve provider reference: '{old.provider}'")
        provider = self._registry.get(new.provider)
        news = self._news[new_urn].inputs
        diff = provider.diff_config(new_urn, public(before.inputs), before.outputs, public(news))
        return diff.replaces

    def _replace(
        self, goal: Goal, old: ResourceState, new: ResourceState, diff: Diff
    ) -> list[Step]:
        if new.protect and old.protect:
            raise PlanError(
                new.urn,
                f'unable to replace resource "{new.urn}"\n{_PROTECTED}',
            )
        # Defaults carried over from the old resource are not those of a new one.
        new.inputs = self._check(new, goal.inputs, None)
        before = diff.delete_before_replace
        if goal.delete_before_replace is not None:
            before = goal.delete_before_replace
        if not before:
            changes = describe(old.inputs, new.inputs, diff=diff)
            return self._steps(
                "replace",
                Step("create-replacement", old, new, changes),
                Step("replace", old, new, changes),
            )
        steps = self._clear_dependents(old)
        if not old.pending_replacement:
            self._gone.add(id(old))
            steps.append(Step("delete-replaced", old, to_be_replaced=True))
        return self._steps("replace", *steps, *self._recreate(old, new, diff))

    def _recreate(self, old: ResourceState, new: ResourceState, diff: Diff) -> list[Step]:
        changes = describe(old.inputs, new.inputs, diff=diff)
        return [
            Step("replace", old, new, changes),
            Step("create-replacement", old, new, changes),
        ]

    def _clear_dependents(self, root: ResourceState) -> list[Step]:
        steps: list[Step] = []
        for state in reversed(self._dependent_replacements(root)):
            if id(state) in self._gone or state.pending_replacement:
                continue
            if state.delete:
                steps.append(Step("delete-replaced", state))
            elif state.protect:
                raise PlanError(
                    root.urn,
                    f'unable to replace resource "{state.urn}" as part of replacing '
                    f'"{root.urn}" {_PROTECTED}',
                )
            else:
                steps.append(Step("delete-replaced", state, to_be_replaced=True))
                self._deletes.add(state.urn)
            self._gone.add(id(state))
        return steps

    def _dependent_replacements(self, root: ResourceState) -> list[ResourceState]:
        """What would be replaced because `root` is (calculateDependentReplacements)."""
        if root not in self._graph:
            return []
        replaced = {root.urn}
        found = []
        done = {*self._ops, *self._deletes}
        for state in dependents(root, self._graph, done):
            if self._is_replaced_with(state, replaced):
                replaced.add(state.urn)
                found.append(state)
        return found

    def _is_replaced_with(self, state: ResourceState, replaced: set[str]) -> bool:
        if not state.custom or state.external:
            return False
        if state.provider and urns.split_reference(state.provider)[0] in replaced:
            return True
        inputs = dict(state.inputs)
        touched = [
            key for key in inputs if replaced & set(state.property_dependencies.get(key, []))
        ]
        if not touched:
            return False
        inputs |= dict.fromkeys(touched, UNKNOWN)
        diff = self._provider_diff(state, inputs, state.ignore_changes, state.provider)
        return apply_replace_on_changes(diff, state.replace_on_changes, init_errors=False).replaces


def check_message(new: ResourceState, inputs: Properties, failure: Failure) -> str:
    """What Pulumi says about a failed check (pulumi/sdk/go/common/diag/errors.go)."""
    where = f"{new.type} resource '{new.name}'"
    if not failure.property:
        return f"{where} has a problem: {failure.reason}"
    value = redact(inputs.get(failure.property))
    return f"{where}: property {failure.property} value {{{value}}} has a problem: {failure.reason}"
