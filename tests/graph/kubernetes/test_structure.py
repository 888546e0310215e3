"""Where every object on Kubernetes hangs, what it bears, and what it waits for."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pulumi
import pytest

from tests.graph.kubernetes.variations import ALL, BASE, variation, written
from tests.graph.recorder import STACK, build

if TYPE_CHECKING:
    from tests.graph.recorder import Graph, Resource

PROVIDER = "pulumi:providers:kubernetes"
NAMESPACE = "core/v1:Namespace"
# What a pod needs from its start to the end of its drain.
NEEDED = (
    *("core/v1:Namespace", "core/v1:ServiceAccount", ":Role", ":RoleBinding"),
    *("core/v1:ConfigMap", ":NetworkPolicy"),
)
PREFIX = "app.kubernetes.io"

every_stack = pytest.mark.parametrize("stack", ALL)


def reaches(graph: Graph, start: Resource) -> set[str]:
    """Return all that outlives a resource: what it depends on, is a child of, and so on."""
    found: set[str] = set()
    todo = [start]
    while todo:
        request = todo.pop().request
        for urn in {*request.dependencies, request.parent} - found:
            if urn in graph.by_urn:
                found.add(urn)
                todo.append(graph.by_urn[urn])
    return found


def objects(graph: Graph) -> list[Resource]:
    found = [each for each in graph.resources if each.is_kubernetes]
    assert len(found) > 15
    return found


@every_stack
def test_everything_hangs_below_the_platform(stack: str) -> None:
    graph = ALL[stack]()
    root, platform = graph.one(":DaskCluster"), graph.one("platforms:Kubernetes")
    assert root.request.parent.split("::")[2] == STACK
    assert platform.request.parent == root.urn
    for each in graph.resources:
        if each not in (root, platform) and each.type != PROVIDER:
            assert platform in list(graph.parents(each)), each.label


@every_stack
def test_the_provider_is_the_explicit_one_with_the_stacks_context(stack: str) -> None:
    graph = ALL[stack]()
    provider = graph.one(PROVIDER)
    assert provider.inputs["context"] == graph.values["context"]
    assert provider.inputs["enableSecretMutable"] == "true"
    assert provider.inputs["enableConfigMapMutable"] == "true"
    for each in graph.resources:
        expected = f"{provider.urn}::{provider.outputs['id']}" if each.is_kubernetes else ""
        assert each.request.provider == expected, each.label


@every_stack
def test_everything_is_named_and_labelled_as_the_clusters(stack: str) -> None:
    graph = ALL[stack]()
    cluster = graph.outputs["cluster"]
    namespace = graph.values.get("namespace", f"dask-{cluster}")
    for each in objects(graph):
        about = each.inputs["metadata"]
        labels = about["labels"]
        assert about["name"] == each.name
        assert each.name.startswith(f"dask-{cluster}"), each.label
        assert labels[f"{PREFIX}/name"] == "dask"
        assert labels[f"{PREFIX}/instance"] == cluster
        assert labels[f"{PREFIX}/part-of"] == "dask-cluster"
        assert labels[f"{PREFIX}/managed-by"] == "pulumi"
        assert labels[f"{PREFIX}/component"] in ("scheduler", "worker", "jupyter", "cluster")
        if not each.type.endswith(NAMESPACE):
            assert about["namespace"] == namespace, each.label


@every_stack
def test_a_deployment_chooses_its_own_pods_and_no_others(stack: str) -> None:
    deployments = ALL[stack]().of(":Deployment")
    for one in deployments:
        chosen = one.inputs["spec"]["selector"]["matchLabels"].items()
        having = [
            other.name
            for other in deployments
            if chosen <= other.inputs["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert having == [one.name]


@every_stack
def test_a_namespace_that_is_named_is_left_alone(stack: str) -> None:
    graph = ALL[stack]()
    made = graph.of(NAMESPACE)
    assert len(made) == (0 if graph.values.get("namespace") else 1)
    for each in made:
        # Its end waits for the drains of all pods in it.
        assert each.request.customTimeouts.delete == "1020s"


@every_stack
def test_no_pod_outlives_what_it_needs(stack: str) -> None:
    graph = ALL[stack]()
    for deployment in graph.of(":Deployment"):
        outlives = reaches(graph, deployment)
        mounted = {
            volume["secret"]["secretName"]
            for volume in deployment.inputs["spec"]["template"]["spec"]["volumes"]
            if "secret" in volume
        }
        assert mounted
        secrets = [each for each in graph.of("core/v1:Secret") if each.name in mounted]
        assert len(secrets) == len(mounted)
        for each in (*graph.of(*NEEDED), *secrets):
            assert each.urn in outlives, f"{deployment.name} may outlive {each.label}"


@every_stack
def test_workers_start_after_the_scheduler_and_ready_comes_last(stack: str) -> None:
    graph = ALL[stack]()
    scheduler, last = (graph.one(":Ready", f"{name}-ready") for name in ("scheduler", "cluster"))
    deployments = graph.of(":Deployment")
    (host,) = [each for each in deployments if each.name.endswith("-scheduler")]
    assert host.urn in reaches(graph, scheduler)
    names = {each.name.rpartition("-")[2] for each in deployments}
    assert names - {"jupyter"} == graph.outputs["groups"].keys()
    assert {*scheduler.inputs["wanted"], *last.inputs["wanted"]} == names
    for each in deployments:
        assert each.urn in reaches(graph, last)
        assert each is host or scheduler.urn in reaches(graph, each)


@every_stack
def test_every_component_registers_its_outputs_once(stack: str) -> None:
    graph = ALL[stack]()
    components = [each.urn for each in graph.resources if not each.is_custom]
    assert len(components) >= 8
    told = Counter(urn for urn, _ in graph.registered if urn in graph.by_urn)
    assert told == Counter(components)


@every_stack
def test_the_number_of_pods_is_left_to_whoever_moves_it(stack: str) -> None:
    graph = ALL[stack]()
    for each in graph.resources:
        annotations = each.inputs.get("metadata", {}).get("annotations", {})
        scaled = "dask-cluster/max-workers" in annotations
        assert list(each.request.ignoreChanges) == (["spec.replicas"] if scaled else []), each.label
        if each.type.endswith(":Deployment"):
            # Else another field manager's number would be a conflict, and `up` would fail.
            assert ("pulumi.com/patchForce" in annotations) is not scaled
            assert annotations["pulumi.com/skipAwait"] == "true"


def test_an_autoscaler_of_kubernetes_is_there_where_it_is_asked_for() -> None:
    (scaler,) = variation("hpa").of(":HorizontalPodAutoscaler")
    spec = scaler.inputs["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 20)
    assert spec["scaleTargetRef"]["name"] == "dask-test-worker"
    assert not variation("scaler").of(":HorizontalPodAutoscaler")


@pytest.mark.parametrize(("key", "ours"), [("max-spill", 0), ("max_spill", 0), ("target", 1)])
def test_a_stack_files_own_bound_for_what_is_spilled_wins(key: str, ours: int) -> None:
    chosen = {"distributed": {"worker": {"memory": {key: 0.5}}}}
    graph = build(written({"dask": chosen}), stack="test")
    spec = graph.one(":Deployment", "dask-test-worker").inputs["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    names = [variable["name"] for variable in container["env"]]
    assert names.count("DASK_DISTRIBUTED__WORKER__MEMORY__MAX_SPILL") == ours


@every_stack
def test_a_stack_exports_what_clients_need(stack: str) -> None:
    graph = ALL[stack]()
    outputs, cluster = graph.outputs, graph.outputs["cluster"]
    namespace = graph.values.get("namespace", f"dask-{cluster}")
    assert outputs["platform"] == "kubernetes"
    assert outputs["context"] == graph.values["context"]
    assert outputs["namespace"] == namespace
    assert outputs["scheduler_address"] == f"tls://dask-{cluster}-scheduler.{namespace}.svc:8786"
    assert "@sha256:" in outputs["image"]
    secret = graph.one("core/v1:Secret", outputs["client_secret"])
    assert secret.inputs["stringData"].keys() == {"authority.pem", "certificate.pem", "key.pem"}
    has_jupyter = "jupyter" in graph.values
    assert outputs["jupyter"] == (f"dask-{cluster}-jupyter" if has_jupyter else None)
    groups = {each.name for each in graph.of(":Deployment")}
    assert set(outputs["groups"].values()) == groups - {outputs["jupyter"]}
    assert outputs.keys() >= {"environment", "extra_packages", "workers", "certificates_expire"}


@pytest.mark.parametrize("stack", ["Dev", "a_b", "dev-", "a" * 21])
def test_a_stack_whose_name_does_not_fit_is_refused(stack: str) -> None:
    with pytest.raises(pulumi.RunError, match=f"a stack called '{stack}' cannot be on Kubernetes"):
        build(BASE, stack=stack)
