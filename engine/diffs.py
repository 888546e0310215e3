"""Comparing property maps, and what a provider's answer to Diff comes to.

Follows `diffResource` and `applyReplaceOnChanges` of pulumi/pkg/resource/deploy/step_generator.go.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from engine import paths
from engine.events import PropertyChange
from engine.values import Properties, Secret, redact, same, unwrap

INIT_ERROR_KEY: Final = "#initerror"
HIDDEN_KEYS: Final = frozenset({"__defaults", "__provider"})
Kind = Literal["add", "delete", "update"]


@dataclass(frozen=True)
class Diff:
    """What comparing a resource's old and new properties came to.

    Attributes:
        changes: Whether anything changed at all.
        replace_keys: Top-level properties whose change needs a new resource.
        changed_keys: Top-level properties that changed.
        detailed: Changed property paths; True where the change needs a new resource.
        delete_before_replace: The provider wants the old resource gone first.
    """

    changes: bool
    replace_keys: tuple[str, ...] = ()
    changed_keys: tuple[str, ...] = ()
    detailed: Mapping[str, bool] | None = None
    delete_before_replace: bool = False

    @property
    def replaces(self) -> bool:
        """Whether the resource must be replaced (plugin.DiffResult.Replace)."""
        if not self.changes:
            return False
        return bool(self.replace_keys) or any((self.detailed or {}).values())


def ignore_changes(
    inputs: Properties, old_inputs: Properties, ignored: Iterable[str]
) -> tuple[Properties, list[str]]:
    """Reset the ignored paths of new inputs to their old values.

    Returns:
        The inputs to go on with, and the paths that could not be reset.
    """
    result = copy.deepcopy(inputs)
    failed = [p for p in ignored if not paths.reset(paths.parse(p), old_inputs, result)]
    return result, failed


def changed_keys(old: Properties, new: Properties) -> tuple[str, ...]:
    """Top-level properties that differ once secret marks are taken off."""
    keys = [*old, *(key for key in new if key not in old)]
    missing = object()
    return tuple(
        key
        for key in keys
        if not same(unwrap(old.get(key, missing)), unwrap(new.get(key, missing)))
    )


def changed_paths(old: Properties, new: Properties) -> list[str]:
    """Paths of everything that differs once secret marks are taken off."""
    plain_old, plain_new = unwrap(old), unwrap(new)
    keys = [*plain_old, *(key for key in plain_new if key not in plain_old)]
    return [paths.render(path) for key in keys for path, *_ in _walk((key,), plain_old, plain_new)]


def apply_replace_on_changes(
    diff: Diff, replace_on_changes: Sequence[str], *, init_errors: bool
) -> Diff:
    """Turn changes of the named paths into replacements; `*` names all of them."""
    if not diff.changes and not init_errors:
        return diff
    wanted = [paths.parse(path) for path in replace_on_changes]

    def matches(path: str) -> bool:
        inner = paths.parse(path)
        return any(paths.contains(outer, inner) for outer in wanted)

    replace_keys = [*diff.replace_keys]
    replace_keys += [k for k in diff.changed_keys if k not in replace_keys and matches(k)]
    changes = diff.changes
    if init_errors and matches(INIT_ERROR_KEY):
        replace_keys.append(INIT_ERROR_KEY)
        changes = True
    detailed = diff.detailed
    if detailed is not None:
        detailed = {path: forced or matches(path) for path, forced in detailed.items()}
    return replace(diff, changes=changes, replace_keys=tuple(replace_keys), detailed=detailed)


def describe(
    old: Properties, new: Properties, *, diff: Diff | None = None
) -> tuple[PropertyChange, ...]:
    """The changed properties for a person, secrets as `[secret]`.

    Args:
        old: Properties before.
        new: Properties after.
        diff: Says which of the changes force a replacement.
    """
    replaced = diff.replace_keys if diff else ()
    forced = [p for p, force in ((diff.detailed if diff else None) or {}).items() if force]
    changes: list[PropertyChange] = []
    for key in [*old, *(key for key in new if key not in old)]:
        if key in HIDDEN_KEYS:
            continue
        for path, kind, before, after in _walk((key,), old, new):
            text = paths.render(path)
            causes = key in replaced or any(
                text.startswith(p) or p.startswith(text) for p in forced
            )
            changes.append(PropertyChange(text, kind, before, after, causes))
    return tuple(changes)


def _walk(
    path: tuple[str | int, ...],
    old: Any,  # noqa: ANN401
    new: Any,  # noqa: ANN401
) -> Iterable[tuple[tuple[str | int, ...], Kind, Any, Any]]:
    key = path[-1]
    in_old, in_new = _has(old, key), _has(new, key)
    before, after = (old[key] if in_old else None), (new[key] if in_new else None)
    if not in_old:
        yield path, "add", None, redact(after)
    elif not in_new:
        yield path, "delete", redact(before), None
    elif same(before, after):
        return
    elif isinstance(before, Secret) or isinstance(after, Secret):
        if not same(unwrap(before), unwrap(after)):
            yield path, "update", redact(before), redact(after)
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        for child in [*before, *(k for k in after if k not in before)]:
            yield from _walk((*path, child), before, after)
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            yield from _walk((*path, index), before, after)
    else:
        yield path, "update", redact(before), redact(after)


def _has(container: Any, key: str | int) -> bool:  # noqa: ANN401
    if isinstance(container, list):
        return isinstance(key, int) and key < len(container)
    return key in container
