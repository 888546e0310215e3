"""Hosts for tests: each module has one cluster, which ends with the module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.hosts.hosted import Hosted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Hosted]]:
    """Return what begins the rehearsal of a stack with hosts."""
    begun: list[Hosted] = []

    def begin(name: str) -> Hosted:
        begun.append(Hosted(tmp_path_factory.mktemp("home"), name))
        return begun[-1]

    yield begin
    for each in begun:
        each.end()
