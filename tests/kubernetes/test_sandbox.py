"""The Kubernetes of rehearsals itself: what works in it, and that nothing of it is left.

One of its own, beside the one that other tests share.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from sandbox.kubernetes import build, cluster, kwok
from sandbox.kubernetes.box import Box
from sandbox.kubernetes.errors import KubernetesError
from sandbox.kubernetes.places import NODES, Addresses, Place
from sandbox.machine import leftovers
from tests.kubernetes.machine import State
from tests.kubernetes.podded import CACHE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from sandbox.kubernetes.cluster import Running

pytestmark = [
    pytest.mark.skipif(bool(cluster.lacks()), reason="see python -m sandbox.kubernetes"),
    pytest.mark.timeout(1800),
]

T = TypeVar("T")
PLACE = Place(Path("/run/dask-kubernetes-test"))
BASE = "python:3.11-slim-bookworm"
REPOSITORY = "registry.test/me/base"
# A port that somebody of this machine may have.
SECOND = "localhost:5001/me/base"
WAIT_SECONDS = 300
FAKES = 4
SERVER = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: DoNotSchedule
          labelSelector: {matchLabels: {app: web}}
      securityContext: {runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, runAsNonRoot: true}
      containers:
        - name: web
          image: registry.test/me/base:1
          command: [tini, --, python, -m, http.server, "8000"]
          resources: {requests: {cpu: 0.1, memory: 32Mi}, limits: {cpu: "1", memory: 64Mi}}
          readinessProbe: {httpGet: {path: /, port: 8000}, periodSeconds: 1}
          securityContext: {readOnlyRootFilesystem: true}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8000}]}
"""
LOCAL = """
apiVersion: v1
kind: Service
metadata: {name: local}
spec:
  type: NodePort
  externalTrafficPolicy: Local
  selector: {app: web, chosen: "yes"}
  ports: [{port: 80, targetPort: 8000}]
"""
HOME = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: home}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: home}
spec:
  terminationGracePeriodSeconds: 1
  securityContext: {runAsUser: 1000, fsGroup: 1000}
  containers:
    - name: home
      image: localhost:5001/me/base:1
      command: [sh, -c, "ls -A /home; echo kept >/home/file; exec sleep 1000"]
      volumeMounts: [{name: home, mountPath: /home}]
  volumes: [{name: home, persistentVolumeClaim: {claimName: home}}]
"""
MANY = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: many}}
spec:
  replicas: {FAKES * 50}
  selector: {{matchLabels: {{app: many}}}}
  template:
    metadata: {{labels: {{app: many}}}}
    spec:
      nodeSelector: {{{kwok.MARK}: fake}}
      tolerations: [{{key: {kwok.MARK}, operator: Exists}}]
      containers: [{{name: none, image: nothing}}]
"""


class Sandbox:
    """A Kubernetes of the tests' own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        # Programs and the root of Python are the checkout's; images are its own.
        shared = build.ensure(CACHE, print)
        self.cache.mkdir()
        for path in (*shared.parent.glob("python-*.tar"), *shared.iterdir()):
            there = self.cache / path.relative_to(shared.parent)
            there.parent.mkdir(exist_ok=True)
            there.hardlink_to(path)

    def start(
        self, name: str = "claim", repositories: Collection[str] = (REPOSITORY, SECOND)
    ) -> Running:
        return cluster.start(
            self.folder / name, self.cache, say=print, repositories=repositories, place=PLACE
        )

    def release(self, name: str = "claim") -> None:
        cluster.release(self.folder / name, print, place=PLACE)

    def docker(self, *arguments: str) -> str:
        command = ["docker", "--host", PLACE.docker, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path_factory.mktemp("sandbox"))
    yield made
    # After a failure; it is gone else.
    for claim in ("claim", "other"):
        made.release(claim)


@pytest.fixture(scope="module")
def before(kubernetes: None) -> State:  # noqa: ARG001  # it neither starts nor ends meanwhile
    return State.now()


@pytest.fixture(scope="module")
def running(before: State, sandbox: Sandbox) -> Running:  # noqa: ARG001
    running = sandbox.start()
    for repository in (REPOSITORY, SECOND):
        sandbox.docker("tag", BASE, f"{repository}:1")
        sandbox.docker("push", f"{repository}:1")
    return running


@pytest.fixture(scope="module")
def web(running: Running) -> str:  # noqa: ARG001
    """The name of a pod; there is one on each node."""
    kubectl("apply", "--filename=-", data=SERVER)
    kubectl("wait", "deployment/web", "--for=condition=Available", f"--timeout={WAIT_SECONDS}s")
    return kubectl("get", "pods", "--selector=app=web", "--output=name").split()[0]


def kubectl(*arguments: str, data: str | None = None) -> str:
    command = ["kubectl", f"--kubeconfig={PLACE.kubeconfig}", *arguments]
    done = subprocess.run(command, input=data, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def eventually(look: Callable[[], T]) -> T:
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            if found := look():
                return found
        except (AssertionError, OSError):
            if time.monotonic() > until:
                raise
        assert time.monotonic() < until
        time.sleep(0.5)


def unreached(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 3).close()
    except TimeoutError:
        return True
    return False


def fetched(address: str) -> int:
    with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310
        return int(answer.status)


def test_both_nodes_are_ready_and_nothing_listens_outside(running: Running) -> None:
    nodes = json.loads(kubectl("get", "nodes", "--output=json"))["items"]
    assert sorted(node["metadata"]["name"] for node in nodes) == sorted(NODES)
    assert {node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes} == {build.VERSION}
    config = json.loads(running.kubeconfig.read_text())
    assert config["current-context"] == "dask-rehearsal"
    assert config["clusters"][0]["cluster"]["server"].startswith("https://127.0.0.1:")
    assert running.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert cluster.find(PLACE) == running


def test_a_pod_of_the_base_image_runs_on_each_node(web: str) -> None:
    pods = json.loads(kubectl("get", "pods", "--selector=app=web", "--output=json"))["items"]
    assert sorted(pod["spec"]["nodeName"] for pod in pods) == sorted(NODES)
    said = kubectl(
        "exec",
        web,
        "--",
        "python",
        "-c",
        "import sys, os; print(sys.version_info[:2], os.getuid())",
    )
    assert said == "(3, 11) 1000\n"


def test_names_lead_to_services_and_to_the_api(web: str) -> None:
    script = (
        "import socket, urllib.request as web; "
        "print(socket.gethostbyname('web.default.svc.cluster.local')); "
        "print(web.urlopen('http://web', timeout=10).status); "
        "socket.create_connection(('kubernetes.default', 443), 10)"
    )
    address = kubectl("get", "service", "web", "--output=jsonpath={.spec.clusterIP}")
    # A node's rules come a moment after the pods.
    said = eventually(lambda: kubectl("exec", web, "--", "python", "-c", script))
    assert said == f"{address}\n200\n"


def test_this_machine_reaches_pods_and_ports_of_nodes(web: str) -> None:
    address = kubectl("get", web, "--output=jsonpath={.status.podIP}")
    assert fetched(f"http://{address}:8000") == 200
    port = kubectl("get", "service", "web", "--output=jsonpath={.spec.ports[0].nodePort}")
    nodes = json.loads(kubectl("get", "nodes", "--output=json"))["items"]
    for node in nodes:
        host = node["status"]["addresses"][0]["address"]
        # A node's rules come a moment after the pods.
        assert eventually(partial(fetched, f"http://{host}:{port}")) == 200


def test_a_local_port_is_that_of_the_pods_node(running: Running, web: str) -> None:  # noqa: ARG001
    """Whichever node that is: each knows its own pods."""
    pods = json.loads(kubectl("get", "pods", "--selector=app=web", "--output=json"))["items"]
    hosts = {pod["metadata"]["name"]: pod["status"]["hostIP"] for pod in pods}
    assert len({*hosts.values()}) == len(NODES)
    kubectl("apply", "--filename=-", data=LOCAL)
    try:
        port = kubectl("get", "service", "local", "--output=jsonpath={.spec.ports[0].nodePort}")
        for name, host in hosts.items():
            kubectl("label", "pods", "--selector=chosen", "chosen-")
            kubectl("label", "pod", name, "chosen=yes")
            (other,) = {*hosts.values()} - {host}
            assert eventually(partial(fetched, f"http://{host}:{port}")) == 200
            eventually(partial(unreached, other, int(port)))
    finally:
        kubectl("delete", "--filename=-", data=LOCAL)
        kubectl("label", "pods", "--selector=chosen", "chosen-")


def test_pods_of_both_nodes_reach_each_other(running: Running, web: str) -> None:  # noqa: ARG001
    pods = json.loads(kubectl("get", "pods", "--selector=app=web", "--output=json"))["items"]
    script = "import sys, urllib.request as web; print(web.urlopen(sys.argv[1], timeout=5).status)"
    for pod in pods:
        address = f"http://{pod['status']['podIP']}:8000"
        for one in pods:
            name = one["metadata"]["name"]
            fetch = partial(kubectl, "exec", name, "--", "python", "-c", script, address)
            assert eventually(fetch) == "200\n"


def test_nobody_else_gets_in(web: str) -> None:
    address = kubectl("get", web, "--output=jsonpath={.status.podIP}")
    # Somebody whom this machine forwards for: another address on the same wire, with a way back.
    other = "203.0.113.77"
    box = Box(PLACE)
    subprocess.run(["ip", "address", "add", f"{other}/32", "dev", PLACE.wire], check=True)
    box.call("ip", "route", "add", f"{other}/32", "dev", "wire")
    try:
        with pytest.raises(TimeoutError):
            socket.create_connection((address, 8000), 3, source_address=(other, 0))
    finally:
        box.call("ip", "route", "delete", f"{other}/32", "dev", "wire")
        subprocess.run(["ip", "address", "delete", f"{other}/32", "dev", PLACE.wire], check=True)


def test_the_registry_is_for_the_nodes_alone(web: str) -> None:
    """It has no login: neither this machine's people nor pods reach it."""
    node = kubectl("get", "nodes", "--output=jsonpath={.items[0].status.addresses[0].address}")
    control = str(Addresses(IPv4Network(f"{node}/16", strict=False)).control)
    assert unreached(control, 5000)
    script = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
    reach = ("exec", web, "--", "python", "-c", script, control)
    kubectl(*reach, "6443")
    with pytest.raises(AssertionError, match="TimeoutError"):
        kubectl(*reach, "5000")


def test_an_address_that_nobody_has_leads_nowhere(web: str) -> None:
    """Neither for this machine nor, over slirp4netns, to this machine and around again."""
    service = kubectl("get", "service", "web", "--output=jsonpath={.spec.clusterIP}")
    nobody = str(IPv4Address(kubectl("get", web, "--output=jsonpath={.status.podIP}")) + 99)
    for address in (service, nobody):
        with pytest.raises(OSError, match=r"No route to host|Network is unreachable"):
            socket.create_connection((address, 80), 10)


def test_logs_and_forwarded_ports(web: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["kubectl", f"--kubeconfig={PLACE.kubeconfig}", "port-forward", web, f"{port}:8000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as forward:
        try:
            assert eventually(lambda: fetched(f"http://127.0.0.1:{port}/?marked")) == 200
        finally:
            forward.terminate()
    eventually(lambda: "marked" in kubectl("logs", web))


def test_metrics_appear(web: str) -> None:
    name = web.removeprefix("pod/")
    eventually(lambda: kubectl("top", "pod", name))
    nodes = eventually(lambda: kubectl("top", "nodes", "--no-headers").splitlines())
    assert len(nodes) == len(NODES)


def test_a_claim_gets_an_empty_volume_that_its_user_may_write(running: Running) -> None:  # noqa: ARG001
    for _ in range(2):
        kubectl("apply", "--filename=-", data=HOME)
        kubectl("wait", "pod/home", "--for=condition=Ready", f"--timeout={WAIT_SECONDS}s")
        assert kubectl("logs", "home") == ""
        # A pod is ready when it runs, and then it writes.
        eventually(lambda: kubectl("exec", "home", "--", "cat", "/home/file") == "kept\n")
        kubectl("delete", "--filename=-", data=HOME)


def test_a_drained_node_gives_its_pods_to_the_other(web: str) -> None:
    node = kubectl("get", web, "--output=jsonpath={.spec.nodeName}")
    # As on a cluster of two nodes: only one is left, which takes both.
    patch = '{"spec": {"template": {"spec": {"topologySpreadConstraints": null}}}}'
    kubectl("patch", "deployment/web", f"--patch={patch}")
    kubectl("rollout", "status", "deployment/web", f"--timeout={WAIT_SECONDS}s")
    kubectl("drain", node, "--ignore-daemonsets", "--force", f"--timeout={WAIT_SECONDS}s")
    try:
        kubectl("wait", "deployment/web", "--for=condition=Available", f"--timeout={WAIT_SECONDS}s")
        pods = json.loads(kubectl("get", "pods", "--selector=app=web", "--output=json"))["items"]
        assert node not in {
            pod["spec"]["nodeName"] for pod in pods if not pod["metadata"].get("deletionTimestamp")
        }
    finally:
        kubectl("uncordon", node)


def test_pods_that_are_none(running: Running) -> None:  # noqa: ARG001
    kwok.start(FAKES, 50, tainted=True, place=PLACE)
    try:
        kubectl("apply", "--filename=-", data=MANY)
        eventually(
            lambda: (
                kubectl("get", "deployment/many", "--output=jsonpath={.status.readyReplicas}")
                == str(FAKES * 50)
            )
        )
        kubectl("delete", "deployment/many", "--wait=false")
        # It was never promised watches that this etcd cannot do: it would not see its own leases.
        assert "watch ended with error" not in (PLACE.logs / "kwok.log").read_text()
    finally:
        kwok.stop(place=PLACE)
    assert kubectl("get", "nodes", "--output=name").count("node/") == len(NODES)


def test_a_second_claim_keeps_it(running: Running, sandbox: Sandbox) -> None:
    assert sandbox.start("other") == running
    path = "--output=jsonpath={.items[*].status.phase}"
    eventually(lambda: set(kubectl("get", "persistentvolumes", path).split()) == {"Available"})
    sandbox.release("other")
    assert cluster.find(PLACE) == running


def test_one_without_one_of_its_programs_is_started_anew(
    running: Running, sandbox: Sandbox
) -> None:
    old = Box(PLACE).pid
    kubelet = leftovers.processes("kubelet", f"--config={PLACE.node(NODES[1]) / 'kubelet.yaml'}")
    assert len(kubelet) == 1
    os.kill(kubelet[0], signal.SIGKILL)
    assert eventually(lambda: cluster.find(PLACE) is None)
    assert sandbox.start().docker_host == running.docker_host
    assert Box(PLACE).pid not in (None, old)
    assert kubectl("get", "deployments", "--output=name") == ""
    # Its images are still there.
    kubectl("apply", "--filename=-", data=SERVER)
    kubectl("wait", "deployment/web", "--for=condition=Available", f"--timeout={WAIT_SECONDS}s")


def test_nothing_is_left_of_it(before: State, running: Running, sandbox: Sandbox) -> None:  # noqa: ARG001
    sandbox.release()
    assert cluster.find(PLACE) is None
    same(before)
    assert not (sandbox.cache / "state").exists()


def test_nothing_is_left_of_one_whose_every_process_was_killed(
    before: State, sandbox: Sandbox
) -> None:
    sandbox.start()
    pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if belongs(folder)]
    assert len(pids) > 15
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    sandbox.release()
    same(before)


def test_what_never_was_is_released(sandbox: Sandbox) -> None:
    sandbox.release("never")
    assert not PLACE.run.exists()


def test_docker_hub_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(KubernetesError, match="Docker Hub"):
        cluster.start(
            sandbox.folder / "claim",
            sandbox.cache,
            say=print,
            repositories=["me/dask"],
            place=PLACE,
        )
    assert not PLACE.run.exists()


def belongs(process: Path) -> bool:
    """Return whether its command line names the folder of the Kubernetes."""
    try:
        return str(PLACE.run).encode() in (process / "cmdline").read_bytes()
    except OSError:
        return False


def same(before: State) -> None:
    assert not [folder for folder in Path("/proc").glob("[0-9]*") if belongs(folder)]
    # Other tests may run beside these.
    mine = (PLACE.run.name, PLACE.wire, *NODES, "/proc/sys/vm/", "/proc/sys/kernel/")
    until = time.monotonic() + 20
    while found := [
        line for line in before.differences(State.now()) if any(name in line for name in mine)
    ]:
        assert time.monotonic() < until, found
        time.sleep(1)
