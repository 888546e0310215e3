"""What the benchmark of Kubernetes runs in: one of its own, whose API server counts by client."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.clusters import ROOT, say, undisturbed
from engine import Project, Stack
from operations import kubeconfig
from operations.rehearse_kubernetes import surroundings
from sandbox.kubernetes import build, cluster, kwok
from sandbox.kubernetes.places import CONTEXT, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.kubernetes.cluster import Running

PLACE = Place(Path("/run/dask-kubernetes-benchmark"))
REPOSITORY = "registry.example.org/benchmark/dask"
# Nothing pulls it: pods of pretended nodes have no containers.
NO_IMAGE = f"registry.example.org/none@sha256:{'0' * 64}"
WORKER = "dask-cluster/group=worker"
PATIENCE = 900.0
FAKES = 4
# All kinds of objects that either side makes; pods and ReplicaSets are made of them by Kubernetes.
KINDS = (
    "namespaces,deployments,services,configmaps,secrets,serviceaccounts,roles,rolebindings,"
    "networkpolicies,poddisruptionbudgets"
)
_DISPATCHED = re.compile(
    r'^apiserver_flowcontrol_dispatched_requests_total\{flow_schema="([^"]+)".*\} (\S+)$',
    re.MULTILINE,
)
_DRY = re.compile(r'^apiserver_request_total\{.*dry_run="All".*\} (\S+)$', re.MULTILINE)
_VERBS = ["create", "update", "patch", "delete", "deletecollection"]


@dataclass(frozen=True)
class Calls:
    """What one client called.

    Attributes:
        writes: That change objects, but for events.
        events: That write an event, for people.
        dry: Writes that only ask what would be.
        reads: All others, a watch being one.
    """

    writes: int
    events: int
    dry: int
    reads: int

    def __sub__(self, other: Calls) -> Calls:
        """Return what was called since then."""
        mine, theirs = dataclasses.astuple(self), dataclasses.astuple(other)
        return Calls(*(one - before for one, before in zip(mine, theirs, strict=True)))

    def __str__(self) -> str:
        """The columns of a table."""
        return f"{self.writes:8}{self.events:8}{self.dry:8}{self.reads:8}"


class Here:
    """The Kubernetes."""

    def __init__(self, folder: Path, running: Running) -> None:
        self.folder = folder
        self.docker_host = running.docker_host

    def kubectl(self, *words: str, given: object = None) -> str:
        """Run kubectl with all rights, which is not counted; raises SystemExit if it fails."""
        command = ["kubectl", f"--kubeconfig={PLACE.kubeconfig}", *words]
        text = None if given is None else json.dumps(given)
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: {done.stderr}")
        return done.stdout

    def apply(self, *objects: object) -> None:
        """Make objects."""
        items = {"apiVersion": "v1", "kind": "List", "items": objects}
        self.kubectl("apply", "--filename=-", given=items)

    def names(self, kinds: str, selector: str, *words: str) -> list[str]:
        """Return the names of all objects with these labels."""
        look = ("get", kinds, "--all-namespaces", "--output=name", f"--selector={selector}")
        return self.kubectl(*look, *words).split()

    def running(self, selector: str, count: int) -> None:
        """Wait until so many pods run, and no others are there."""

        def there() -> bool:
            run = self.names("pods", selector, "--field-selector=status.phase=Running")
            return count == len(run) == len(self.names("pods", selector))

        self.until(there, f"{count} pods of {selector}")

    def until(self, done: Any, what: str) -> None:  # noqa: ANN401
        """Wait until ``done``; raises SystemExit if it never is."""
        limit = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > limit:
                raise SystemExit(f"waited {PATIENCE:g} s for {what}\n{self.kubectl('get', 'pods')}")
            time.sleep(0.5)

    def user(self, name: str) -> Path:
        """Make a user with all rights whose calls are counted; return its kubeconfig.

        A flow schema is a class of requests, and the API server counts those of each.
        """
        about = {"kind": "ServiceAccount", "name": name, "namespace": "default"}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
        self.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": f"benchmark-{name}"},
                "roleRef": role | {"name": "cluster-admin"},
                "subjects": [about],
            },
            _schema(f"{name}-events", 501, about, _VERBS, "events"),
            _schema(f"{name}-writes", 502, about, _VERBS, "*"),
            _schema(f"{name}-reads", 503, about, ["*"], "*"),
        )
        config = kubeconfig.one_context(CONTEXT, PLACE.kubeconfig)
        token = self.kubectl("create", "token", name, "--duration=12h").strip()
        config["users"][0]["user"] = {"token": token}
        file = self.folder / f"{name}.kubeconfig"
        kubeconfig.write(file, config, [name])

        def counted() -> bool:
            look = ["kubectl", f"--kubeconfig={file}", "get", "namespaces"]
            subprocess.run(look, capture_output=True, check=True)
            return self.calls(name).reads > 0

        self.until(counted, f"the API server to count what {name} calls")
        return file

    def calls(self, name: str) -> Calls:
        """Return what a user has called until now; only Pulumi's provider makes dry runs."""
        text = self.kubectl("get", "--raw=/metrics")
        found: dict[str, int] = {}
        for schema, count in _DISPATCHED.findall(text):
            found[schema] = found.get(schema, 0) + int(float(count))
        dry = sum(int(float(count)) for count in _DRY.findall(text)) if name == "ours" else 0
        writes, events, reads = (found.get(f"{name}-{n}", 0) for n in ("writes", "events", "reads"))
        return Calls(writes - dry, events, dry, reads)

    @contextlib.contextmanager
    def pretended(self, pods: int) -> Iterator[None]:
        """Let pods run on nodes that are none, and on no other."""
        real = self.kubectl("get", "nodes", "--output=name").split()
        self.kubectl("cordon", *real)
        # Few, for each has to say all the time that it is there, also on a busy machine.
        kwok.start(FAKES, pods // FAKES + 1, place=PLACE)
        yield
        # The nodes end with all the rest.


class Ours:
    """A stack of this checkout there.

    Attributes:
        name: Of the stack.
        namespace: Of its objects.
        selector: Of its objects.
    """

    def __init__(self, here: Here, name: str, **settings: object) -> None:
        """Write nothing yet; `up` does.

        Args:
            here: The Kubernetes.
            name: Of the stack.
            settings: Of the stack file, besides platform and context.
        """
        self.name, self.namespace = name, f"dask-{name}"
        self._here = here
        self.selector = f"app.kubernetes.io/part-of=dask-cluster,app.kubernetes.io/instance={name}"
        self.settings = {"platform": "kubernetes", "context": "ours", **settings}
        self._stacks = here.folder / "stacks"
        self._stacks.mkdir(exist_ok=True)
        project = dataclasses.replace(Project.load(ROOT), stack_directory=self._stacks)
        self._stack = Stack(project, name, home=here.folder / f"state-{name}")

    def up(self, **settings: object) -> None:
        """Change settings and run `up`; raises SystemExit if it fails."""
        self.settings |= settings
        file = self._stacks / f"Pulumi.{self.name}.yaml"
        file.write_text(json.dumps({"config": self.settings}))  # JSON is YAML
        result = self._stack.up()
        if not result.ok:
            raise SystemExit("\n".join(each.message for each in result.diagnostics))

    def end(self) -> None:
        """Take away what runs; the rest ends with the Kubernetes.

        A namespace would wait: for half of the time that its pods were given to hand over.
        """
        self._here.kubectl("delete", "deployments", "--all", f"--namespace={self.namespace}")
        left = "replicasets,pods"
        self._here.until(lambda: not self._here.names(left, self.selector), f"end of {self.name}")

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs."""
        return self._stack.outputs()


@contextlib.contextmanager
def here(folder: Path) -> Iterator[Here]:
    """Start a Kubernetes beside any other one, for this process and its children; end it."""
    if cluster.find(PLACE):
        raise SystemExit(f"another run of this benchmark goes on: {PLACE.run}")
    cache, claim = folder / "cache", folder / "claim"
    shared = build.ensure(ROOT / ".cache" / "kubernetes", say)
    for path in (*shared.parent.glob("python-*.tar"), *shared.iterdir()):
        there = cache / path.relative_to(shared.parent)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.hardlink_to(path)
    try:
        running = cluster.start(claim, cache, say=say, repositories=[REPOSITORY], place=PLACE)
        made = Here(folder, running)
        inside = surroundings(os.environ, made.user("ours"), docker_host=made.docker_host)
        os.environ.clear()
        os.environ.update(inside)
        yield made
    finally:
        with undisturbed():
            cluster.release(claim, say, place=PLACE)


def _schema(
    name: str, order: int, user: dict[str, str], verbs: list[str], resource: str
) -> dict[str, Any]:
    """Return what counts a user's calls of some kind; the first in order that fits has a call."""
    rule = {"verbs": verbs, "apiGroups": ["*"], "resources": [resource], "namespaces": ["*"]}
    others = {"nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]}
    account = {key: user[key] for key in ("name", "namespace")}
    return {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": {"name": name},
        "spec": {
            "matchingPrecedence": order,
            "priorityLevelConfiguration": {"name": "workload-high"},
            "rules": [
                {
                    "subjects": [{"kind": "ServiceAccount", "serviceAccount": account}],
                    "resourceRules": [{**rule, "clusterScope": True}],
                    **(others if verbs == ["*"] else {}),
                }
            ],
        },
    }
