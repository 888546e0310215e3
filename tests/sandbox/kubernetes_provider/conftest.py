"""The plugin as a process, and an API server of canned answers."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.running import ROOT
from tests.sandbox.provider.plugin import Plugin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROGRAM = ROOT / "sandbox" / "kubernetes" / "plugins" / "pulumi-resource-kubernetes"
KINDS = {
    "/api/v1": {
        "ConfigMap": "configmaps", "Endpoints": "endpoints", "Pod": "pods", "Secret": "secrets",
        "PersistentVolumeClaim": "persistentvolumeclaims", "Service": "services",
    },
    "/apis/apps/v1": {"Deployment": "deployments", "ReplicaSet": "replicasets"},
}  # fmt: skip


class Canned:
    """An API server that answers GET with what a test puts into `objects`, and nothing else.

    Attributes:
        objects: Answers by path.
        asked: The calls, in their order.
    """

    objects: dict[str, Any]
    asked: list[str]

    def __init__(self) -> None:
        self.reset()
        canned = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                canned.asked.append(self.path)
                found = canned.objects.get(self.path.partition("?")[0])
                elsewhere = (found or {}).get("elsewhere")
                self.send_response(302 if elsewhere else 200 if found else 404)
                if elsewhere:
                    self.send_header("Location", elsewhere)
                self.end_headers()
                said = found or {"reason": "NotFound", "message": f"{self.path} not found"}
                self.wfile.write(json.dumps(said).encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def reset(self) -> None:
        """Forget everything but the kinds."""
        self.asked = []
        self.objects = {}
        for path, kinds in KINDS.items():
            rows = [{"name": n, "kind": kind, "namespaced": True} for kind, n in kinds.items()]
            self.objects[path] = {"resources": rows}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def kubeconfig(*servers: str) -> str:
    """One with a context for each server: `c0`, `c1`, and so on; the first is the current one."""
    numbered = [(f"c{number}", server) for number, server in enumerate(servers)]
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c0",
        "clusters": [{"name": name, "cluster": {"server": url}} for name, url in numbered],
        "users": [{"name": "me", "user": {"token": "none"}}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": "me", "namespace": "spaces"}}
            for name, _ in numbered
        ],
    }
    return yaml.safe_dump(content)


@pytest.fixture(scope="session")
def server() -> Iterator[Canned]:
    made = Canned()
    yield made
    made.close()


@pytest.fixture
def canned(server: Canned) -> Canned:
    """The API server, with nothing but its kinds."""
    server.reset()
    return server


def begun(folder: Path, *servers: str, **env: str) -> Plugin:
    """A plugin whose KUBECONFIG has these servers."""
    file = folder / "kubeconfig"
    file.write_text(kubeconfig(*servers))
    return Plugin({"PATH": "/usr/bin:/bin", "KUBECONFIG": str(file), **env}, PROGRAM, {})


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Plugin]]:
    """Return what starts a plugin whose KUBECONFIG has these servers."""
    made: list[Plugin] = []

    def begin(*servers: str, **env: str) -> Plugin:
        made.append(begun(tmp_path, *servers, **env))
        return made[-1]

    yield begin
    for each in made:
        each.close()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, server: Canned) -> Iterator[Plugin]:
    # A proxy would lead away from the server.
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy"), "http://127.0.0.1:1")
    made = begun(tmp_path_factory.mktemp("plugin"), server.url, **proxies)
    yield made
    made.close()


@pytest.fixture
def plugin(running: Plugin, canned: Canned) -> Plugin:  # noqa: ARG001
    """A plugin that is configured for the canned API server."""
    running.configure()
    return running
