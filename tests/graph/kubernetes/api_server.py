"""An API server of a few objects on loopback, for whoever asks it with a real client."""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.operations.serving import Handler, Serving

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT, NAMESPACE = "kind-kind", "dask-test"
_NUMBERS = itertools.count(1)

Object = dict[str, Any]


def pod(name: str = "", **status: Any) -> Object:  # noqa: ANN401  # JSON
    """Return a pod of the present template, ready unless something is said of it."""
    number = next(_NUMBERS)
    ready = {"state": {"running": {}}, "ready": True, "restartCount": 0}
    placed = status.pop("placed", True)
    container = {"name": "worker", "image": "i", "imageID": "", **ready, **status.pop("it", {})}
    return {
        "metadata": {"name": name or f"pod-{number}", "uid": f"uid-{number}", "labels": {}},
        "spec": {
            "containers": [{"name": "worker"}],
            **({"nodeName": "node-1"} if placed else {}),
        },
        "status": {
            "phase": "Running" if placed else "Pending",
            **({"containerStatuses": [container]} if placed else {}),
            **status,
        },
    }


def waiting(word: str, message: str = "", restarts: int = 0, **ended: Any) -> Object:  # noqa: ANN401
    """Return a pod whose container waits, and perhaps has ended before."""
    it: Object = {
        "ready": False,
        "restartCount": restarts,
        "state": {"waiting": {"reason": word, "message": message}},
    }
    if ended:
        it["lastState"] = {"terminated": {"exitCode": 1, **ended}}
    return pod(it=it, phase="Pending" if not restarts else "Running")


def unplaced(message: str) -> Object:
    condition = {"type": "PodScheduled", "status": "False", "message": message}
    return pod(placed=False, conditions=[condition])


@dataclass
class Group:
    """A Deployment, its present ReplicaSet and that one's pods.

    Attributes:
        least: What the stack file says.
        observed: Whether its controller has seen the last edit.
        conditions: Of the Deployment.
    """

    name: str
    pods: list[Object] = field(default_factory=list)
    replicas: int = 2
    least: int | None = None
    observed: bool = True
    conditions: list[Object] = field(default_factory=list)

    @property
    def ready(self) -> int:
        states = (p["status"].get("containerStatuses", [{}])[0] for p in self.pods)
        return sum(bool(state.get("ready")) for state in states)

    def deployment(self) -> Object:
        notes = {"deployment.kubernetes.io/revision": "7"}
        if self.least is not None:
            notes["dask-cluster/workers"] = str(self.least)
        return {
            "metadata": {
                "name": self.name,
                "uid": self.name,
                "generation": 3,
                "annotations": notes,
            },
            "spec": {
                "replicas": self.replicas,
                "selector": {"matchLabels": {"app": self.name}},
                "template": {"spec": {"containers": [{"name": "worker"}]}},
            },
            "status": {
                "observedGeneration": 3 if self.observed else 2,
                # Also those of an older template.
                "readyReplicas": self.replicas,
                "conditions": self.conditions,
            },
        }

    def replica_sets(self) -> list[Object]:
        return [self._replica_set("6", 5), self._replica_set("7", self.ready)]

    def _replica_set(self, revision: str, ready: int) -> Object:
        labels = {"app": self.name, "pod-template-hash": f"hash{revision}"}
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": self.name}
        return {
            "metadata": {
                "name": f"{self.name}-{revision}",
                "labels": labels,
                "annotations": {"deployment.kubernetes.io/revision": revision},
                "ownerReferences": [owner],
            },
            "spec": {"selector": {"matchLabels": labels}},
            "status": {"replicas": 5, "readyReplicas": ready, "conditions": self.conditions},
        }


class ApiServer(Serving):
    """Serves one namespace.

    Attributes:
        groups: The Deployments, by name.
        events: Warnings, of whatever pod is asked for.
        log: What every container wrote before it ended.
        changes: What was changed: the path below the namespace, and what was sent.
        refuses: A code with which everything is answered, or None.
        looked: Set once somebody has looked at pods.
    """

    def __init__(self, *groups: Group) -> None:
        super().__init__(type("Bound", (_Handler,), {"server_of": self}))
        self.groups = {group.name: group for group in groups}
        self.events: list[Object] = []
        self.log = ""
        self.changes: list[tuple[str, Any]] = []
        self.refuses: int | None = None
        self.looked = threading.Event()

    def kubeconfig(self, folder: Path) -> Path:
        """Write one whose only context is `CONTEXT`."""
        path = folder / "kubeconfig"
        path.write_text(
            yaml.safe_dump(
                {
                    "clusters": [{"name": "c", "cluster": {"server": self.endpoint}}],
                    "users": [{"name": "u", "user": {"token": "none"}}],
                    "contexts": [{"name": CONTEXT, "context": {"cluster": "c", "user": "u"}}],
                }
            )
        )
        return path

    def get(self, path: list[str], query: dict[str, list[str]]) -> Object | str | None:
        """Answer a question about what is below the namespace."""
        match path:
            case ["deployments", name]:
                return self.groups[name].deployment() if name in self.groups else None
            case ["replicasets"]:
                wanted = query["labelSelector"][0]
                found = [g for g in self.groups.values() if f"app={g.name}" == wanted]
                return {"items": [each for group in found for each in group.replica_sets()]}
            case ["pods"]:
                labels = query["labelSelector"][0].split(",")
                assert "pod-template-hash=hash7" in labels
                groups = [g for g in self.groups.values() if f"app={g.name}" in labels]
                there = {"items": [json.loads(json.dumps(p)) for g in groups for p in g.pods]}
                self.looked.set()
                return there
            case ["events"]:
                return {"items": self.events}
            case ["pods", _, "log"]:
                assert query["previous"] == ["True"] or query["previous"] == ["true"]
                return self.log
        return None

    def patch(self, path: list[str], body: Any) -> Object:  # noqa: ANN401  # JSON
        """Change the scale of a Deployment."""
        kind, name, part = path
        assert (kind, part) == ("deployments", "scale")
        self.changes.append((name, body))
        self.groups[name].replicas = body["spec"]["replicas"]
        return {"metadata": {"name": name}, "spec": body["spec"]}


class _Handler(Handler):
    server_of: ApiServer

    def get(self) -> None:
        self._answer(self.server_of.get)

    def do_PATCH(self) -> None:  # noqa: N802  # http.server's
        body = self.request_body()
        self._answer(lambda path, _: self.server_of.patch(path, body))

    def _answer(self, work: Any) -> None:  # noqa: ANN401
        url = urlsplit(self.path)
        path = url.path.split(f"/namespaces/{NAMESPACE}/")[1].split("/")
        if self.server_of.refuses:
            self._send(self.server_of.refuses, "application/json", '{"message": "not for you"}')
            return
        found = work(path, parse_qs(url.query))
        if isinstance(found, str):
            self._send(200, "text/plain", found)
        else:
            self._send(200 if found is not None else 404, "application/json", json.dumps(found))

    def _send(self, code: int, kind: str, text: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())
