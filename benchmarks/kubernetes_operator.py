"""Runs the operator of dask-kubernetes on this machine, for a Kubernetes that is there."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

from benchmarks.clusters import started
from benchmarks.ec2_peer import peer_python
from benchmarks.kubernetes_here import NO_IMAGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.kubernetes_here import Here

PACKAGES = ("dask-kubernetes==2026.3.0",)
KINDS = "deployments,services,daskclusters,daskworkergroups"
NAMESPACE = "operator"
# After which nothing more is expected of it.
QUIET_SECONDS = 5.0
ABOUT = """
import json, pathlib, dask_kubernetes.operator as it
from importlib.metadata import version
folder = pathlib.Path(it.__file__).parent / "deployment/helm/dask-kubernetes-operator/crds"
names = ("dask-kubernetes", "kopf", "kr8s")
print(json.dumps([str(folder), " ".join(f"{name} {version(name)}" for name in names)]))
"""


class Operator:
    """It, with clusters.

    Attributes:
        versions: Of its packages.
    """

    def __init__(self, here: Here, config: Path) -> None:
        self._here, self._config = here, config
        words = [*peer_python(PACKAGES), "-c", ABOUT]
        said = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
        # Those of its chart; those of the package have references, which an API server refuses.
        folder, self.versions = json.loads(said)
        # Too large for an apply, which keeps a copy in an annotation.
        here.kubectl("create", f"--filename={folder}")
        here.kubectl("create", "namespace", NAMESPACE)

    def make(self, name: str, workers: int) -> None:
        """Make a cluster."""
        self._mine("create", "--filename=-", given=_cluster(name, workers))

    def scale(self, name: str, workers: int) -> None:
        """Change its number of workers."""
        patch = json.dumps({"spec": {"worker": {"replicas": workers}}})
        self._mine("patch", "daskcluster", name, "--type=merge", f"--patch={patch}")

    def settled(self, name: str, workers: int) -> float:
        """Wait until all workers run and it calls nothing more; return when they ran."""
        self._here.running(f"{self.selector(name)},dask.org/component=worker", workers)
        ran = time.monotonic()
        before, since = self._here.calls("operator"), ran
        while time.monotonic() < since + QUIET_SECONDS:
            time.sleep(0.5)
            now = self._here.calls("operator")
            if (now.writes, now.events) != (before.writes, before.events):
                before, since = now, time.monotonic()
        return ran

    def end(self, name: str) -> None:
        """Delete a cluster, and wait for its pods."""
        here = self._here
        here.kubectl("delete", "daskcluster", name, f"--namespace={NAMESPACE}")
        left = f"deployments,replicasets,pods,{KINDS}"
        here.until(lambda: not here.names(left, self.selector(name)), f"the end of {name}")

    @staticmethod
    def selector(name: str) -> str:
        """Return the selector of a cluster's objects."""
        return f"dask.org/cluster-name={name}"

    def _mine(self, *words: str, given: object = None) -> None:
        """Call as the operator's user does: to make a cluster is a call of this side."""
        command = ["kubectl", f"--kubeconfig={self._config}", f"--namespace={NAMESPACE}", *words]
        subprocess.run(
            command,
            input=None if given is None else json.dumps(given),
            stdout=subprocess.DEVNULL,
            text=True,
            check=True,
        )


@contextlib.contextmanager
def operator(here: Here) -> Iterator[Operator]:
    """Run it by its own code, in an environment of its own, as its container does."""
    config = here.user("operator")
    made = Operator(here, config)
    module = "dask_kubernetes.operator.controller"
    words = [*peer_python(PACKAGES), "-m", "kopf", "run", f"--namespace={NAMESPACE}"]
    environ = {**os.environ, "KUBECONFIG": str(config)}
    with started([*words, "--standalone", "-m", module], environ, here.folder / "operator.log"):
        yield made


def _cluster(name: str, workers: int) -> dict[str, Any]:
    """Return a cluster as small as its documentation has it."""
    ports = {"tcp-comm": 8786, "http-dashboard": 8787}
    scheduler = {
        "name": "scheduler",
        "image": NO_IMAGE,
        "args": ["dask-scheduler"],
        "ports": [{"name": each, "containerPort": port} for each, port in ports.items()],
    }
    worker = {
        "name": "worker",
        "image": NO_IMAGE,
        "args": ["dask-worker", "--name", "$(DASK_WORKER_NAME)"],
    }
    service = {
        "type": "ClusterIP",
        "selector": {"dask.org/cluster-name": name, "dask.org/component": "scheduler"},
        "ports": [{"name": each, "port": port, "targetPort": each} for each, port in ports.items()],
    }
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        # Its own objects get the label, the cluster itself does not.
        "metadata": {"name": name, "labels": {"dask.org/cluster-name": name}},
        "spec": {
            "worker": {"replicas": workers, "spec": {"containers": [worker]}},
            "scheduler": {"spec": {"containers": [scheduler]}, "service": service},
        },
    }
