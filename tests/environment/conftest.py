from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.environment.built import ROOT, shared_environment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def environment() -> Path:
    return shared_environment()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the recipe reads of a checkout."""
    target = tmp_path / "checkout"
    shutil.copytree(
        ROOT / "images", target / "images", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "uv.lock", "README.md"):
        shutil.copy(ROOT / name, target)
    return target
