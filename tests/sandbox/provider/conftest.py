"""The servers, worlds and plugins of the scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.aws import server
from tests.sandbox.provider.life import Life, lead
from tests.sandbox.provider.plugin import Plugin
from tests.sandbox.provider.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
from tests.sandbox.provider.cloud import Cloud
from tests.sandbox.provider.control import Control

# Hooks and alarms run a hundred times faster: nobody answers the hooks here.
SPEED = 100


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An AWS on this machine."""
    folder = tmp_path_factory.mktemp("aws") / "server"
    running = server.start(folder, speed=SPEED)
    yield running.endpoint
    assert server.stop(folder)


@pytest.fixture(scope="session")
def life(aws: str, tmp_path_factory: pytest.TempPathFactory) -> Life:
    """Every resource type through its whole life."""
    return lead(World(tmp_path_factory.mktemp("life") / "project", aws))


@pytest.fixture(scope="session")
def account(aws: str, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A project without resources, for clients of boto3 and the environment of a plugin."""
    return World(tmp_path_factory.mktemp("account") / "project", aws)


@pytest.fixture(scope="session")
def plugin(account: World) -> Iterator[Plugin]:
    """A configured plugin."""
    running = Plugin(account.env)
    running.configure(defaultTags={"tags": {"dask-cluster": "dev"}})
    yield running
    running.close()


@pytest.fixture
def world(aws: str, tmp_path: Path) -> Iterator[World]:
    """A project of its own; it leaves nothing in the account."""
    made = World(tmp_path / "project", aws)
    yield made
    made.write({})
    made.good("up")
    assert server.contents(aws) == []


@pytest.fixture
def control(aws: str) -> Iterator[Control]:
    made = Control(aws)
    made.forget()
    yield made
    made.forget()


@pytest.fixture
def cloud(plugin: Plugin, aws: str, control: Control) -> Iterator[Cloud]:
    control.forget()
    made = Cloud(plugin)
    yield made
    for state in reversed(made.made):
        plugin.delete(state)
    assert server.contents(aws) == []
