from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.environment.built import change_packages, linked_copy, shared_environment
from tests.node.certificates import write_certificates
from tests.node.cluster import Cluster
from tests.node.kube_server import FakeKubernetes, in_pod

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    """Let tests read what our preloads log in this process."""
    caplog.set_level("INFO", "distributed.dask_node")


@pytest.fixture(scope="session")
def environment() -> Path:
    return shared_environment()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def other_environment(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same environment after someone changed one package and added one by hand."""
    copy = linked_copy(environment, tmp_path_factory.mktemp("other") / "environment")
    change_packages(copy, "six==1.16.0", "toml==0.10.2")
    return copy


@pytest.fixture(scope="session")
def running(
    environment: Path, certificates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A cluster of one worker that tests ask but do not change."""
    with Cluster(environment, certificates, tmp_path_factory.mktemp("running")) as ready:
        ready.start_scheduler()
        ready.start_worker("w0")
        ready.wait_registered("w0")
        yield ready


@pytest.fixture
def cluster(environment: Path, certificates: Path, tmp_path: Path) -> Iterator[Cluster]:
    """A cluster of the test's own, with nothing started."""
    with Cluster(environment, certificates, tmp_path) as ready:
        yield ready


@pytest.fixture
def kubernetes(
    monkeypatch: pytest.MonkeyPatch, certificates: Path, tmp_path: Path
) -> Iterator[FakeKubernetes]:
    """An API server, as if this process were in a pod."""
    with in_pod(monkeypatch, certificates, tmp_path) as server:
        yield server
