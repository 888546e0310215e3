"""Stacks for tests on this machine's Kubernetes: each module has its own, which ends with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.kubernetes import cluster
from tests.kubernetes.podded import CACHE, REPOSITORY, Podded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the Kubernetes until the last test: it would end with the last rehearsal."""
    claim = tmp_path_factory.mktemp("claim")
    cluster.start(claim, CACHE, say=print, repositories=[REPOSITORY])
    yield
    cluster.release(claim, print)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Podded]]:
    """Return what begins a stack; all of them are destroyed, and nothing of them is left."""
    begun: list[Podded] = []

    def begin(name: str) -> Podded:
        begun.append(Podded(tmp_path_factory.mktemp("project"), name))
        return begun[-1]

    yield begin
    for each in begun:
        each.destroy()
        assert cluster.find() is None or each.left() == []


@pytest.fixture(scope="module")
def podded(kubernetes: None, fresh: Callable[[str], Podded]) -> Callable[[str], Podded]:  # noqa: ARG001
    """Return what begins a stack on the Kubernetes that is there."""
    return fresh
