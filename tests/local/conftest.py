"""Clusters for the tests: one that many tests share, and fresh ones for those that break things."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.local.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def project() -> Iterator[Callable[..., Cluster]]:
    """Return a function that makes a project folder with a stack file; all of it is removed."""
    made: list[Cluster] = []
    # A short path: the supervisor's socket lies in it, and a socket's path has little room.
    with tempfile.TemporaryDirectory(prefix="dc-") as folder:

        def prepare(**settings: object) -> Cluster:
            cluster = Cluster.prepare(Path(folder).resolve() / str(len(made)), **settings)
            made.append(cluster)
            return cluster

        yield prepare
        for cluster in made:
            cluster.destroy()
            assert cluster.left() == []


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    """Return a cluster of two workers that the tests of one file share and leave as it was."""
    with tempfile.TemporaryDirectory(prefix="dc-") as folder:
        cluster = Cluster.prepare(Path(folder).resolve() / "shared")
        cluster.up()
        yield cluster
        cluster.destroy()
        assert cluster.left() == []
