"""The AWS in this process, as hosts see it; each test finds its account empty."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from sandbox.aws.server import repairs
from sandbox.aws.server.app import Application
from sandbox.aws.server.world import WORLD
from tests.sandbox.server.account import Account

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def application() -> Application:
    repairs.apply()
    WORLD.clock.start()
    return Application()


@pytest.fixture(scope="session")
def endpoint(application: Application) -> Iterator[str]:
    server = make_server(
        "127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def account(endpoint: str) -> Account:
    return Account(endpoint)
