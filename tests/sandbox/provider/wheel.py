"""What the installed pulumi_aws says of a resource type: its token, inputs and outputs."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from pathlib import Path

Names = dict[str, str]
"""Property names with their annotations."""


def _folder() -> Path:
    spec = importlib.util.find_spec("pulumi_aws")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


@functools.cache
def _classes(module: str, file: str) -> dict[str, ast.ClassDef]:
    tree = ast.parse((_folder() / module / f"{file}.py").read_text())
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _file(kind: str) -> dict[str, ast.ClassDef]:
    module, name = kind.split(".")
    for path in sorted((_folder() / module).glob("[a-z]*.py")):
        if path.stem.replace("_", "") == name.lower():
            return _classes(module, path.stem)
    raise AssertionError(f"pulumi_aws has no {kind}")


@functools.cache
def _properties(node: ast.ClassDef) -> Names:
    found = {}
    for item in node.body:
        if not isinstance(item, ast.FunctionDef):
            continue
        getters = [d for d in item.decorator_list if "pulumi.getter" in ast.unparse(d)]
        for getter in getters:
            name = item.name
            if isinstance(getter, ast.Call) and getter.keywords:
                name = ast.literal_eval(getter.keywords[0].value)
            found[name] = ast.unparse(item.returns) if item.returns else ""
    return found


def token_of(kind: str) -> str:
    """The type token, as the class carries it."""
    node = _file(kind)[kind.split(".")[1]]
    return str(ast.literal_eval(node.decorator_list[0].args[0]))  # type: ignore[attr-defined]


def inputs_of(kind: str) -> Names:
    """The inputs."""
    classes, name = _file(kind), kind.split(".")[1]
    return _properties(classes.get(f"{name}Args") or classes[f"{name}InitArgs"])


def outputs_of(kind: str) -> list[str]:
    """The outputs that are no inputs."""
    given = inputs_of(kind)
    return [name for name in _properties(_file(kind)[kind.split(".")[1]]) if name not in given]


def parts_of(kind: str, annotation: str) -> Names | None:
    """The properties of a nested object, by the annotation of the input that holds it."""
    found = re.search(r"'(\w+Args)'", annotation)
    if found is None:
        return None
    return _properties(_classes(kind.split(".", maxsplit=1)[0], "_inputs")[found[1]])
