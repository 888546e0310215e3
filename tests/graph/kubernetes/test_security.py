"""Security facts over all objects of every stack on Kubernetes, and that each fact can fail."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from tests.graph.kubernetes.facts import FACTS
from tests.graph.kubernetes.manifests import Manifest, manifests, of
from tests.graph.kubernetes.variations import ALL, variation

if TYPE_CHECKING:
    from collections.abc import Callable

Objects = list[Manifest]


@pytest.mark.parametrize("name", FACTS)
def test_fact(name: str) -> None:
    broken = [
        f"{stack}: {found}"
        for stack, graph in ALL.items()
        for found in FACTS[name](manifests(graph()))
    ]
    assert not broken


def spec_of(objects: Objects, role: str) -> dict[str, Any]:
    (found,) = [d for d in of(objects, "Deployment") if d["metadata"]["name"].endswith(f"-{role}")]
    spec: dict[str, Any] = found["spec"]["template"]["spec"]
    return spec


def container(objects: Objects, role: str = "worker") -> dict[str, Any]:
    (found,) = spec_of(objects, role)["containers"]
    assert isinstance(found, dict)
    return found


def one(objects: Objects, kind: str, name: str = "") -> Manifest:
    found = [o for o in of(objects, kind) if o["metadata"]["name"].endswith(name)]
    return found[0]


def policy(objects: Objects, role: str) -> dict[str, Any]:
    spec: dict[str, Any] = one(objects, "NetworkPolicy", f"-{role}")["spec"]
    return spec


def put(target: dict[str, Any], **values: Any) -> None:  # noqa: ANN401  # JSON
    target.update(values)


WORLD = {"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 8786}]}

# A fact, and what somebody might do to an object: the fact must see it.
FAULTS: list[tuple[str, Callable[[Objects], object]]] = [
    ("no_rights_on_the_node", lambda o: put(spec_of(o, "worker")["securityContext"], runAsUser=0)),
    ("no_rights_on_the_node", lambda o: spec_of(o, "jupyter")["securityContext"].pop("fsGroup")),
    ("no_rights_on_the_node", lambda o: put(spec_of(o, "scheduler"), hostNetwork=True)),
    (
        "no_rights_on_the_node",
        lambda o: spec_of(o, "worker")["securityContext"].pop("seccompProfile"),
    ),
    (
        "no_rights_on_the_node",
        lambda o: container(o)["securityContext"].pop("readOnlyRootFilesystem"),
    ),
    ("no_rights_on_the_node", lambda o: container(o)["securityContext"].pop("capabilities")),
    (
        "no_volume_of_the_node",
        lambda o: spec_of(o, "worker")["volumes"].append({"name": "x", "hostPath": {}}),
    ),
    ("no_volume_of_the_node", lambda o: spec_of(o, "worker")["volumes"][2]["emptyDir"].clear()),
    (
        "no_volume_of_the_node",
        lambda o: put(spec_of(o, "worker")["volumes"][1]["secret"], defaultMode=0o444),
    ),
    ("size_is_fixed", lambda o: put(container(o)["resources"]["limits"], cpu="64")),
    ("size_is_fixed", lambda o: put(container(o), resources={"requests": {}, "limits": {}})),
    (
        "only_the_scheduler_has_a_token",
        lambda o: put(spec_of(o, "worker"), automountServiceAccountToken=True),
    ),
    (
        "only_the_scheduler_has_a_token",
        lambda o: one(o, "ServiceAccount").pop("automountServiceAccountToken"),
    ),
    (
        "only_the_scheduler_has_a_token",
        lambda o: put(spec_of(o, "worker"), serviceAccountName="dask-test-scheduler"),
    ),
    (
        "the_scheduler_only_scales_its_groups",
        lambda o: one(o, "Role")["rules"][1].pop("resourceNames"),
    ),
    (
        "the_scheduler_only_scales_its_groups",
        lambda o: one(o, "RoleBinding")["subjects"].append({"name": "dask-test-worker"}),
    ),
    ("the_scheduler_only_scales_its_groups", lambda o: o.append({"kind": "ClusterRole"})),
    ("the_namespace_refuses_worse", lambda o: put(one(o, "Namespace")["metadata"], labels={})),
    ("every_pod_is_closed", lambda o: o.remove(one(o, "NetworkPolicy", "-closed"))),
    ("every_pod_is_closed", lambda o: put(policy(o, "closed"), policyTypes=["Ingress"])),
    ("nobody_comes_in_but_by_the_table", lambda o: policy(o, "scheduler")["ingress"].append(WORLD)),
    ("nobody_comes_in_but_by_the_table", lambda o: policy(o, "worker")["ingress"].append({})),
    (
        "nobody_comes_in_but_by_the_table",
        lambda o: put(policy(o, "worker")["ingress"][0]["ports"][0], endPort=9999),
    ),
    (
        "nobody_comes_in_but_by_the_table",
        lambda o: put(policy(o, "worker")["ingress"][0]["from"][0], namespaceSelector={}),
    ),
    ("nobody_reaches_the_metadata", lambda o: policy(o, "worker")["egress"].append({})),
    (
        "nobody_reaches_the_metadata",
        lambda o: policy(o, "jupyter")["egress"][-1]["to"][0]["ipBlock"].pop("except"),
    ),
    ("every_way_in_has_its_way_out", lambda o: policy(o, "scheduler")["egress"].pop(0)),
    ("every_way_in_has_its_way_out", lambda o: policy(o, "scheduler")["ingress"].pop(0)),
    ("every_row_says_why", lambda o: policy(o, "worker")["ingress"].pop(0)),
    (
        "no_service_is_open_to_the_world",
        lambda o: put(one(o, "Service", "-scheduler")["spec"], type="NodePort"),
    ),
    (
        "no_service_is_open_to_the_world",
        lambda o: put(
            one(o, "Service", "-outside")["spec"], loadBalancerSourceRanges=["0.0.0.0/0"]
        ),
    ),
    (
        "no_service_is_open_to_the_world",
        lambda o: put(one(o, "Service", "-outside")["spec"], externalTrafficPolicy="Cluster"),
    ),
    (
        "no_secret_is_a_variable",
        lambda o: container(o, "jupyter")["env"].append(
            {"name": "JUPYTER_TOKEN", "valueFrom": {"secretKeyRef": {"name": "x"}}}
        ),
    ),
    ("no_secret_is_a_variable", lambda o: spec_of(o, "worker").update(enableServiceLinks=True)),
    ("images_are_named_by_digest", lambda o: put(container(o), image="ghcr.io/me/dask:latest")),
    (
        "data_is_not_tidied_away",
        lambda o: put(
            one(o, "Deployment", "-worker")["spec"]["template"]["metadata"], annotations={}
        ),
    ),
    ("no_probe_ends_a_busy_process", lambda o: put(container(o), livenessProbe={})),
    ("no_probe_ends_a_busy_process", lambda o: container(o).pop("readinessProbe")),
    ("evictions_are_slow", lambda o: o.remove(one(o, "PodDisruptionBudget", "-worker"))),
    (
        "evictions_are_slow",
        lambda o: put(one(o, "PodDisruptionBudget", "-scheduler")["spec"], maxUnavailable=1),
    ),
    (
        "evictions_are_slow",
        lambda o: put(
            one(o, "PodDisruptionBudget", "-scheduler")["spec"],
            unhealthyPodEvictionPolicy="AlwaysAllow",
        ),
    ),
]


@pytest.mark.parametrize(
    ("name", "fault"), FAULTS, ids=[f"{name}-{n}" for n, (name, _) in enumerate(FAULTS)]
)
def test_a_fault_is_seen(name: str, fault: Callable[[Objects], object]) -> None:
    objects = copy.deepcopy(manifests(variation("everything")))
    assert not list(FACTS[name](objects))
    fault(objects)
    assert list(FACTS[name](objects))


def test_every_fact_is_seen_to_fail() -> None:
    assert {name for name, _ in FAULTS} == FACTS.keys()
