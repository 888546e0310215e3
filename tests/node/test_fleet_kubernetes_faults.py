"""Deployments as a fleet: an API server that refuses, is away or is silent; tokens that change."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from kubernetes.config import incluster_config

from dask_node.kubernetes import clients
from dask_node.kubernetes.fleet import KubernetesFleet
from tests.node.kube_fleet import Seen
from tests.node.kube_objects import deployment
from tests.node.kube_server import WHERE
from tests.node.scaling import group

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node.kube_server import FakeKubernetes


@pytest.mark.parametrize(
    ("code", "body", "said"),
    [
        (403, {"message": "pods is forbidden"}, "403: pods is forbidden"),
        (500, {}, "500 Internal Server Error"),
    ],
)
def test_what_the_server_does_not_do_is_an_os_error(
    kubernetes: FakeKubernetes,
    code: int,
    body: dict[str, str],
    said: str,
) -> None:
    one = deployment(group("worker", 0, 3), 2)
    seen = Seen(kubernetes, one)
    pods = seen.running(one, 2)
    seen.kubernetes.broken = code, body
    acts = (seen.look, lambda: seen.start("worker", 1), lambda: seen.stop(pods[0].name))
    for act in acts:
        with pytest.raises(OSError, match=rf"^Kubernetes: (looking|marking) .*: {said}$"):
            act()


@pytest.mark.parametrize(("listens", "said"), [(False, "refused"), (True, "timed out")])
def test_a_server_that_is_away_or_silent_is_an_os_error(
    kubernetes: FakeKubernetes,
    monkeypatch: pytest.MonkeyPatch,
    listens: bool,  # noqa: FBT001
    said: str,
) -> None:
    seen = Seen(kubernetes, deployment(group("worker", 1)))
    assert clients._CALL["_request_timeout"] == (5, 10)
    monkeypatch.setitem(clients._CALL, "_request_timeout", (0.5, 0.5))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        if listens:
            other.listen()
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(other.getsockname()[1]))
        with pytest.raises(OSError, match=f"Kubernetes: looking at the Deployments: .*{said}"):
            seen.look()


def test_outside_of_a_pod_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(OSError, match="reading the service account: Service host/port is not set"):
        asyncio.run(KubernetesFleet(WHERE).look())


def test_a_token_that_was_changed_is_read_again(
    kubernetes: FakeKubernetes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = Seen(kubernetes, deployment(group("worker", 1)))
    seen.look()
    seen.kubernetes.token = "second"  # noqa: S105
    (tmp_path / "token").write_text("second")
    with pytest.raises(OSError, match="401: Unauthorized"):
        seen.look()
    later = SimpleNamespace(now=lambda: datetime.now() + timedelta(seconds=61))  # noqa: DTZ005
    clock = SimpleNamespace(datetime=later, timedelta=timedelta)
    monkeypatch.setattr(incluster_config, "datetime", clock)
    assert seen.look().groups


def test_the_client_is_imported_for_no_other_kind() -> None:
    program = "import sys, dask_node.scaler; print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "'dask_node.fleet'" in done.stdout
    assert "'kubernetes'" not in done.stdout
