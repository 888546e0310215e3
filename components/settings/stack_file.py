"""A stack file as YAML, read the way Pulumi reads it.

PyYAML reads YAML 1.1: `lifetime: 2:30` is the number 150 and `no` is false. Pulumi and every editor
read 1.2, where both are text. The same file must not mean two things.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from components.settings.problems import Problem, SettingsError, did_you_mean

BESIDE_CONFIG = ("encryptionsalt", "encryptedkey", "secretsprovider", "environment")
"""What Pulumi itself keeps in a stack file, beside `config:`."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core schema, and no key twice."""

    # Replaced and not changed: the table of the base class belongs to everyone.
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012


# A leading zero is left as text: 012 is ten for some readers and twelve for others.
_WHOLE = r"(?:0|[1-9][0-9]{0,17})"
_EXPONENT = r"[eE][-+]?[0-9]{1,3}"
_FLOAT = (
    rf"[-+]?(?:{_WHOLE}\.[0-9]*(?:{_EXPONENT})?|{_WHOLE}{_EXPONENT}|\.[0-9]+(?:{_EXPONENT})?)"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_RESOLVERS = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (rf"[-+]?{_WHOLE}", list("-+0123456789")),
    "float": (_FLOAT, list("-+.0123456789")),
    "merge": (r"<<", ["<"]),
}
for _tag, (_pattern, _first) in _RESOLVERS.items():
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first
    )


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        name = f"{key.value}"
        if name in seen and name != "<<":
            raise yaml.constructor.ConstructorError(
                problem=f"`{name}` is written twice", problem_mark=key.start_mark
            )
        seen.add(name)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read(path: Path, *, settings: Collection[str]) -> tuple[dict[str, Any], list[Problem]]:
    """Read the `config:` of a stack file.

    Args:
        path: The stack file.
        settings: The keys of the project, to recognise one that stands outside of `config:`.

    Returns:
        What stands below `config:`, and what is wrong beside it.

    Raises:
        SettingsError: There is nothing to look at.
    """
    document = _parse(path)
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise _unreadable(path, "file", "is not a mapping", "Write `config:` and keys below it.")
    problems = [
        _beside(str(key), settings) for key in document if key not in {"config", *BESIDE_CONFIG}
    ]
    config = document.get("config")
    if config is None:
        config = {}
    if not isinstance(config, dict):
        raise _unreadable(path, "config", "is not a mapping", "Write `key: value` lines below it.")
    return {str(key): value for key, value in config.items()}, problems


def _parse(path: Path) -> Any:  # noqa: ANN401
    try:
        # Safe: the loader is a SafeLoader that knows fewer types.
        return yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise _unreadable(path, "file", reason, "Look at its name and rights.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "file"
        problem = getattr(error, "problem", None) or "is not YAML"
        remedy = "Look for a wrong indentation, a tab or a missing quote in or above this line."
        if "written twice" in problem:
            remedy = "Keep one of the two."
        raise _unreadable(path, where, problem, remedy) from None


def _beside(key: str, settings: Collection[str]) -> Problem:
    if key.rpartition(":")[2] in settings:
        return Problem(key, "stands outside of `config:`", "Move it below `config:`.")
    near = did_you_mean(key, ("config", *BESIDE_CONFIG))
    remedy = f"Did you mean `{near}`?" if near else "Settings stand below `config:`."
    return Problem(key, "unknown key of a stack file", remedy)


def _unreadable(path: Path, key: str, problem: str, remedy: str) -> SettingsError:
    return SettingsError([Problem(key, problem, remedy)], source=str(path), unreadable=True)
