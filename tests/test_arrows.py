"""The arrows of the design: who may import whom, and how large a file and a function may be."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("__main__", "components", "dask_node", "engine", "operations", "sandbox", "tests")
MOST_LINES = 300
MOST_FUNCTION_LINES = 50

# From the top down. A module imports from its own layer's package or from a layer further down.
LAYERS = (
    ("__main__",),
    ("components.cluster", "components.stack_config"),
    ("components.platforms",),
    ("components",),  # the parts
    ("components.settings",),
)

# Whole packages, and what of ours they may know.
PACKAGES = {
    "engine": {"engine"},
    "dask_node": {"dask_node"},
    "components": {"components"},
    "components.settings": {"components.settings"},
    # The plugins and the engine speak one protocol: values and paths in them are read in one place.
    "sandbox": {
        "sandbox",
        "components.settings",
        "engine.values",
        "engine.errors",
        "engine.paths",
    },
    # What `status` and `doctor` look at and `up` changes and checks: one piece of code for both.
    "operations": {
        "operations",
        "engine",
        "components.settings",
        # The tag of a cluster, and partitions: `sweep` looks for what the components make.
        "components.aws",
        "components.local.process_table",
        "components.local.machine",
        "components.kubernetes.pod_states",
        "sandbox",
    },
}


def modules() -> dict[str, Path]:
    found = {"__main__": ROOT / "__main__.py"}
    for base, package in (
        (ROOT, each) for each in ("components", "engine", "operations", "sandbox")
    ):
        for path in sorted((base / package).rglob("*.py")):
            found[name_of(path, base)] = path
    for path in sorted((ROOT / "images" / "node" / "dask_node").rglob("*.py")):
        found[name_of(path, ROOT / "images" / "node")] = path
    return found


def name_of(path: Path, base: Path) -> str:
    parts = path.relative_to(base).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(str(node.module))
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in OURS}


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def layer(name: str) -> int:
    matches = [
        (len(package), rank)
        for rank, packages in enumerate(LAYERS)
        for package in packages
        if within(name, package)
    ]
    return max(matches)[1]


MODULES = modules()


def test_the_modules_are_found() -> None:
    assert {"__main__", "components.cluster", "components.settings", "engine"} <= MODULES.keys()
    assert {"operations.cli", "dask_node"} <= MODULES.keys()


@pytest.mark.parametrize("name", MODULES)
def test_packages_know_only_what_they_may(name: str) -> None:
    package = max((p for p in PACKAGES if within(name, p)), key=len, default=None)
    allowed = PACKAGES[package] if package else {"components"}
    for imported in imports(MODULES[name]):
        assert any(within(imported, a) or within(a, imported) for a in allowed), (
            f"{name} imports {imported}"
        )


@pytest.mark.parametrize(
    "name", [n for n in MODULES if n.split(".")[0] in ("__main__", "components")]
)
def test_imports_point_down(name: str) -> None:
    for imported in imports(MODULES[name]) & MODULES.keys() - {"components"}:
        above, below = layer(name), layer(imported)
        assert below > above or (below == above and same_package(name, imported)), (
            f"{name} imports {imported}, which lies above or beside it"
        )


def same_package(name: str, imported: str) -> bool:
    """Parts may use one another, and so may the modules of one package; platforms may not."""
    return (not within(name, "components.platforms") and layer(name) > 1) or name == imported


@pytest.mark.parametrize("name", MODULES)
def test_settings_and_environment_know_no_pulumi(name: str) -> None:
    text = MODULES[name].read_text()
    if within(name, "components.settings") or within(name, "dask_node"):
        assert "import pulumi" not in text
        assert "from pulumi" not in text


@pytest.mark.parametrize("name", MODULES)
def test_images_are_read_in_two_places_only(name: str) -> None:
    # In the settings it is a key: a user's own machine images.
    if within(name, "components.settings") or name in ("components.environment", "components.boot"):
        return
    if within(name, "components"):
        assert '"images' not in MODULES[name].read_text(), f"{name} reads images/"


@pytest.mark.parametrize("name", MODULES)
def test_nothing_grows_too_large(name: str) -> None:
    text = MODULES[name].read_text()
    assert len(text.splitlines()) <= MOST_LINES, f"{name}: split it by subject"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.body[_documented(node)].lineno + 1
            assert lines <= MOST_FUNCTION_LINES, f"{name}.{node.name}: {lines} lines"


def _documented(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return 1 if ast.get_docstring(node) is not None and len(node.body) > 1 else 0
