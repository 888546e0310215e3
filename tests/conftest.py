"""For all tests: the uv and the cache of this checkout, as the Makefile sets them; loads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.running import loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.hosts.hosted import Hosted
    from tests.kubernetes.podded import Podded
    from tests.running import Load

CACHE = Path(__file__).parent.parent / ".cache"

# Copies of the project, which many tests work in, would fetch both again.
os.environ.setdefault("UV", str(CACHE / "uv-tool" / "bin" / "uv"))
os.environ.setdefault("UV_CACHE_DIR", str(CACHE / "uv"))
os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A scheduled run sets it: every kill and fault, and each setting's change by itself.
THOROUGH = bool(os.environ.get("DASK_CLUSTER_THOROUGH"))


@pytest.fixture
def load(stack: Hosted | Podded) -> Iterator[Callable[..., Load]]:
    """Return what puts a load on the module's cluster, once it has so many workers."""
    with loads(stack.beside) as begin:
        yield begin
