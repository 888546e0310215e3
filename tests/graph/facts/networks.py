"""Facts about the network and who is let in."""

from __future__ import annotations

import base64
import io
import tarfile
from typing import TYPE_CHECKING, Any

import yaml

from components.settings import ports
from tests.graph.facts.fact import fact, launch_templates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.graph.recorder import Graph, Resource

WORLD = ("0.0.0.0/0", "::/0")
# From outside of the cluster's own security groups, these and no others.
FOR_CLIENTS = {ports.SCHEDULER, ports.DASHBOARD}


def ingress(graph: Graph) -> list[Resource]:
    return graph.of(":SecurityGroupIngressRule")


def _cidr(rule: Resource) -> str | None:
    found = rule.inputs.get("cidrIpv4") or rule.inputs.get("cidrIpv6")
    return None if found is None else str(found)


def _groups(graph: Graph) -> dict[str, Resource]:
    return {each.outputs["id"]: each for each in graph.of("ec2/securityGroup:SecurityGroup")}


@fact("CKV_AWS_24 CKV_AWS_25 CKV_AWS_260 CKV_AWS_277 CIS_6.2 CIS_6.3 CIS_6.4")
def nothing_from_the_world(graph: Graph) -> Iterator[Resource]:
    """Nobody gets in from everywhere, at no port: 22, 80, 3389 and 8786 neither."""
    for rule in ingress(graph):
        if _cidr(rule) in WORLD:
            yield rule
    for group in graph.of("ecurityGroup"):
        if group.inputs.get("ingress"):
            yield group


@fact("sources: our security groups, or allowedCidrs at 8786 and 8787")
def known_sources(graph: Graph) -> Iterator[Resource]:
    """Whoever gets in is one of our machines, or a client from a network that is named."""
    named = graph.values.get("allowedCidrs", [])
    for rule in ingress(graph):
        cidr = _cidr(rule)
        source = rule.inputs.get("referencedSecurityGroupId")
        span = {rule.inputs.get("fromPort"), rule.inputs.get("toPort")}
        from_ours = cidr is None and source in _groups(graph)
        from_named = source is None and cidr in named and len(span) == 1 and span <= FOR_CLIENTS
        if not (from_ours or from_named) or rule.inputs.get("prefixListId"):
            yield rule


@fact("worker and nanny ports for the cluster's machines only")
def worker_ports(graph: Graph) -> Iterator[Resource]:
    """Workers and nannies run what they are sent: only scheduler and workers reach them."""
    groups = _groups(graph)
    machines = {group for each in launch_templates(graph) for group in _groups_of(each)}
    for rule in ingress(graph):
        worker = groups[rule.inputs["securityGroupId"]].name.endswith("-worker")
        first, last = rule.inputs.get("fromPort", 0), rule.inputs.get("toPort", 65535)
        of_dask = any(first <= port <= last for port in (*ports.WORKERS, *ports.NANNIES))
        source = rule.inputs.get("referencedSecurityGroupId")
        if worker and of_dask and source not in machines:
            yield rule


def _groups_of(template: Resource) -> set[str]:
    cards = template.inputs["networkInterfaces"]
    return {group for card in cards for group in card["securityGroups"]}


@fact("ports of the table: 8786, 8787, 9000-9099, 9100-9199, NFS, Lustre")
def ports_of_the_table(graph: Graph) -> Iterator[Resource]:
    """No rule opens more than the ports that its reason is about; EFA's own group but one."""
    known = {
        (ports.SCHEDULER, ports.SCHEDULER),
        (ports.DASHBOARD, ports.DASHBOARD),
        (ports.WORKERS[0], ports.WORKERS[-1]),
        (ports.NANNIES[0], ports.NANNIES[-1]),
        (2049, 2049),
        (988, 988),
        (1018, 1023),
    }
    for rule in ingress(graph):
        itself = rule.inputs.get("referencedSecurityGroupId") == rule.inputs["securityGroupId"]
        efa = itself and rule.inputs["ipProtocol"] == "-1" and "-efa-" in rule.name
        span = (rule.inputs.get("fromPort"), rule.inputs.get("toPort"))
        if not efa and (span not in known or rule.inputs["ipProtocol"] != "tcp"):
            yield rule


@fact("EFA: all protocols in and out, to itself only")
def efa_in_and_out(graph: Graph) -> Iterator[Resource]:
    """The group of EFA has one rule in and one out, each of them to itself."""
    for group in graph.of("ec2/securityGroup:SecurityGroup"):
        if not group.name.endswith("-efa"):
            continue
        itself = {"securityGroupId": group.outputs["id"], "ipProtocol": "-1"}
        itself["referencedSecurityGroupId"] = group.outputs["id"]
        for kind in (":SecurityGroupIngressRule", ":SecurityGroupEgressRule"):
            rules = [
                _core(r)
                for r in graph.of(kind)
                if r.inputs["securityGroupId"] == group.outputs["id"]
            ]
            if rules != [itself]:
                yield group


def _core(rule: Resource) -> dict[str, Any]:
    return {k: v for k, v in rule.inputs.items() if k not in ("description", "tags")}


@fact("CKV_AWS_23")
def rules_have_descriptions(graph: Graph) -> Iterator[Resource]:
    """Every security group and every rule says what it is for."""
    for each in graph.of("ec2/securityGroup:SecurityGroup", "IngressRule", "EgressRule"):
        if len(each.inputs.get("description", "")) < 8:
            yield each


@fact("CKV2_AWS_5")
def groups_are_attached(graph: Graph) -> Iterator[Resource]:
    """Every security group is that of something."""
    used = {group for each in launch_templates(graph) for group in _groups_of(each)}
    for each in graph.of(":MountTarget"):
        used |= set(each.inputs["securityGroups"])
    for each in graph.of(":LustreFileSystem"):
        used |= set(each.inputs["securityGroupIds"])
    for group in graph.of("ec2/securityGroup:SecurityGroup"):
        if group.outputs["id"] not in used:
            yield group


@fact("CKV_AWS_130")
def subnets_give_no_public_address(graph: Graph) -> Iterator[Resource]:
    """No subnet gives what starts in it a public address."""
    for each in graph.of(":Subnet"):
        if each.inputs.get("mapPublicIpOnLaunch") is not False:
            yield each


@fact("machines in private subnets")
def machines_are_in_private_subnets(graph: Graph) -> Iterator[Resource]:
    """In a new VPC no machine and no file system is in a subnet with a way in from the internet."""
    tables = {each.outputs["id"] for each in graph.of(":RouteTable")}
    open_tables = {r.inputs["routeTableId"] for r in graph.of(":Route") if "gatewayId" in r.inputs}
    assert open_tables <= tables
    public = {
        each.inputs["subnetId"]
        for each in graph.of(":RouteTableAssociation")
        if each.inputs["routeTableId"] in open_tables
    }
    for each in graph.of("autoscaling/group:Group", ":MountTarget", ":LustreFileSystem"):
        one = each.inputs.get("subnetIds", each.inputs.get("subnetId"))
        if public & {one, *each.inputs.get("vpcZoneIdentifiers", [])}:
            yield each


@fact("CKV2_AWS_12 CIS_6.5")
def default_group_is_empty(graph: Graph) -> Iterator[Resource]:
    """The default security group of a new VPC lets nothing in or out."""
    emptied = {
        each.inputs["vpcId"]
        for each in graph.of(":DefaultSecurityGroup")
        if (each.inputs.get("ingress"), each.inputs.get("egress")) == ([], [])
    }
    for vpc in graph.of(":Vpc"):
        if vpc.outputs["id"] not in emptied:
            yield vpc


@fact("CKV2_AWS_11 vpc_flow_logs_enabled CIS_4.7")
def flow_logs(graph: Graph) -> Iterator[Resource]:
    """Every connection in a new VPC is logged."""
    logged = {
        each.inputs["vpcId"] for each in graph.of(":FlowLog") if each.inputs["trafficType"] == "ALL"
    }
    for vpc in graph.of(":Vpc"):
        if vpc.outputs["id"] not in logged:
            yield vpc


@fact("flow logs where they are asked for")
def flow_logs_as_asked(graph: Graph) -> Iterator[Resource]:
    """`flowLogs: true` is a flow log with a log group of its own, and without it there is none."""
    if bool(graph.values.get("flowLogs")) != bool(graph.of(":FlowLog")):
        yield graph.one("platforms:Vm")


@fact("CKV2_AWS_38 CKV2_AWS_39: no public zone")
def zones_are_private(graph: Graph) -> Iterator[Resource]:
    """The zone with the scheduler's name is known in the VPC only."""
    for each in graph.of("route53/zone:Zone"):
        if not each.inputs.get("vpcs"):
            yield each


@fact("CKV2_AWS_19")
def addresses_are_of_gateways(graph: Graph) -> Iterator[Resource]:
    """Every elastic address is that of a NAT gateway."""
    used = {each.inputs["allocationId"] for each in graph.of(":NatGateway")}
    for each in graph.of(":Eip"):
        if each.outputs["id"] not in used:
            yield each


@fact("require-encryption")
def dask_refuses_plain_tcp(graph: Graph) -> Iterator[Resource]:
    """Scheduler, workers and clients are told TLS, and refuse anything else."""
    archive = graph.one(":BucketObjectv2")
    packed = io.BytesIO(base64.b64decode(archive.inputs["contentBase64"]))
    with tarfile.open(fileobj=packed) as tar:
        member = tar.extractfile("dask.yaml")
        assert member is not None
        dask = yaml.load(member.read(), yaml.CSafeLoader)  # a safe one
    addresses = {dask["scheduler-address"], graph.outputs["scheduler_address"]}
    comm = dask["distributed"]["comm"]
    if comm["require-encryption"] is not True or addresses != {comm_address(graph)}:
        yield archive


def comm_address(graph: Graph) -> str:
    return f"tls://{graph.one('route53/record:Record').inputs['name']}:{ports.SCHEDULER}"
