"""The identity changes exactly when what lands on a host changes."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.environment.built import ROOT, run_install, uv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RECIPE = ROOT / "images" / "environment"
LOCKED = """\
# made by hand
alpha==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via beta
beta==2.0 ; python_full_version < '3.12' \\
    --hash=sha256:cc
"""


def recipe() -> Any:  # noqa: ANN401
    """Load identity.py by its path, as the Pulumi program does."""
    spec = importlib.util.spec_from_file_location("recipe_identity", RECIPE / "identity.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return shutil.copytree(ROOT / "images", tmp_path / "images")


BASE: dict[str, str] = {"requirements": LOCKED, "python": "3.11", "extra": ""}
SAME: dict[str, dict[str, str]] = {
    "a comment": {"requirements": LOCKED.replace("by hand", "by uv")},
    "no comments": {"requirements": "".join(LOCKED.splitlines(keepends=True)[1:])},
    "the order": {
        "requirements": "beta==2.0 ; python_full_version < '3.12' --hash=sha256:cc\n"
        "alpha==1.0 --hash=sha256:aa --hash=sha256:bb\n"
    },
    "Python's patch release": {"python": "3.11.9"},
    "an empty list of extra packages": {"extra": "\n# nothing\n"},
}
OTHER: dict[str, dict[str, str]] = {
    "a version": {"requirements": LOCKED.replace("alpha==1.0", "alpha==1.0.1")},
    "a hash": {"requirements": LOCKED.replace("sha256:bb", "sha256:bc")},
    "a marker": {"requirements": LOCKED.replace("3.12", "3.13")},
    "one package less": {"requirements": LOCKED.partition("beta==")[0]},
    "one package more": {"requirements": LOCKED + "gamma==1 --hash=sha256:dd\n"},
    "Python's minor version": {"python": "3.12"},
    "an extra package": {"extra": "gamma==1 --hash=sha256:dd\n"},
}


@pytest.mark.parametrize("case", SAME)
def test_it_stays(case: str) -> None:
    assert recipe().identity(**{**BASE, **SAME[case]}) == recipe().identity(**BASE)


@pytest.mark.parametrize("case", OTHER)
def test_it_changes(case: str) -> None:
    assert recipe().identity(**{**BASE, **OTHER[case]}) != recipe().identity(**BASE)


def test_a_package_is_not_the_same_as_an_extra_one() -> None:
    head, name, tail = LOCKED.partition("beta==")
    assert recipe().digest(head, "3.11", name + tail) != recipe().digest(LOCKED, "3.11")


def append(path: str) -> Callable[[Path], object]:
    def edit(images: Path) -> None:
        with (images / path).open("a") as file:
            file.write("\n")

    return edit


FILES: dict[str, tuple[bool, Callable[[Path], object]]] = {
    "a file of the node package": (True, append("node/dask_node/connect.py")),
    "a new file in it": (True, append("node/dask_node/drain.py")),
    "the base configuration": (True, append("environment/dask.yaml")),
    "the recipe": (False, append("environment/install.sh")),
    "the table of system packages": (False, append("environment/packages.txt")),
    "a cache of Python's": (False, lambda images: (images / "node/__pycache__").mkdir()),
}


@pytest.mark.parametrize("case", FILES)
def test_files(case: str, images: Path) -> None:
    changes, edit = FILES[case]
    before = recipe().identity(**BASE, images=images)
    assert before == recipe().identity(**BASE)
    edit(images)
    assert (recipe().identity(**BASE, images=images) != before) is changes


@pytest.mark.parametrize(("package", "changes"), [("ruff==0.12.0", False), ("six==1.16.0", True)])
def test_only_the_environment_s_part_of_the_lock_counts(
    checkout: Path, package: str, *, changes: bool
) -> None:
    script = checkout / "images" / "environment" / "install.sh"
    before = run_install("--identity", script=script).stdout
    lock = (checkout / "uv.lock").read_text()
    uv("lock", "--quiet", "--project", checkout, "--upgrade-package", package)
    assert (checkout / "uv.lock").read_text() != lock
    after = run_install("--identity", script=script).stdout
    assert len(after) == len("0123456789abcdef\n")
    assert (after != before) is changes


def test_shell_module_and_program_agree(tmp_path: Path) -> None:
    requirements, extra = tmp_path / "requirements.txt", tmp_path / "extra.txt"
    requirements.write_text(run_install("--export").stdout)
    extra.write_text("gamma==1 --hash=sha256:dd\n")
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    by_module = recipe().identity(requirements.read_text(), minor, extra.read_text())
    by_lock = run_install("--identity", "--extra", extra).stdout
    by_file = run_install("--identity", "--extra", extra, "--requirements", requirements).stdout
    assert by_lock == by_file == by_module + "\n"


def test_a_requirement_without_a_pin_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^not a pinned requirement: alpha>=1 --hash=sha256:aa$"):
        recipe().pins("alpha>=1 \\\n    --hash=sha256:aa\n")
