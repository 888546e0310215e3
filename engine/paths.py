"""Property paths such as `root.nested[0]["odd.key"].*`: reading, matching and resetting.

Follows pulumi/sdk/go/common/resource/properties_path.go.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from engine.errors import EngineError
from engine.values import Properties, Secret

Path = tuple[str | int, ...]
WILDCARD: Final = "*"
_NAME: Final = re.compile(r"[^.\[]+")
_INDEX: Final = re.compile(r"\[(\*|-?\d+)\]")
_BARE: Final = re.compile(r"[A-Za-z0-9_]+")
_QUOTED: Final = re.compile(r'\["((?:[^"\\]|\\.)*)"\]')


def parse(text: str) -> Path:
    """Read a property path.

    Raises:
        EngineError: The text is not a path.
    """
    parts: list[str | int] = []
    rest = text
    while rest:
        rest = rest.removeprefix(".")
        if match := _QUOTED.match(rest):
            parts.append(re.sub(r"\\(.)", r"\1", match[1]))
        elif match := _INDEX.match(rest):
            parts.append(WILDCARD if match[1] == WILDCARD else int(match[1]))
        elif match := _NAME.match(rest):
            parts.append(match[0])
        else:
            raise EngineError(f"{text!r} is not a property path: it cannot be read from {rest!r}")
        rest = rest[match.end() :]
    return tuple(parts)


def render(path: Sequence[str | int]) -> str:
    """Write a property path as Pulumi shows it."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not part or re.search(r'[.\["\]]', part):
            escaped = part.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{escaped}"]'
        else:
            text += f".{part}" if text else part
    return text


def contains(outer: Path, inner: Path) -> bool:
    """Whether `inner` is the property that `outer` names, or lies inside it."""
    if len(inner) < len(outer):
        return False
    return all(WILDCARD in (a, b) or a == b for a, b in zip(outer, inner, strict=False))


def reset(path: Path, old: Properties, new: Properties) -> bool:
    """Set what `path` names in `new` back to its value in `old`, in place.

    Returns:
        False if that is impossible: the place exists on one side only, below the top.
    """
    return _reset(path, old, new)


def _reset(path: Path, old: Any, new: Any) -> bool:  # noqa: ANN401, PLR0911
    old, new = _plain(old), _plain(new)
    if not path:
        return True
    key, rest = path[0], path[1:]
    if isinstance(old, Mapping) and isinstance(new, dict) and not isinstance(key, int):
        if key == WILDCARD:
            keys = list(old.keys() | new.keys())
            return all(_reset_key(k, rest, old, new) for k in keys)
        return _reset_key(key, rest, old, new)
    if isinstance(old, list) and isinstance(new, list):
        if key == WILDCARD:
            if not rest:
                new[:] = old
                return True
            pairs = range(max(len(old), len(new)))
            return all(_reset_index(i, rest, old, new) for i in pairs)
        return isinstance(key, int) and _reset_index(key, rest, old, new)
    return False


def _reset_key(key: str, rest: Path, old: Mapping[str, Any], new: Properties) -> bool:
    if rest:
        if key in old and key in new:
            return _reset(rest, old[key], new[key])
        # Nothing is there on either side, so there is nothing to undo.
        return key not in old and key not in new
    if key in old:
        new[key] = old[key]
    else:
        new.pop(key, None)
    return True


def _reset_index(index: int, rest: Path, old: list[Any], new: list[Any]) -> bool:
    if not 0 <= index < len(old) or index >= len(new):
        return index >= len(old) and index >= len(new)
    if rest:
        return _reset(rest, old[index], new[index])
    new[index] = old[index]
    return True


def _plain(value: Any) -> Any:  # noqa: ANN401
    return value.element if isinstance(value, Secret) else value
