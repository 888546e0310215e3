"""An API server on loopback, with Deployments and pods, for the real client of a pod.

Its ReplicaSets choose who ends as Kubernetes 1.34 does (`ActivePodsWithRanks` in
pkg/controller/controller_utils.go).
"""

from __future__ import annotations

import re
import ssl
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from kubernetes.config import incluster_config

from tests.node.kube_objects import CLUSTER, FakeDeployment, FakePod
from tests.operations.serving import Handler, Serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

NAMESPACE = "science"
WHERE = f"kubernetes:{NAMESPACE}/{CLUSTER}"


class FakeKubernetes(Serving):
    """The API server of one namespace, and its controllers.

    Attributes:
        token: Whoever shows another is refused.
        calls: What was changed: the path below the namespace, and what was sent.
        looks: Requests that change nothing.
        broken: Answers a request instead: a code and the body.
        meanwhile: Called once before the next number is set, as somebody else who is quicker.
    """

    def __init__(self, certificates: Path) -> None:
        super().__init__(type("Bound", (_Handler,), {"fake": self}))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "scheduler.pem", certificates / "scheduler.key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self.deployments: dict[str, FakeDeployment] = {}
        self.pods: dict[str, FakePod] = {}
        self.token = "first"  # noqa: S105
        self.calls: list[tuple[str, Any]] = []
        self.looks: list[str] = []
        self.broken: tuple[int, Any] | None = None
        self.meanwhile: Callable[[], None] | None = None
        self._numbers = count(1)

    def hold(self, *deployments: FakeDeployment) -> None:
        """Keep these Deployments."""
        self.deployments = {one.name: one for one in deployments}

    def active(self, deployment: FakeDeployment) -> list[FakePod]:
        mine = deployment.labels["dask-cluster/group"]
        return [
            p for p in self.pods.values() if p.active and p.labels["dask-cluster/group"] == mine
        ]

    def add(self, deployment: FakeDeployment, number: int = 1) -> list[FakePod]:
        """Make pods, as the ReplicaSet does."""
        labels = {**deployment.labels, "pod-template-hash": deployment.template}
        made = [
            FakePod(f"{deployment.name}-{deployment.template}-{next(self._numbers):05}", labels)
            for _ in range(number)
        ]
        self.pods |= {pod.name: pod for pod in made}
        return made

    def control(self) -> None:
        """Let the ReplicaSets make and end pods."""
        for one in self.deployments.values():
            active = self.active(one)
            if not one.prompt:
                continue
            surplus = len(active) - one.replicas
            for pod in sorted(active, key=lambda pod: pod.rank)[: max(0, surplus)]:
                pod.end()
            missing = -surplus if one.room is None else min(-surplus, one.room - len(active))
            self.add(one, max(0, missing))

    def turn(self) -> None:
        """Let everything go on by one step: pods that end are gone, pods that start are ready."""
        for name, pod in list(self.pods.items()):
            if pod.ends:
                del self.pods[name]
            elif pod.phase == "Running" and not pod.waiting:
                pod.ready = True
            elif pod.phase == "Pending":
                pod.run(ready=False)
        self.control()

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:  # noqa: ANN401
        """Answer a request below the namespace."""
        if self.broken:
            return self.broken
        if method == "GET":
            self.looks.append(path)
        if method == "GET" and path in ("deployments", "pods"):
            return self._list(path, query)
        if method == "PATCH" and path.endswith("/scale") and self.meanwhile:
            happens, self.meanwhile = self.meanwhile, None
            happens()
        kind, name, *rest = path.split("/")
        if kind == "pods":
            return self._annotate(name, body)
        assert rest == ["scale"]
        return self._scale(self.deployments[name], body)

    def _list(self, kind: str, query: dict[str, str]) -> tuple[int, Any]:
        wanted = dict(each.split("=") for each in query["labelSelector"].split(","))
        kinds: Any = self.deployments if kind == "deployments" else self.pods
        found = [one for one in kinds.values() if wanted.items() <= one.labels.items()]
        if kind == "pods":
            assert query["fieldSelector"] == "status.phase!=Failed,status.phase!=Succeeded"
            found = [pod for pod in found if pod.phase not in ("Failed", "Succeeded")]
            objects = [pod.object() for pod in found]
        else:
            objects = [one.object(self._refused(one)) for one in found]
        first, limit = int(query.get("continue", 0)), int(query["limit"])
        more = {"continue": f"{first + limit}"} if len(objects) > first + limit else {}
        return 200, {"metadata": more, "items": objects[first : first + limit]}

    def _refused(self, one: FakeDeployment) -> bool:
        return one.room is not None and one.room < one.replicas

    def _annotate(self, name: str, body: Any) -> tuple[int, Any]:  # noqa: ANN401
        self.calls.append((f"pods/{name}", body))
        if name not in self.pods:
            return 404, {"message": f'pods "{name}" not found'}
        notes = self.pods[name].annotations
        for key, value in body["metadata"]["annotations"].items():
            assert value is None or re.fullmatch(r"-?[1-9][0-9]*|0", value), value
            notes.pop(key, None)
            notes |= {key: value} if value is not None else {}
        return 200, {}

    def _scale(self, one: FakeDeployment, body: Any) -> tuple[int, Any]:  # noqa: ANN401
        if body is not None:
            self.calls.append((f"deployments/{one.name}/scale", body["spec"]["replicas"]))
            known = body.get("metadata", {}).get("resourceVersion", str(one.version))
            if known != str(one.version):
                return 409, {"message": "the object has been modified"}
            one.replicas = body["spec"]["replicas"]
            one.version += 1
        # As autoscaling/v1 writes it, a 0 is left out.
        spec = {"replicas": one.replicas} if one.replicas else {}
        return 200, {"metadata": {"resourceVersion": str(one.version)}, "spec": spec}


class _Handler(Handler):
    protocol_version = "HTTP/1.1"  # the API server keeps connections, too
    disable_nagle_algorithm = True
    fake: FakeKubernetes

    def get(self) -> None:
        self._serve(None)

    def do_PATCH(self) -> None:  # noqa: N802
        assert self.headers["Content-Type"] == "application/merge-patch+json"
        self._serve(self.request_body())

    def _serve(self, body: Any) -> None:  # noqa: ANN401
        if self.headers["Authorization"].lower() != f"bearer {self.fake.token}":
            self.answer(401, {"message": "Unauthorized"})
            return
        url = urlsplit(self.path)
        api = {"pods": "/api/v1/", "deployments": "/apis/apps/v1/"}
        start, path = re.fullmatch(rf"(/.*/)namespaces/{NAMESPACE}/(.*)", url.path).groups()  # type: ignore[union-attr]
        assert start == api[path.split("/")[0]]
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.answer(*self.fake.answer(self.command, path, query, body))


@contextmanager
def in_pod(patch: pytest.MonkeyPatch, certificates: Path, folder: Path) -> Iterator[FakeKubernetes]:
    """Serve, and let this process be in a pod: variables, and files of a service account."""
    with FakeKubernetes(certificates) as fake:
        (folder / "token").write_text(fake.token)
        patch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(folder / "token"))
        patch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(certificates / "ca.pem"))
        patch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        patch.setenv("KUBERNETES_SERVICE_PORT", str(fake.port))
        yield fake
