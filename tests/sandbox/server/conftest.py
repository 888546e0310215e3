"""One server for all tests; each test finds its account empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.aws import server
from tests.sandbox.server.account import Account

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A heartbeat of 30 s, the shortest that AWS allows, is over in a second.
SPEED = 30.0


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("aws")
    yield server.start(folder, speed=SPEED).endpoint
    assert server.stop(folder)


@pytest.fixture
def account(endpoint: str) -> Iterator[Account]:
    made = Account(endpoint)
    yield made
    assert made.ask("GET", "health")["failed"] == 0, "a step of the account failed: see server.log"
