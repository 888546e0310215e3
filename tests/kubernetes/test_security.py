"""Nobody gets in, and no pod may do more than its work needs.

The network plugin of this machine's Kubernetes enforces no NetworkPolicy: that they close what they
shall is for a cluster whose plugin does. Here they are looked at as objects.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.hosts import certified
from tests.kubernetes.podded import kubectl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.hosts.certified import Callers
    from tests.kubernetes.podded import Podded

pytestmark = pytest.mark.timeout(900)

KNOCK = (Path(certified.__file__).parent / "knock.py").read_text()
# Everything that a cluster may consist of, but for the Secrets.
KINDS = (
    "deployments,replicasets,pods,services,endpointslices,configmaps,serviceaccounts,roles,"
    "rolebindings,networkpolicies,poddisruptionbudgets,persistentvolumeclaims,events"
)
LOOPBACK = ("0100007F", "00000000000000000000000001000000")
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105  # a folder


@pytest.fixture(scope="module")
def stack(podded: Callable[[str], Podded]) -> Podded:
    stack = podded("security")
    stack.take(jupyter={"cpu": 0.4, "memory": "512 MiB", "home": "1 GiB"})
    stack.up()
    return stack


@pytest.fixture(scope="module")
def scheduler(stack: Podded) -> dict[str, Any]:
    (pod,) = stack.pods("scheduler")
    return pod


@pytest.fixture(scope="module")
def workers(stack: Podded) -> list[dict[str, Any]]:
    stack.settled(2)
    return stack.pods()


@pytest.fixture(scope="module")
def callers(stack: Podded) -> Callers:
    return certified.callers(stack.name, stack.state)


def inside(stack: Podded, pod: dict[str, Any], *command: str) -> str:
    return stack.kubectl("exec", pod["metadata"]["name"], "--", *command)


def ip(pod: dict[str, Any]) -> str:
    return str(pod["status"]["podIP"])


def test_only_the_clusters_own_certificates_come_in(
    stack: Podded,
    scheduler: dict[str, Any],
    workers: list[dict[str, Any]],
    callers: Callers,
) -> None:
    one, other = workers
    port = worker_port(stack, other)
    targets = [[ip(scheduler), 8786], [ip(other), port]]
    asked = {"targets": targets, "callers": callers, "compute": True}
    met, computed = json.loads(inside(stack, one, "python", "-c", KNOCK, json.dumps(asked)))
    assert met == {"8786": certified.MET, str(port): certified.MET}
    assert computed == certified.COMPUTED


def test_a_nanny_lets_in_nobody_else(
    stack: Podded, scheduler: dict[str, Any], workers: list[dict[str, Any]], callers: Callers
) -> None:
    asked = {"targets": [[ip(workers[0]), 9100]], "callers": callers, "compute": False}
    met, _ = json.loads(inside(stack, scheduler, "python", "-c", KNOCK, json.dumps(asked)))
    assert met == {"9100": certified.MET}


def worker_port(stack: Podded, pod: dict[str, Any]) -> int:
    """Return where a worker listens: a process that was started again has another port."""
    program = """
import json
from distributed import Client
with Client() as client:
    workers = client.scheduler_info(n_workers=-1)["workers"].items()
    print(json.dumps({worker["name"]: address for address, worker in workers}))
"""
    address = stack.python(program)[f"{pod['metadata']['name']}-0"]
    return int(address.rpartition(":")[2])


def test_nothing_else_listens(
    stack: Podded, scheduler: dict[str, Any], workers: list[dict[str, Any]]
) -> None:
    """Where network policies are not enforced, each port is open to every pod."""
    (notebook,) = stack.pods("jupyter")
    assert listening(stack, scheduler) == {8786, 8787}
    assert listening(stack, notebook) == {8888}
    for worker in workers:
        found = listening(stack, worker)
        assert len(found) == 2
        assert found & {*range(9000, 9100)}
        assert found & {*range(9100, 9200)}


def listening(stack: Podded, pod: dict[str, Any]) -> set[int]:
    """Return the ports of a pod that others reach, as its kernel says."""
    said = inside(stack, pod, "cat", "/proc/net/tcp", "/proc/net/tcp6")
    lines = [line.split() for line in said.splitlines()]
    # Of the kernel's proc_net_tcp: the local address, and 0A for a socket that listens.
    local = [words[1].split(":") for words in lines if words[3] == "0A"]
    return {int(port, 16) for address, port in local if address not in LOOPBACK}


def test_only_the_scheduler_has_a_token(
    stack: Podded, scheduler: dict[str, Any], workers: list[dict[str, Any]]
) -> None:
    (notebook,) = stack.pods("jupyter")
    for pod in (*workers, notebook):
        said = stack.kubectl("exec", pod["metadata"]["name"], "--", "ls", TOKEN, code=None)
        assert "No such file" in said
        projected = [each for each in pod["spec"]["volumes"] if "projected" in each]
        assert projected == []
    assert "token" in inside(stack, scheduler, "ls", TOKEN)


def test_pods_are_of_the_restricted_kind(stack: Podded) -> None:
    """As Kubernetes itself judges: it has let in all of them, and lets in no other."""
    namespace = json.loads(kubectl("get", "namespace", stack.namespace, "-o", "json").text)
    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert len(stack.objects("pods")) == 4
    words = ("run", "other", "--image", "x", "--dry-run=server")
    said = stack.kubectl(*words, code=1)
    assert 'violates PodSecurity "restricted' in said
    for pod in stack.objects("pods"):
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert pod["spec"]["securityContext"]["runAsUser"] == 1000


VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
RESOURCES = (
    ("", "pods", ""),
    ("", "pods", "exec"),
    ("", "pods", "eviction"),
    ("", "pods", "log"),
    ("", "secrets", ""),
    ("", "configmaps", ""),
    ("", "services", ""),
    ("", "serviceaccounts", "token"),
    ("", "nodes", ""),
    ("", "namespaces", ""),
    ("apps", "deployments", ""),
    ("apps", "deployments", "scale"),
    ("apps", "replicasets", ""),
    ("apps", "replicasets", "scale"),
    ("rbac.authorization.k8s.io", "roles", ""),
    ("rbac.authorization.k8s.io", "rolebindings", ""),
    ("networking.k8s.io", "networkpolicies", ""),
    ("policy", "poddisruptionbudgets", ""),
    ("autoscaling", "horizontalpodautoscalers", ""),
)
WORKER = "dask-security-worker"
MAY = {
    ("", "get", "deployments"),
    ("", "list", "deployments"),
    (WORKER, "get", "deployments"),
    (WORKER, "list", "deployments"),
    (WORKER, "get", "deployments/scale"),
    (WORKER, "patch", "deployments/scale"),
    ("", "list", "pods"),
    ("", "patch", "pods"),
    (WORKER, "list", "pods"),
    (WORKER, "patch", "pods"),
    ("dask-security-scheduler", "get", "deployments"),
    ("dask-security-scheduler", "list", "deployments"),
    ("dask-security-scheduler", "list", "pods"),
    ("dask-security-scheduler", "patch", "pods"),
}


def rights(stack: Podded, account: str, namespace: str) -> set[tuple[str, str, str]]:
    """Ask the API what an account may do: a name or none, a verb, and a resource."""
    reviews = [
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:{stack.namespace}:{account}",
                "groups": [
                    "system:serviceaccounts",
                    f"system:serviceaccounts:{stack.namespace}",
                    "system:authenticated",
                ],
                "resourceAttributes": {
                    "namespace": namespace,
                    "verb": verb,
                    "group": group,
                    "resource": resource,
                    "subresource": sub,
                    "name": name,
                },
            },
        }
        for verb in VERBS
        for group, resource, sub in RESOURCES
        for name in ("", WORKER, "dask-security-scheduler")
    ]
    given = {"apiVersion": "v1", "kind": "List", "items": reviews}
    said = kubectl("create", "--filename", "-", "--output", "json", given=given)
    assert said.code == 0, said.text
    answers = documents(said.text)
    assert len(answers) == len(reviews)
    return {
        (
            asked.get("name", ""),
            asked["verb"],
            "/".join(filter(None, (asked["resource"], asked.get("subresource")))),
        )
        for answer in answers
        if answer["status"]["allowed"]
        for asked in [answer["spec"]["resourceAttributes"]]
    }


def documents(text: str) -> list[dict[str, Any]]:
    """Read what `kubectl` prints of several objects: one JSON after the other, or a list."""
    found: list[dict[str, Any]] = []
    decoder = json.JSONDecoder()
    rest = text.strip()
    while rest:
        one, end = decoder.raw_decode(rest)
        found += one["items"] if one["kind"] == "List" else [one]
        rest = rest[end:].strip()
    return found


def test_accounts_may_do_what_the_scaler_does_and_nothing_else(stack: Podded) -> None:
    assert rights(stack, "dask-security-scheduler", stack.namespace) == MAY
    for account in (WORKER, "dask-security-jupyter"):
        assert rights(stack, account, stack.namespace) == set()
    for namespace in ("kube-system", ""):
        assert rights(stack, "dask-security-scheduler", namespace) == set()


def test_no_secret_is_in_clear(stack: Podded) -> None:
    """Neither in an object that is no Secret, nor in the state, nor in what the commands say."""
    secrets = {
        each["metadata"]["name"]: {
            key: base64.b64decode(value).decode() for key, value in each["data"].items()
        }
        for each in stack.objects("secrets")
    }
    roles = ("scheduler", "worker", "client")
    assert secrets.keys() == {f"dask-security-tls-{role}" for role in roles} | {
        "dask-security-jupyter"
    }
    token = secrets["dask-security-jupyter"]["token"]
    keys = [secrets[f"dask-security-tls-{role}"]["key.pem"] for role in roles]
    assert len(set(keys)) == len(roles)
    # The lines of a key, as they would also stand in another notation.
    hidden = [token, *(line for key in keys for line in key.splitlines()[1:-1])]
    assert len(hidden) >= 1 + len(roles)
    hidden += [base64.b64encode(each.encode()).decode() for each in (token, *keys)]
    folder = stack.directory / ".dask-cluster" / "rehearsals" / stack.name
    files = [each for each in (folder / "state").rglob("*") if each.is_file()]
    assert files
    texts = {
        "objects": stack.kubectl("get", KINDS, "--output", "yaml"),
        "status": stack.command("status", stack.name, "--rehearsal", "--json").text,
        **{str(file): file.read_text(errors="replace") for file in files},
        **{pod: stack.kubectl("logs", pod) for pod in stack.names() | stack.names("scheduler")},
    }
    for where, text in texts.items():
        assert "PRIVATE KEY" not in text, where
        assert not [each for each in hidden if each in text], where


def test_each_role_has_its_own_key_only(stack: Podded) -> None:
    for pod in stack.objects("pods"):
        role = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        mounted = {
            each["secret"]["secretName"] for each in pod["spec"]["volumes"] if "secret" in each
        }
        wanted = "client" if role == "jupyter" else role
        assert f"dask-security-tls-{wanted}" in mounted
        others = {f"dask-security-tls-{each}" for each in ("scheduler", "worker", "client")}
        assert not mounted & (others - {f"dask-security-tls-{wanted}"})


def ports(rules: Iterable[dict[str, Any]]) -> list[tuple[str, int, int]]:
    """Return what rules let in: from which component, and the first and last port."""
    return sorted(
        (
            each["podSelector"]["matchLabels"]["app.kubernetes.io/component"],
            port["port"],
            port.get("endPort", port["port"]),
        )
        for rule in rules
        for each in rule["from"]
        for port in rule["ports"]
    )


def test_policies_let_in_the_cluster_alone(stack: Podded) -> None:
    """As objects: see above."""
    found = {each["metadata"]["name"]: each["spec"] for each in stack.objects("networkpolicies")}
    closed = [each for each in found.values() if not each.get("ingress")]
    assert any(
        "app.kubernetes.io/component" not in each["podSelector"]["matchLabels"] for each in closed
    )
    open_ = {name: ports(each["ingress"]) for name, each in found.items() if each.get("ingress")}
    assert open_ == {
        "dask-security-scheduler": [
            ("jupyter", 8786, 8786),
            ("jupyter", 8787, 8787),
            ("worker", 8786, 8786),
        ],
        WORKER: [("scheduler", 9000, 9099), ("scheduler", 9100, 9199), ("worker", 9000, 9099)],
    }
