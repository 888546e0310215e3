"""Security facts of a cluster's objects: each yields what breaks it.

Names in brackets are of the Pod Security Standards ("restricted"), the CIS Kubernetes Benchmark and
Kubescape's controls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.graph.kubernetes import network_facts
from tests.graph.kubernetes.manifests import SCHEDULER, WORKER, Manifest, component, of, pods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

USER = 1000


def no_rights_on_the_node(objects: list[Manifest]) -> Iterator[str]:
    """PSS restricted; C-0013, C-0016, C-0017, C-0046, C-0055."""
    for name, pod in pods(objects):
        spec = pod["spec"]
        secure = spec["securityContext"]
        expected = {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER}
        if not expected.items() <= secure.items():
            yield f"{name}: runs as {secure}"
        if secure.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{name}: seccomp"
        if {"hostNetwork", "hostPID", "hostIPC"} & spec.keys():
            yield f"{name}: a namespace of the host"
        for container in spec["containers"] + spec.get("initContainers", []):
            if container["securityContext"] != {
                "runAsNonRoot": True,
                "readOnlyRootFilesystem": True,
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }:
                yield f"{name}: {container['securityContext']}"


def no_volume_of_the_node(objects: list[Manifest]) -> Iterator[str]:
    """PSS restricted, volume types; C-0048."""
    allowed = {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}
    for name, pod in pods(objects):
        for volume in pod["spec"]["volumes"]:
            if not volume.keys() - {"name"} <= allowed:
                yield f"{name}: {volume}"
            if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
                yield f"{name}: {volume['name']} may fill the node's disk"
            if "secret" in volume and volume["secret"]["defaultMode"] != 0o440:
                yield f"{name}: {volume['name']} may be read by others"


def size_is_fixed(objects: list[Manifest]) -> Iterator[str]:
    """CIS 5.7; C-0009, C-0050, C-0268 to C-0271."""
    for name, pod in pods(objects):
        for container in pod["spec"]["containers"]:
            sizes = container["resources"]
            if sizes["requests"] != sizes["limits"]:
                yield f"{name}: asks for other than it may have"
            if sizes["limits"].keys() != {"cpu", "memory", "ephemeral-storage"}:
                yield f"{name}: {sizes['limits']}"


def only_the_scheduler_has_a_token(objects: list[Manifest]) -> Iterator[str]:
    """CIS 5.1.5 and 5.1.6; C-0034."""
    for account in of(objects, "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield account["metadata"]["name"]
    for name, pod in pods(objects):
        role = component(pod["metadata"]["labels"])
        if pod["spec"]["automountServiceAccountToken"] is not (role == SCHEDULER):
            yield name
        if not pod["spec"]["serviceAccountName"].endswith(f"-{role}"):
            yield f"{name}: is {pod['spec']['serviceAccountName']}"


def the_scheduler_only_scales_its_groups(objects: list[Manifest]) -> Iterator[str]:
    """CIS 5.1.1 to 5.1.4 and 5.1.8; C-0007, C-0015, C-0035, C-0188."""
    if of(objects, "ClusterRole", "ClusterRoleBinding"):
        yield "a right in all namespaces"
    (binding,) = of(objects, "RoleBinding")
    if [s["name"] for s in binding["subjects"]] != [binding["metadata"]["name"]]:
        yield f"rights of {binding['subjects']}"
    groups = [name for name, pod in pods(objects) if component(pod["metadata"]["labels"]) == WORKER]
    (role,) = of(objects, "Role")
    allowed = [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]},
        {
            "apiGroups": ["apps"],
            "resources": ["deployments/scale"],
            "resourceNames": groups,
            "verbs": ["get", "patch"],
        },
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "patch"]},
    ]
    if role["rules"] != allowed:
        yield f"{role['rules']}"


def the_namespace_refuses_worse(objects: list[Manifest]) -> Iterator[str]:
    """CIS 5.2.1."""
    for namespace in of(objects, "Namespace"):
        labels = namespace["metadata"]["labels"]
        if labels.get("pod-security.kubernetes.io/enforce") != "restricted":
            yield namespace["metadata"]["name"]


def no_secret_is_a_variable(objects: list[Manifest]) -> Iterator[str]:
    """CIS 5.4.1: every process that a container starts inherits its variables."""
    for name, pod in pods(objects):
        for container in pod["spec"]["containers"]:
            if "envFrom" in container:
                yield name
            for variable in container["env"]:
                if variable.get("valueFrom", {}).keys() & {"secretKeyRef", "configMapKeyRef"}:
                    yield f"{name}: {variable['name']}"
        if pod["spec"]["enableServiceLinks"] is not False:
            yield f"{name}: variables for every Service"


def images_are_named_by_digest(objects: list[Manifest]) -> Iterator[str]:
    """C-0075, C-0237."""
    for name, pod in pods(objects):
        for container in pod["spec"]["containers"]:
            if "@sha256:" not in container["image"]:
                yield f"{name}: {container['image']}"


def data_is_not_tidied_away(objects: list[Manifest]) -> Iterator[str]:
    """Karpenter and the cluster autoscaler end pods to save nodes, and with them their data."""
    for name, pod in pods(objects):
        wanted = {
            "karpenter.sh/do-not-disrupt": "true",
            "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
        }
        if not wanted.items() <= pod["metadata"]["annotations"].items():
            yield name


def no_probe_ends_a_busy_process(objects: list[Manifest]) -> Iterator[str]:
    for name, pod in pods(objects):
        for container in pod["spec"]["containers"]:
            if "livenessProbe" in container or "readinessProbe" not in container:
                yield name


def evictions_are_slow(objects: list[Manifest]) -> Iterator[str]:
    budgets = {b["metadata"]["name"]: b["spec"] for b in of(objects, "PodDisruptionBudget")}
    for name, pod in pods(objects):
        role = component(pod["metadata"]["labels"])
        most = {SCHEDULER: 0, WORKER: "10%"}.get(role)
        budget = budgets.get(name, {"maxUnavailable": None})
        unready = {SCHEDULER: "IfHealthyBudget", WORKER: "AlwaysAllow"}.get(role)
        if (budget["maxUnavailable"], budget.get("unhealthyPodEvictionPolicy")) != (most, unready):
            yield f"{name}: {budget}"
        chosen = budget.get("selector", {}).get("matchLabels", {}).items()
        if not chosen <= pod["metadata"]["labels"].items():
            yield f"{name}: the budget of other pods"


FACTS: dict[str, Callable[[list[Manifest]], Iterator[str]]] = {
    fact.__name__: fact
    for fact in (
        no_rights_on_the_node,
        no_volume_of_the_node,
        size_is_fixed,
        only_the_scheduler_has_a_token,
        the_scheduler_only_scales_its_groups,
        the_namespace_refuses_worse,
        network_facts.every_pod_is_closed,
        network_facts.nobody_comes_in_but_by_the_table,
        network_facts.nobody_reaches_the_metadata,
        network_facts.every_way_in_has_its_way_out,
        network_facts.every_row_says_why,
        network_facts.no_service_is_open_to_the_world,
        no_secret_is_a_variable,
        images_are_named_by_digest,
        data_is_not_tidied_away,
        no_probe_ends_a_busy_process,
        evictions_are_slow,
    )
}
