"""Facts about who may do what: roles, policies and trust."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.graph.facts.fact import allowed, fact, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.graph.recorder import Graph, Resource

# Calls for which IAM knows no resource ("Actions, resources, and condition keys" of each service
# in the Service Authorization Reference: their column "Resource types" is empty).
WITHOUT_RESOURCE = {
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeScalingActivities",
    "cloudwatch:PutMetricData",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}
# Could be bounded to `instance/*`, which is every instance too: an agent tells of itself, and AWS's
# own policy (AmazonSSMManagedInstanceCore) has `*`.
EVERY_INSTANCE = {"ssm:UpdateInstanceInformation"}
TRUSTED = {"ec2.amazonaws.com", "vpc-flow-logs.amazonaws.com"}
CAPACITY = {
    "autoscaling:SetDesiredCapacity",
    "autoscaling:TerminateInstanceInAutoScalingGroup",
    "autoscaling:UpdateAutoScalingGroup",
}


def policies(graph: Graph) -> list[Resource]:
    return graph.of("iam/rolePolicy:RolePolicy", "iam/policy:Policy")


def of_role(graph: Graph, role: str) -> Resource:
    """Return the policy of the hosts of a role."""
    (found,) = [p for p in graph.of(":RolePolicy") if p.name.endswith(f"-{role}")]
    return found


def reached(policy: Resource, *actions: str) -> set[str]:
    """Return the resources for which a policy allows any of these actions."""
    return {
        resource
        for each in allowed(policy)
        if set(actions) & set(each["Action"])
        for resource in each["Resource"]
    }


@fact("CKV_AWS_62 CKV_AWS_63 CIS_2.14")
def no_wildcard_actions(graph: Graph) -> Iterator[Resource]:
    """Every action is written out; none has a wildcard, and none is allowed by exclusion."""
    for policy in policies(graph):
        for each in statements(policy.inputs["policy"]):
            wild = any("*" in action for action in each.get("Action", ["*"]))
            if wild or {"NotAction", "NotResource", "NotPrincipal"} & each.keys():
                yield policy


@fact("CKV_AWS_355 CKV_AWS_356: `*` only where a call takes no resource")
def no_wildcard_resources(graph: Graph) -> Iterator[Resource]:
    """The resource `*` stands only for calls that take none."""
    for policy in policies(graph):
        for each in allowed(policy):
            if "*" in each["Resource"] and set(each["Action"]) - WITHOUT_RESOURCE - EVERY_INSTANCE:
                yield policy


@fact("calls without a resource are bounded by a condition where there is one")
def metrics_of_our_namespace(graph: Graph) -> Iterator[Resource]:
    """Metrics go into our namespace only."""
    ours = {"StringEquals": {"cloudwatch:namespace": "DaskCluster"}}
    for policy in policies(graph):
        for each in allowed(policy):
            if "cloudwatch:PutMetricData" in each["Action"] and each.get("Condition") != ours:
                yield policy


@fact("CKV_AWS_60 CKV_AWS_61")
def trusted_services(graph: Graph) -> Iterator[Resource]:
    """A role is taken on by EC2, or by flow logs, and by nobody else."""
    for role in graph.of("iam/role:Role"):
        expected = "vpc-flow-logs" if role.name.endswith("-flow") else "ec2"
        for each in statements(role.inputs["assumeRolePolicy"]):
            principal = {"Service": f"{expected}.amazonaws.com"}
            if each["Principal"] != principal or each["Action"] != ["sts:AssumeRole"]:
                yield role


@fact("CKV_AWS_274: no policy of AWS's own")
def no_managed_policies(graph: Graph) -> Iterator[Resource]:
    """Roles have what is written here, and no policy of AWS, AdministratorAccess least of all."""
    yield from graph.of(":RolePolicyAttachment")
    for role in graph.of("iam/role:Role"):
        if role.inputs.get("managedPolicyArns") or role.inputs.get("inlinePolicies"):
            yield role


@fact("no way to more rights")
def no_escalation(graph: Graph) -> Iterator[Resource]:
    """Nobody may hand on a role, change rights, start instances or run commands on others."""
    known = {
        *("secretsmanager:GetSecretValue", "ssm:GetParameter", "ssm:GetParameters"),
        "ssm:PutParameter",
        *("ssm:StartSession", "ssm:TerminateSession", "ssm:ResumeSession"),
        "ssm:UpdateInstanceInformation",
    }
    for policy in policies(graph):
        for action in (a for each in allowed(policy) for a in each["Action"]):
            service = action.partition(":")[0]
            if service in {"iam", "sts", "ec2", "kms"} or action.endswith(":PassRole"):
                yield policy
            if service in {"secretsmanager", "ssm"} and action not in known:
                yield policy


@fact("each role reads its own secret")
def own_secrets(graph: Graph) -> Iterator[Resource]:
    """Scheduler, workers and people each read one secret, that of their own role."""
    secrets = {each.name: each.outputs["arn"] for each in graph.of("secret:Secret")}
    for policy in policies(graph):
        role = {"connect": "client"}.get(last := policy.name.rpartition("-")[2], last)
        own = {arn for name, arn in secrets.items() if name.endswith(f"-{role}")}
        if reached(policy, "secretsmanager:GetSecretValue") != own:
            yield policy


@fact("each role writes its own reports")
def own_reports(graph: Graph) -> Iterator[Resource]:
    """Workers write the reports of workers' boots; the scheduler its own, and who has come."""
    parameters = {
        each.outputs["arn"]: each.inputs["name"] for each in graph.of("ssm/parameter:Parameter")
    }
    schedulers = ("/scheduler/boot", "/registered")
    for role in ("scheduler", "worker"):
        policy = of_role(graph, role)
        own = {
            arn
            for arn, name in parameters.items()
            if name.endswith(schedulers) == (role == "scheduler")
        }
        if reached(policy, "ssm:PutParameter") != own:
            yield policy
    for people in graph.of("iam/policy:Policy"):
        if reached(people, "ssm:PutParameter"):
            yield people


@fact("only the scheduler sets capacities, and only the workers'")
def capacities(graph: Graph) -> Iterator[Resource]:
    """The scheduler may change the size of worker groups; nobody else, and of nothing else."""
    for policy in policies(graph):
        ours = [_group_arn(graph, g) for g in graph.outputs["groups"] if g != "scheduler"]
        expected = set(ours) if policy is of_role(graph, "scheduler") else set()
        if reached(policy, *CAPACITY) != expected:
            yield policy


@fact("hosts speak for their own groups")
def own_groups(graph: Graph) -> Iterator[Resource]:
    """A host ends hooks of its cluster; the rest it does to the groups of its own role."""
    hooks = ("CompleteLifecycleAction", "RecordLifecycleActionHeartbeat")
    cluster = graph.outputs["cluster"]
    # Also of groups that are being deleted, which the graph has no longer.
    any_group = _group_arn(graph, "scheduler").replace("-scheduler", "-*")
    tagged = {"StringEquals": {"aws:ResourceTag/dask-cluster": cluster}}
    for role in ("scheduler", "worker"):
        policy = of_role(graph, role)
        groups = [g for g in graph.outputs["groups"] if (g == "scheduler") == (role == "scheduler")]
        own = {_group_arn(graph, group) for group in groups}
        if reached(policy, *(f"autoscaling:{each}" for each in hooks)) != {any_group}:
            yield policy
        if any(
            each.get("Condition") != tagged
            for each in allowed(policy)
            if f"autoscaling:{hooks[0]}" in each["Action"]
        ):
            yield policy
        if reached(policy, "autoscaling:SuspendProcesses") != own:
            yield policy
        sick = own if role == "worker" else set()
        if reached(policy, "autoscaling:SetInstanceHealth") != sick:
            yield policy


def _group_arn(graph: Graph, group: str) -> str:
    name = graph.outputs["groups"][group]
    region = graph.outputs["region"]
    return f"arn:aws:autoscaling:{region}:*:autoScalingGroup:*:autoScalingGroupName/{name}"


@fact("the scheduler sets one name in one zone")
def own_name(graph: Graph) -> Iterator[Resource]:
    """The scheduler may set the address of its own name, and no other record."""
    zone = graph.one("route53/zone:Zone").outputs["arn"]
    record = graph.one("route53/record:Record").inputs["name"]
    condition = {
        "ForAllValues:StringEquals": {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": [record],
            "route53:ChangeResourceRecordSetsRecordTypes": ["A"],
            "route53:ChangeResourceRecordSetsActions": ["UPSERT"],
        }
    }
    for policy in policies(graph):
        found = [
            (each["Action"], each["Resource"], each.get("Condition"))
            for each in allowed(policy)
            if any(action.startswith("route53:") for action in each["Action"])
        ]
        own = [(["route53:ChangeResourceRecordSets"], [zone], condition)]
        if found != (own if policy is of_role(graph, "scheduler") else []):
            yield policy


@fact("data: the archive, and the buckets that are named")
def own_data(graph: Graph) -> Iterator[Resource]:
    """Hosts read archives and the buckets that are named, and write `writeBuckets`."""
    # Machines that start from the last template need the last archive.
    archive = {f"{graph.one('s3/bucket:Bucket').outputs['arn']}/archive/*"}
    read, write = (
        {f"arn:aws:s3:::{name}/*" for name in graph.values.get(key, [])}
        for key in ("readBuckets", "writeBuckets")
    )
    for policy in graph.of(":RolePolicy"):
        host = not policy.name.endswith("-flow")
        if reached(policy, "s3:GetObject") != (archive | read | write if host else set()):
            yield policy
        if reached(policy, "s3:PutObject", "s3:DeleteObject") != (write if host else set()):
            yield policy


@fact("people connect to this cluster, by port forwarding")
def sessions(graph: Graph) -> Iterator[Resource]:
    """People may forward ports to machines with the cluster's tag; no shell, no other cluster."""
    for policy in graph.of("iam/policy:Policy"):
        found = [e for e in allowed(policy) if "ssm:StartSession" in e["Action"]]
        if len(found) != 2 or [_what(each) for each in found] != _connections(graph):
            yield policy


def _what(statement: dict[str, Any]) -> str:
    return json.dumps([statement["Resource"], statement.get("Condition")], sort_keys=True)


def _connections(graph: Graph) -> list[str]:
    region, cluster = graph.outputs["region"], graph.outputs["cluster"]
    checked = {"BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"}}
    tagged = {**checked, "StringEquals": {"ssm:resourceTag/dask-cluster": cluster}}
    document = f"arn:aws:ssm:{region}::document/AWS-StartPortForwardingSession"
    wanted = [
        {"Resource": [f"arn:aws:ec2:{region}:*:instance/*"], "Condition": tagged},
        {"Resource": [document], "Condition": checked},
    ]
    return [_what(each) for each in wanted]


@fact("logs: one group, and nobody creates one")
def own_logs(graph: Graph) -> Iterator[Resource]:
    """Hosts write into the cluster's log group, flow logs into theirs; none can make another."""
    groups = {each.name: f"{each.outputs['arn']}:*" for each in graph.of(":LogGroup")}
    for policy in policies(graph):
        actions = {a for each in allowed(policy) for a in each["Action"] if a.startswith("logs:")}
        flow = policy.name.endswith("-flow")
        own = {arn for name, arn in groups.items() if name.endswith("-flow") == flow}
        if reached(policy, *actions) != own or "logs:CreateLogGroup" in actions:
            yield policy
