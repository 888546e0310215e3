"""A Kubernetes of JSON: an API server that holds objects, for the tests of the commands."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.operations.serving import Handler, Serving

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.operations.project import Project

IDENTITY = "0123456789abcdef"
CONTEXT = "kind-kind"
NAMESPACE = "dask-dev"
SETTINGS: dict[str, Any] = {
    "platform": "kubernetes",
    "context": CONTEXT,
    "imageRepository": "ghcr.io/me/dask",
    "workers": 2,
}
OUTPUTS: dict[str, Any] = {
    "platform": "kubernetes",
    "context": CONTEXT,
    "namespace": NAMESPACE,
    "cluster": "dev",
    "scheduler_address": "tls://dask-dev-scheduler.dask-dev.svc:8786",
    "groups": {"scheduler": "dask-dev-scheduler", "worker": "dask-dev-worker"},
    "workers": 2,
    "environment": IDENTITY,
    "extra_packages": "",
    "image": f"ghcr.io/me/dask@sha256:{'0' * 64}",
    "client_secret": "dask-dev-tls-client",
    "jupyter": "dask-dev-jupyter",
    "certificates_expire": "2126-11-21T18:00:00+00:00",
}
WORKER: dict[str, Any] = {
    "nthreads": 1,
    "memory_limit": 2**30,
    "memory_used": 2**26,
    "processing": 0,
    "identity": IDENTITY,
    "clock_ahead": 0.0,
    "draining": None,
}
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_PATH = re.compile(
    r"/(?:api/v1|apis/[\w./-]+?/v\d)(?:/namespaces/(?P<namespace>[\w-]+))?/(?P<plural>[a-z]+)"
    r"(?:/(?P<name>[\w.-]+))?(?:/(?P<sub>log|exec))?"
)


@dataclass
class Kubernetes:
    """What is in it.

    Attributes:
        objects: By plural name.
        report: What the scheduler says of itself.
        logs: By name of the pod; what ran before has its name and ``previous``.
        page: How many objects an answer has at most.
        refusals: Status and message of calls, by method and last word of their path.
        lingers: Plural names of what is told to go, and stays until `tidy`.
        calls: Methods and paths, in their order.
    """

    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    page: int = 500
    refusals: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    lingers: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    executed: list[list[str]] = field(default_factory=list)
    endpoint: str = ""

    def put(
        self,
        plural: str,
        name: str,
        *,
        component: str = "cluster",
        labels: Mapping[str, str] | None = None,
        namespace: str = NAMESPACE,
        cluster: str = "dev",
        annotations: Mapping[str, str] | None = None,
        **more: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """Put an object there, with the labels of a cluster."""
        made = {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": f"{plural}-{name}",
                "creationTimestamp": stamp(seconds=600),
                "labels": {**labels_of(cluster, component), **(labels or {})},
                "annotations": dict(annotations or {}),
            },
            **more,
        }
        self.objects.setdefault(plural, []).append(made)
        return made

    def put_pod(self, name: str, group: str, **status: Any) -> dict[str, Any]:  # noqa: ANN401
        """Put a pod there that is well, but for what its status says."""
        component = group if group == "scheduler" else "worker"
        container = {
            "name": component,
            "ready": True,
            "restartCount": 0,
            "image": "i",
            "imageID": "i",
            "state": {"running": {"startedAt": stamp(seconds=600)}},
            "lastState": {},
        }
        found: dict[str, Any] = {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [container],
        }
        return self.put(
            "pods",
            name,
            component=component,
            labels={"dask-cluster/group": group} if group != "scheduler" else {},
            spec={"nodeName": "node-1", "containers": [{"name": component}]},
            status=found | status,
        )

    def put_cluster(self, workers: int = 2, **annotations: str) -> None:
        """Put cluster dev there, in which all is well."""
        self.put(
            "deployments",
            "dask-dev-scheduler",
            component="scheduler",
            spec={"replicas": 1},
            status={},
        )
        self.put(
            "deployments",
            "dask-dev-worker",
            component="worker",
            annotations={"dask-cluster/workers": str(workers), **annotations},
            spec={"replicas": workers},
            status={},
        )
        self.put_pod("dask-dev-scheduler-1", "scheduler")
        names = [f"dask-dev-worker-{number}" for number in range(workers)]
        for name in names:
            self.put_pod(name, "worker")
        self.report = {
            "identity": IDENTITY,
            "workers": [{**WORKER, "name": f"{name}-0"} for name in names],
            "fleet": None,
            "counters": {},
        }
        self.put("networkpolicies", "dask-dev-closed")
        self.put("poddisruptionbudgets", "dask-dev-scheduler", status=budget(1, 1))
        self.put("poddisruptionbudgets", "dask-dev-worker", status=budget(2, 1))

    def put_secret(self, name: str, **data: str) -> None:
        coded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
        self.put("secrets", name, data=coded)

    def named(self, plural: str, name: str) -> dict[str, Any]:
        (found,) = (each for each in self.objects[plural] if each["metadata"]["name"] == name)
        return found

    def tidy(self) -> None:
        """Let what has been told to go be gone."""
        for plural, there in self.objects.items():
            kept = [each for each in there if "deletionTimestamp" not in each["metadata"]]
            self.objects[plural] = kept

    def names(self) -> list[str]:
        """Return what is there, each with its plural name."""
        return [
            f"{plural} {each['metadata']['name']}"
            for plural, there in self.objects.items()
            for each in there
        ]

    def serve(self, project: Project) -> Serving:
        """Return a server of it, and make it the one of a project's stack ``dev``."""
        serving = Serving(type("OfKubernetes", (_Handler,), {"kubernetes": self}))
        self.endpoint = serving.endpoint
        project.edit(**SETTINGS)
        project.answer(OUTPUTS)
        home = project.outside / "home"
        project.environ["KUBECONFIG"] = str(home / ".kube" / "config")
        write_kubeconfig(home / ".kube" / "config", serving.endpoint)
        return serving


def write_kubeconfig(file: Path, endpoint: str, context: str = CONTEXT) -> None:
    """Write a kubeconfig with one context."""
    file.parent.mkdir(parents=True, exist_ok=True)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": "c", "cluster": {"server": endpoint}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
    }
    file.write_text(json.dumps(config))


def labels_of(cluster: str, component: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/part-of": "dask-cluster",
        "app.kubernetes.io/instance": cluster,
        "app.kubernetes.io/component": component,
    }


def budget(healthy: int, needed: int) -> dict[str, int]:
    """Return the status of a disruption budget."""
    allowed = max(0, healthy - needed)
    return {
        "expectedPods": max(healthy, needed),
        "currentHealthy": healthy,
        "desiredHealthy": needed,
        "disruptionsAllowed": allowed,
    }


def stamp(*, seconds: float) -> str:
    """Return a time some seconds ago, as Kubernetes writes it."""
    then = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)
    return f"{then:%Y-%m-%dT%H:%M:%SZ}"


class _Handler(Handler):
    """Answers for one Kubernetes."""

    content_type = "application/json"
    kubernetes: Kubernetes

    def get(self) -> None:
        self._do("GET")

    def delete(self) -> None:
        self._do("DELETE")

    def _do(self, method: str) -> None:
        address = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        path = _PATH.fullmatch(address.path)
        assert path, address.path
        where = path.groupdict()
        self.kubernetes.calls.append(f"{method} {address.path}")
        if refusal := self.kubernetes.refusals.get((method, where["sub"] or where["plural"])):
            code, message = refusal
            self.answer(code, {"message": message})
        elif self.headers["Authorization"] != "Bearer secret":
            self.answer(401, {"message": "Unauthorized"})
        elif where["sub"] == "exec":
            self._execute(parse_qs(address.query)["command"])
        elif where["sub"] == "log":
            self._log(where["name"], query)
        elif where["name"]:
            self._one(method, where)
        else:
            self._list(where, query)

    def _list(self, where: dict[str, str], query: dict[str, str]) -> None:
        wanted = dict(pair.split("=") for pair in query["labelSelector"].split(","))
        there = [
            each
            for each in self.kubernetes.objects.get(where["plural"], [])
            if wanted.items() <= each["metadata"]["labels"].items()
            and where["namespace"] in (None, each["metadata"]["namespace"])
        ]
        first = int(query.get("continue", 0))
        last = first + min(self.kubernetes.page, int(query["limit"]))
        more = {"continue": str(last)} if last < len(there) else {}
        self.answer(200, {"kind": "List", "metadata": more, "items": there[first:last]})

    def _one(self, method: str, where: dict[str, str]) -> None:
        all_of_it = self.kubernetes.objects.get(where["plural"], [])
        found = [each for each in all_of_it if each["metadata"]["name"] == where["name"]]
        if not found:
            self.answer(404, {"message": f'{where["plural"]} "{where["name"]}" not found'})
            return
        if method == "DELETE":
            if where["plural"] in self.kubernetes.lingers:
                found[0]["metadata"]["deletionTimestamp"] = stamp(seconds=0)
            else:
                all_of_it.remove(found[0])
        self.answer(200, found[0])

    def _log(self, name: str, query: dict[str, str]) -> None:
        text = self.kubernetes.logs.get(f"{name} previous" if "previous" in query else name, "")
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _execute(self, words: list[str]) -> None:
        """Answer as a pod does, by a WebSocket: what it prints, and how it ended."""
        self.kubernetes.executed.append(words)
        key = self.headers["Sec-WebSocket-Key"] + _GUID
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()  # noqa: S324
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept)
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        self._frame(2, b"\x01" + json.dumps(self.kubernetes.report).encode() + b"\n")
        self._frame(2, b"\x03" + json.dumps({"status": "Success"}).encode())
        self._frame(8, b"\x03\xe8")
        self.close_connection = True

    def _frame(self, opcode: int, data: bytes) -> None:
        size = len(data)
        head = bytes([0x80 | opcode]) + (
            bytes([size]) if size < 126 else bytes([126]) + size.to_bytes(2, "big")
        )
        self.wfile.write(head + data)
        self.wfile.flush()
