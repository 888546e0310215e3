"""A rehearsed stack whose workers are pods: a Kubernetes on this machine, and the real command."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import yaml

from engine import Project, Stack
from sandbox.kubernetes import cluster
from tests.local.cluster import COMMAND, PARTS
from tests.running import ROOT, Beside

if TYPE_CHECKING:
    from collections.abc import Callable

# Two cores, and a cluster that starts, takes a while.
WAIT_SECONDS = 300
UP_SECONDS = 900
# Of binaries and images: the one of this checkout, for all tests.
CACHE = ROOT / ".cache" / "kubernetes"
CONTEXT = "rehearsed-by-tests"
REPOSITORY = "registry.example.org/tests/dask"
# All that a stack can have in a namespace.
KINDS = "all,configmaps,secrets,serviceaccounts,roles,rolebindings,networkpolicies,pdb,pvc,hpa"
# As little as starts in a moment: several clusters share two cores.
SMALL = {
    "platform": "kubernetes",
    "context": CONTEXT,
    "imageRepository": REPOSITORY,
    "workers": 2,
    "cpu": 0.3,
    "memory": "700 MiB",
    "disk": "1 GiB",
    "schedulerCpu": 0.5,
    "schedulerMemory": "700 MiB",
}
# A row of what the command prints of an update: sign, type, name and what was done.
_ROW = re.compile(
    r"^ (?:\+|~|-|\+-|\+\+|--) +(\S+) +(\S+) +(created|updated|replaced|deleted|failed)\b",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Said:
    """What a command has printed, and its exit code."""

    text: str
    code: int

    @property
    def changed(self) -> dict[str, list[str]]:
        """Everything that was done: names with the last word of their type; sorted."""
        found: dict[str, list[str]] = {}
        for kind, name, verb in _ROW.findall(self.text):
            found.setdefault(verb, []).append(f"{name} {kind.rpartition(':')[2]}")
        return {verb: sorted(found[verb]) for verb in sorted(found)}


class Podded:
    """A copy of the project with one stack, and what of it is on Kubernetes.

    Attributes:
        directory: The copy.
        name: The stack's name.
        namespace: Of its pods.
    """

    def __init__(self, directory: Path, name: str) -> None:
        """Copy the project; nothing is started."""
        self.directory = directory
        self.name = name
        self.namespace = f"dask-{name}"
        self.file = directory / "stacks" / f"Pulumi.{name}.yaml"
        self.file.parent.mkdir(parents=True)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, directory / part, ignore=ignored)
            else:
                shutil.copy(source, directory / part)
        # What is built once for all tests: the binaries of Kubernetes, and environments.
        (directory / ".cache").symlink_to(ROOT / ".cache")
        environments = ROOT / ".dask-cluster" / "environments"
        environments.mkdir(parents=True, exist_ok=True)
        (directory / ".dask-cluster").mkdir()
        (directory / ".dask-cluster" / "environments").symlink_to(environments)

    # The stack file.

    def take(self, **settings: Any) -> None:  # noqa: ANN401
        """Write a small stack, with these settings."""
        self._write({**SMALL, **settings})

    def take_committed(self) -> None:
        """Take the stack file of this name as it is committed."""
        shutil.copy(ROOT / "stacks" / self.file.name, self.file)

    def edit(self, **values: Any) -> None:  # noqa: ANN401
        """Change keys of the stack file; None takes one out."""
        self._write({**self.settings, **values})

    @property
    def settings(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.file.read_text())["config"]
        return found

    def _write(self, settings: dict[str, Any]) -> None:
        kept = {key: value for key, value in settings.items() if value is not None}
        self.file.write_text(yaml.safe_dump({"config": kept}))

    # The command.

    def command(self, *words: str, code: int | None = 0) -> Said:
        """Run `dask-cluster`; None: whatever its exit code is."""
        done = subprocess.run(
            [str(COMMAND), *words],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=UP_SECONDS,
            check=False,
        )
        said = Said(done.stdout, done.returncode)
        assert code is None or said.code == code, f"exit {said.code}:\n{said.text}\n{self.shown()}"
        return said

    def up(self, code: int | None = 0) -> Said:
        return self.command("rehearse", self.name, "up", "--yes", code=code)

    def start_up(self) -> subprocess.Popen[str]:
        """Begin an `up`, and go on meanwhile."""
        return subprocess.Popen(
            [str(COMMAND), "rehearse", self.name, "up", "--yes"],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def destroy(self) -> Said:
        return self.command("rehearse", self.name, "destroy", "--yes")

    def doctor(self, code: int | None = 0) -> str:
        return self.command("doctor", self.name, "--rehearsal", code=code).text

    def status(self, code: int | None = 0) -> dict[str, Any]:
        said = self.command("status", self.name, "--rehearsal", "--json", code=code)
        found: dict[str, Any] = json.loads(said.text)
        return found

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = self.status(code=None)["outputs"]
        return found

    def beside(self, *words: str) -> Beside:
        """Start a command beside the cluster, in its environment, where `Client()` connects."""
        command = [str(COMMAND), "run", self.name, "--rehearsal", "--", *words]
        return Beside(command, self.directory)

    def python(self, program: str, *, seconds: float = WAIT_SECONDS) -> Any:  # noqa: ANN401
        """Run a program beside the cluster; return what its last line says, as JSON."""
        with self.beside("python", "-c", program) as running:
            return running.result(seconds)

    @property
    def state(self) -> dict[str, Any]:
        """The state of the rehearsal, with its secrets in clear."""
        home = self.directory / ".dask-cluster" / "rehearsals" / self.name
        stack = Stack(Project.load(self.directory), self.name, home=home)
        found: dict[str, Any] = stack.export(show_secrets=True)
        return found

    # Kubernetes.

    def kubectl(self, *words: str, code: int | None = 0) -> str:
        """Run `kubectl` in the cluster's namespace; return what it printed."""
        said = kubectl("--namespace", self.namespace, *words)
        assert code is None or said.code == code, said.text
        return said.text

    def objects(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """Return the objects of a kind, such as `pods`, with these labels."""
        words = ("get", kind, "--output", "json", "--selector", selector)
        return list(json.loads(self.kubectl(*words))["items"])

    def pods(self, group: str = "worker") -> list[dict[str, Any]]:
        """Return the pods of a group of workers, or of the scheduler, that are not told to end."""
        return [pod for pod in self.there(group) if "deletionTimestamp" not in pod["metadata"]]

    def there(self, group: str) -> list[dict[str, Any]]:
        """Return the pods of a group that are not over: Kubernetes keeps those for long."""
        parts = {"scheduler", "jupyter"}
        key = "app.kubernetes.io/component" if group in parts else "dask-cluster/group"
        found = self.objects("pods", f"{key}={group}")
        return [pod for pod in found if pod["status"]["phase"] in ("Pending", "Running")]

    def names(self, group: str = "worker", *, ready: bool = False) -> set[str]:
        """Return the names of these pods; or of those only that are ready."""
        found = self.pods(group)
        return {pod["metadata"]["name"] for pod in found if not ready or is_ready(pod)}

    def replicas(self, group: str = "worker") -> int:
        """Return how many workers the group's Deployment asks for."""
        name = f"deployment/dask-{self.name}-{group}"
        return int(self.kubectl("get", name, "--output", "jsonpath={.spec.replicas}"))

    def until(self, look: Callable[[], Any], what: str, seconds: float = WAIT_SECONDS) -> Any:  # noqa: ANN401
        """Wait until something is true, and return it."""
        end = time.monotonic() + seconds
        while not (seen := look()):
            assert time.monotonic() < end, f"not within {seconds:g} s: {what}\n{self.shown()}"
            time.sleep(0.5)
        return seen

    def left(self) -> list[str]:
        """Return what bears the cluster's labels, wherever it is."""
        mine = f"app.kubernetes.io/instance={self.name},app.kubernetes.io/part-of=dask-cluster"
        options = ("--all-namespaces", "--output", "name", "--selector", mine)
        found = [kubectl("get", kinds, *options) for kinds in (KINDS, "namespaces")]
        assert [said.code for said in found] == [0, 0], found
        return [name for said in found for name in said.text.split()]

    def settled(self, count: int, group: str = "worker") -> set[str]:
        """Wait until the group has so many pods, all ready, and none that ends; return them."""

        def whole() -> bool:
            every = self.there(group)
            stay = [pod for pod in every if "deletionTimestamp" not in pod["metadata"]]
            return count == len(every) == len(stay) == sum(map(is_ready, stay))

        self.until(whole, f"{count} workers, and no more")
        return self.names(group)

    def shown(self) -> str:
        """Return what is in the namespace, for messages."""
        pods = kubectl("--namespace", self.namespace, "get", "pods", "--output", "wide")
        events = kubectl("--namespace", self.namespace, "get", "events")
        return f"{pods.text}\n{events.text}"


def kubectl(*words: str, given: object = None) -> Said:
    """Run `kubectl` with all rights on this machine's Kubernetes.

    Args:
        words: Of its command line.
        given: What it reads from `--filename -`.
    """
    running = cluster.find()
    if running is None:
        return Said("no Kubernetes runs on this machine", 1)
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(running.kubeconfig), *words],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KUBECONFIG": os.devnull},
    )
    # Warnings are of interest where something went wrong.
    return Said(done.stdout + (done.stderr if done.returncode else ""), done.returncode)


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def ready_since(pod: dict[str, Any]) -> str:
    (since,) = (
        each["lastTransitionTime"]
        for each in pod["status"]["conditions"]
        if each["type"] == "Ready"
    )
    return str(since)


def processes(pod: dict[str, Any]) -> list[int]:
    """Return the ids, on this machine, of a pod's processes that are Python's."""
    found = []
    for each in psutil.process_iter(["pid", "name"]):
        with contextlib.suppress(OSError):
            groups = Path("/proc", str(each.pid), "cgroup").read_text()
            if f"pod{pod['metadata']['uid']}" in groups and each.info["name"].startswith("python"):
                found.append(each.pid)
    return found


def kill(pod: dict[str, Any]) -> None:
    """Kill all processes of a pod's container, at once."""
    for pid in processes(pod):
        # With the first one the container may end, and with that the others.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
