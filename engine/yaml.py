"""YAML as the real CLI reads it: the core schema, without the surprises of YAML 1.1."""

import re
from pathlib import Path
from typing import Any, Final

import yaml

from engine.errors import EngineError


class _Loader(yaml.SafeLoader):
    """Reads `yes` and `12:30` as text, as gopkg.in/yaml.v3 does."""


_TAG: Final = "tag:yaml.org,2002:"
_SCALARS: Final = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0o?[0-7_]+|0b[01_]+)", "-+0123456789"),
    (
        "float",
        (
            r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
        "-+0123456789.",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", ["<"]),
)
_Loader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(f"^(?:{_pattern})$"), list(_first))


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    digits = text.lstrip("+-")
    if re.fullmatch(r"0[0-7]+", digits):
        digits = f"0o{digits[1:]}"
    return int(digits, 0) * (-1 if text.startswith("-") else 1)


_Loader.add_constructor(f"{_TAG}int", _integer)


def read(path: Path) -> Any:  # noqa: ANN401 - any YAML document
    """Read a YAML file.

    Raises:
        EngineError: It cannot be read or is not YAML.
    """
    try:
        return yaml.load(path.read_text(), _Loader)  # noqa: S506 - derives from SafeLoader
    except OSError as error:
        raise EngineError(f"could not read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise EngineError(f"could not read {path}: {error}") from error
