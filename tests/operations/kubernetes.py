"""A Kubernetes of JSON: an API server that holds objects, for the tests of the commands."""

from __future__ import annotations

import base64
import datetime as dt
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.operations.kubernetes_server import OfKubernetes
from tests.operations.serving import Serving

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
        executed: Commands in pods.
        endpoint: Where it is.
        version: Of Kubernetes, as its server says it.
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
    version: str = "v1.33.5-eks-113cf36"

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
        component = group if group in ("scheduler", "jupyter") else "worker"
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
            labels={"dask-cluster/group": group} if component == "worker" else {},
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
        self.put("deployments", "dask-dev-jupyter", spec={"replicas": 1}, status={})
        self.put_pod("dask-dev-scheduler-1", "scheduler")
        self.put_pod("dask-dev-jupyter-1", "jupyter")
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
        serving = Serving(type("Of", (OfKubernetes,), {"kubernetes": self}))
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


def starting(**waiting: str) -> dict[str, Any]:
    """Return the status of a pod that is not ready."""
    container = {
        "name": "worker",
        "ready": False,
        "restartCount": 0,
        "image": "i",
        "imageID": "i",
        "state": {"waiting": waiting},
        "lastState": {},
    }
    return {"phase": "Pending", "conditions": [], "containerStatuses": [container]}


def crashed(reason: str, code: int, *, ready: bool = False) -> dict[str, Any]:
    """Return the status of a pod whose container was started again."""
    status = starting(reason="CrashLoopBackOff", message="back-off 20s restarting")
    (container,) = status["containerStatuses"]
    ended = {"reason": reason, "exitCode": code, "finishedAt": stamp(seconds=30)}
    container |= {"restartCount": 3, "lastState": {"terminated": ended}, "ready": ready}
    if ready:
        container["state"] = {"running": {"startedAt": stamp(seconds=20)}}
        status["conditions"] = [{"type": "Ready", "status": "True"}]
    return {**status, "phase": "Running"}


def stamp(*, seconds: float) -> str:
    """Return a time some seconds ago, as Kubernetes writes it."""
    then = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)
    return f"{then:%Y-%m-%dT%H:%M:%SZ}"
