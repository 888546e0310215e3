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

    The rules are those of `PropertyPath.reset` in pulumi/sdk/go/common/resource/properties_path.go.

    Returns:
        False if that is impossible, such as an index that only one of two lists has.
    """
    return _reset(path, old, new, hide=False)


def _reset(path: Path, old: Any, new: Any, *, hide: bool) -> bool:  # noqa: ANN401
    # A value that comes out of a secret stays one.
    hide = (hide or isinstance(old, Secret)) and not isinstance(new, Secret)
    old, new = _plain(old), _plain(new)
    key, rest = path[0], path[1:]
    if key == WILDCARD:
        return _reset_all(rest, old, new, hide=hide)
    if isinstance(key, int):
        return _reset_index(key, rest, old, new, hide=hide)
    return _reset_key(key, rest, old, new, hide=hide)


def _reset_all(rest: Path, old: Any, new: Any, *, hide: bool) -> bool:  # noqa: ANN401
    if isinstance(old, Mapping) and isinstance(new, dict):
        if not rest:
            new.clear()
            new.update({key: _kept(value, hide=hide) for key, value in old.items()})
            return True
        return all(key in new and _reset(rest, old[key], new[key], hide=hide) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        for index, (before, after) in enumerate(zip(old, new, strict=False)):
            if not rest:
                new[index] = _kept(before, hide=hide)
            elif not _reset(rest, before, after, hide=hide):
                return False
        return len(old) == len(new)
    return not rest and isinstance(new, dict | list)


def _reset_index(index: int, rest: Path, old: Any, new: Any, *, hide: bool) -> bool:  # noqa: ANN401
    if not isinstance(old, list) or not isinstance(new, list):
        return not isinstance(old, list) and not isinstance(new, list)
    if index >= len(old) or index >= len(new):
        return not rest and index >= len(old) and index >= len(new)
    if rest:
        return _reset(rest, old[index], new[index], hide=hide)
    new[index] = _kept(old[index], hide=hide)
    return True


def _reset_key(key: str, rest: Path, old: Any, new: Any, *, hide: bool) -> bool:  # noqa: ANN401
    there = isinstance(old, Mapping) and key in old
    if not rest:
        if there and isinstance(new, dict):
            new[key] = _kept(old[key], hide=hide)
        elif isinstance(new, dict):
            new.pop(key, None)
        return not there or isinstance(new, dict)
    if not isinstance(old, Mapping) or not isinstance(new, dict):
        return not isinstance(old, Mapping) and not isinstance(new, dict)
    if key not in new:
        return not there
    return _reset(rest, old.get(key), new[key], hide=hide)


def _kept(value: Any, *, hide: bool) -> Any:  # noqa: ANN401
    return Secret(value) if hide and not isinstance(value, Secret) else value


def _plain(value: Any) -> Any:  # noqa: ANN401
    return value.element if isinstance(value, Secret) else value
