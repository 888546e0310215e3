"""How what the server has differs from what a program wants, and what that means.

Follows provider/pkg/provider/diff.go of pulumi-kubernetes.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from kubernetes.utils.quantity import parse_quantity

from engine.paths import WILDCARD, Path, contains, parse, render
from engine.values import Properties, Unknown, same
from sandbox.kubernetes.provider.objects import is_kind, metadata, pruned

_MISSING: Final = object()
# A change of these needs a new object. Those of every kind, then those of some.
_IDENTITY: Final = ("metadata.name", "metadata.namespace")
_FORCING: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("apps/v1", "Deployment"): ("spec.selector",),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): ("roleRef",),
    ("storage.k8s.io/v1", "StorageClass"): ("parameters", "provisioner"),
    ("v1", "PersistentVolumeClaim"): (
        "spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName",
    ),
    ("v1", "Secret"): ("type",),
    ("v1", "Service"): ("spec.clusterIP",),
}  # fmt: skip
# Where an empty text is a value and not the same as nothing.
_TEXTS: Final = frozenset({"annotations", "labels", "matchLabels", "data", "binaryData"})
# Where texts are amounts: `1000m` is 1. Keys whose values are, and keys of objects of them.
_AMOUNT: Final = frozenset({"averageValue", "divisor", "sizeLimit", "value"})
_AMOUNTS: Final = frozenset({"capacity", "hard", "limits", "overhead", "requests"})


def changes(
    olds: Properties,
    live: Properties,
    news: Properties,
    ignored: Sequence[str],
    *,
    mutable: frozenset[str],
) -> Iterator[tuple[str, str, bool]]:
    """Each change, as top-level property, path and whether it needs a new object.

    Args:
        olds: The recorded inputs.
        live: What the server had.
        news: The wanted inputs.
        ignored: Paths whose changes do not count.
        mutable: Of ConfigMap and Secret, the kinds whose data may change in place.
    """
    skipped = [parse(path) for path in ignored]
    forcing = [parse(path) for path in _forcing(news, mutable)]
    before = pruned(live, olds)
    if metadata(news, "name"):
        before.setdefault("metadata", {})["name"] = metadata(live, "name")
    for path, after in _differences((), before, news):
        if not any(contains(outer, path) for outer in skipped):
            forced = any(_forces(pattern, path, after) for pattern in forcing)
            yield str(path[0]), render(path), forced


def replaced_in_place(live: Properties, news: Properties, *, autonamed: bool) -> bool:
    """Whether a new object would stand where the old one is, which must then go first."""
    named = bool(metadata(news, "name")) and not autonamed
    return named and all(metadata(news, k) == metadata(live, k) for k in ("name", "namespace"))


def _forcing(news: Properties, mutable: frozenset[str]) -> tuple[str, ...]:
    fixed = news.get("immutable") is True
    if is_kind(news, "v1", "Secret") and (fixed or "Secret" not in mutable):
        return (*_IDENTITY, "type", "stringData", "data")
    if is_kind(news, "v1", "ConfigMap") and (fixed or "ConfigMap" not in mutable):
        return (*_IDENTITY, "binaryData", "data")
    kind = (str(news.get("apiVersion")), str(news.get("kind")))
    return (*_IDENTITY, *_FORCING.get(kind, ()))


def _forces(pattern: Path, path: Path, after: Any) -> bool:  # noqa: ANN401
    """Whether a change at `path` touches `pattern`: inside of it, or around it."""
    if contains(pattern, path):
        return True
    if not contains(path, pattern):
        return False
    for key in pattern[len(path) :]:
        if not isinstance(after, Mapping) or key == WILDCARD or key not in after:
            return False
        after = after[key]
    return True


def _differences(path: Path, before: Any, after: Any) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401
    """Paths that differ, with what is wanted there, None for nothing."""
    if after is _MISSING:
        yield path, None
    elif before is _MISSING:
        texts = len(path) > 1 and path[-2] in _TEXTS
        if texts or isinstance(path[-1], int) or not _empty(after):
            yield path, after
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            inner = before.get(key, _MISSING), after.get(key, _MISSING)
            yield from _differences((*path, key), *inner)
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            yield from _differences((*path, index), _item(before, index), _item(after, index))
    elif not same(before, after) and not _same_amount(path, before, after):
        yield path, after


def _item(items: list[Any], index: int) -> Any:  # noqa: ANN401
    return items[index] if index < len(items) else _MISSING


def _empty(value: Any) -> bool:  # noqa: ANN401
    """Whether the server leaves such a value out."""
    return not isinstance(value, Unknown) and not value


def _same_amount(path: Path, before: Any, after: Any) -> bool:  # noqa: ANN401
    amount = path[-1] in _AMOUNT or (len(path) > 1 and path[-2] in _AMOUNTS)
    kinds = (str, int, float)
    if not amount or not isinstance(before, kinds) or not isinstance(after, kinds):
        return False
    try:
        return bool(_amount(before) == _amount(after))
    except ValueError:
        return False


def _amount(value: str | float) -> Decimal:
    found: Decimal = parse_quantity(value)  # type: ignore[no-untyped-call]
    return found
