"""Where every resource hangs, what it bears, what it waits for, and what a component tells."""

from __future__ import annotations

import importlib
import inspect
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.graph.recorder import PROVIDER, STACK
from tests.graph.variations import ALL, variation

if TYPE_CHECKING:
    from tests.graph.recorder import Graph, Resource

# Taggable, and without a name of their own: what it is for is in their names or their owners.
WITHOUT_NAME = {"aws:s3/bucketObjectv2:BucketObjectv2"}
# Its tags are a list with what each machine gets: a test of its own.
OWN_TAGS = "aws:autoscaling/group:Group"

# What a machine needs from its boot to the end of its drain, beside the firewall's rules.
NEEDED = (
    *(":Route", ":RouteTableAssociation", ":NatGateway", ":InternetGateway", ":VpcEndpoint"),
    *(":Parameter", ":LogGroup", "route53/record:Record"),
    *(":RolePolicy", ":SecretVersion", ":BucketObjectv2"),
)

every_stack = pytest.mark.parametrize("stack", ALL)


def taggable(type_: str) -> bool:
    """Say whether the SDK's class of a type takes tags."""
    _, module, name = type_.split(":")
    package = importlib.import_module(f"pulumi_aws.{module.partition('/')[0]}")
    parameters = inspect.signature(getattr(package, name)._internal_init).parameters
    return "tags" in parameters


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


@every_stack
def test_everything_hangs_below_the_platform(stack: str) -> None:
    graph = ALL[stack]()
    root, platform = graph.one(":DaskCluster"), graph.one("platforms:Vm")
    assert root.request.parent.split("::")[2] == STACK
    assert platform.request.parent == root.urn
    for each in graph.resources:
        if each not in (root, platform) and each.type != PROVIDER:
            assert platform in list(graph.parents(each)), each.label


@every_stack
def test_children_are_named_like_their_stack(stack: str) -> None:
    """The console of AWS shows whose they are."""
    graph = ALL[stack]()
    prefix = f"dask-{graph.outputs['cluster']}"
    for each in graph.resources:
        if each.is_aws:
            assert each.name == prefix or each.name.startswith(f"{prefix}-"), each.label


@every_stack
def test_the_provider_is_the_explicit_one(stack: str) -> None:
    graph = ALL[stack]()
    provider = graph.one(PROVIDER)
    assert provider.inputs["region"] == graph.values["region"]
    for each in graph.resources:
        expected = f"{provider.urn}::{provider.outputs['id']}" if each.is_aws else ""
        assert each.request.provider == expected, each.label


@every_stack
def test_everything_bears_the_clusters_tag_and_a_name(stack: str) -> None:
    graph = ALL[stack]()
    tags = {**graph.values.get("tags", {}), "dask-cluster": graph.outputs["cluster"]}
    text = graph.one(PROVIDER).inputs["defaultTags"]
    assert text == f'{{"tags": {_json(tags)}}}'
    for each in graph.resources:
        if each.is_aws and taggable(each.type) and each.type not in {OWN_TAGS, *WITHOUT_NAME}:
            assert each.inputs.get("tags", {}).get("Name"), each.label
            assert each.inputs["tags"].keys() == {"Name"}, each.label


def _json(tags: dict[str, str]) -> str:
    return "{" + ", ".join(f'"{key}": "{value}"' for key, value in tags.items()) + "}"


@every_stack
def test_what_is_launched_bears_the_same_tags(stack: str) -> None:
    graph = ALL[stack]()
    tags = {**graph.values.get("tags", {}), "dask-cluster": graph.outputs["cluster"]}
    for template in graph.of(":LaunchTemplate"):
        specified = template.inputs["tagSpecifications"]
        kinds = [each["resourceType"] for each in specified]
        assert kinds == ["instance", "volume", "network-interface"]
        for each in specified:
            # Tags of the stack file would make another tag another scheduler: groups have them.
            assert each["tags"] == {"dask-cluster": tags["dask-cluster"], "Name": template.name}
    for group in graph.of(OWN_TAGS):
        handed = {t["key"]: t["value"] for t in group.inputs["tags"] if t["propagateAtLaunch"]}
        assert handed.items() >= {**tags, "Name": group.name}.items()
        assert handed["dask-cluster:group"] in graph.outputs["groups"]
        keys = [each["key"] for each in group.inputs["tags"]]
        assert len(keys) == len({key.lower() for key in keys}) <= 50


@every_stack
def test_every_component_registers_its_outputs_once(stack: str) -> None:
    graph = ALL[stack]()
    components = [each.urn for each in graph.resources if not each.is_custom]
    assert len(components) >= 12
    told = Counter(urn for urn, _ in graph.registered if urn in graph.by_urn)
    assert told == Counter(components)


@every_stack
def test_no_machine_outlives_what_it_needs(stack: str) -> None:
    """A group is deleted first: while its machines drain, they reach each other and AWS."""
    graph = ALL[stack]()
    needed = [e for e in graph.of(*NEEDED) if not e.name.endswith(("-client", "-flow"))]
    rules = [e for e in graph.of("IngressRule", "EgressRule") if not _of_clients(e)]
    for group in graph.of(OWN_TAGS):
        outlives = reaches(graph, group)
        others = "-worker" if group.name.endswith("-scheduler") else "-scheduler"
        for each in [*needed, *rules]:
            own_only = each.type.endswith((":RolePolicy", ":SecretVersion"))
            storage = "-scratch-" in each.name and group.name.endswith("-scheduler")
            if not (own_only and each.name.endswith(others)) and not storage:
                assert each.urn in outlives, f"{group.name} may outlive {each.label}"


def _of_clients(rule: Resource) -> bool:
    """A client that is cut off a moment too early has lost nothing."""
    from_network = {"cidrIpv4", "cidrIpv6"} & rule.inputs.keys()
    return rule.type.endswith("IngressRule") and bool(from_network)


@every_stack
def test_workers_start_after_the_scheduler_and_ready_comes_last(stack: str) -> None:
    graph = ALL[stack]()
    scheduler, last = (graph.one(":Ready", f"{name}-ready") for name in ("scheduler", "cluster"))
    groups = graph.of(OWN_TAGS)
    (host,) = [each for each in groups if each.name.endswith("-scheduler")]
    assert host.urn in reaches(graph, scheduler)
    assert len(groups) == len(graph.outputs["groups"])
    for each in groups:
        assert each.urn in reaches(graph, last)
        assert each is host or scheduler.urn in reaches(graph, each)


@pytest.mark.parametrize("name", ["efs-new", "lustre-new"])
def test_workers_wait_for_their_file_systems(name: str) -> None:
    graph = variation(name)
    group = graph.one(OWN_TAGS, "dask-test-worker")
    files = [e for e in graph.resources if "-scratch-" in e.name]
    assert len(files) >= 4
    for each in files:
        assert each.urn in reaches(graph, group), each.label


def test_a_lustre_file_system_waits_for_its_rules() -> None:
    """FSx refuses a security group that does not let port 988 through."""
    graph = variation("lustre-new")
    system = graph.one(":LustreFileSystem")
    rules = [e for e in graph.of("gressRule") if "-scratch-lustre" in e.name]
    assert len(rules) == 8
    assert {each.urn for each in rules} <= reaches(graph, system)


def test_nothing_in_an_existing_vpc_is_made_or_changed() -> None:
    graph = variation("existing-vpc")
    ours = {each.type for each in graph.resources if each.is_aws}
    of_a_vpc = {each.type for each in variation("flow-logs").resources if each.is_aws} - ours
    made = {type_.rpartition(":")[2] for type_ in of_a_vpc}
    assert made == {
        *("Vpc", "Subnet", "InternetGateway", "Eip", "NatGateway", "RouteTable", "Route"),
        *("RouteTableAssociation", "VpcEndpoint", "DefaultSecurityGroup", "FlowLog"),
    }
    named = [e.label for e in graph.resources if "vpc-0123456789abcdef0" in str(e.inputs)]
    assert len(named) == 3  # two security groups and the private zone


@every_stack
def test_options_that_only_some_resources_have(stack: str) -> None:
    graph = ALL[stack]()
    for each in graph.resources:
        request = each.request
        scheduler = each.type == OWN_TAGS and each.name.endswith("-scheduler")
        assert list(request.replaceOnChanges) == (["launchTemplate"] if scheduler else [])
        assert request.deleteBeforeReplace == scheduler, each.label
        assert not request.importId, each.label
        assert list(request.ignoreChanges) == _ignored(graph, each), each.label


def _ignored(graph: Graph, resource: Resource) -> list[str]:
    """Return what machines write and what the scaler sets: the rest is Pulumi's."""
    owners = {"aws:ssm/parameter:Parameter": ["value"], "aws:route53/record:Record": ["records"]}
    if resource.type != OWN_TAGS:
        return owners.get(resource.type, [])
    group = resource.name.removeprefix(f"dask-{graph.outputs['cluster']}-")
    keys = graph.values if group == "worker" else graph.values.get("groups", {}).get(group, {})
    return ["desiredCapacity"] if keys.get("maxWorkers") is not None else []
