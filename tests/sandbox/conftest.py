"""Rehearsals for tests; each has an AWS of its own, which ends with the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.rehearsed import Rehearsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def rehearsed(tmp_path: Path) -> Iterator[Callable[[str], Rehearsed]]:
    """Return what begins the rehearsal of a stack."""
    begun: list[Rehearsed] = []

    def begin(name: str) -> Rehearsed:
        begun.append(Rehearsed(tmp_path / name, name))
        return begun[-1]

    yield begin
    for each in begun:
        each.end()
