"""Each fact sees what it is about: a graph in which it is broken on purpose breaks it."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.graph.facts import ACCEPTED, FACTS
from tests.graph.recorder import Graph, Resource
from tests.graph.variations import variation

if TYPE_CHECKING:
    from tests.graph.facts import Fact

LT, ASG = ":LaunchTemplate", "autoscaling/group:Group"
Break = Callable[[Graph], object]
EVERYTHING = "everything"


def inputs(type_: str) -> Callable[[Graph], dict[str, Any]]:
    return lambda graph: graph.of(type_)[0].inputs


def put(type_: str, *path: str | int, value: object) -> Break:
    """Return a break that writes a value into the inputs of the first resource of a type."""

    def do(graph: Graph) -> None:
        where: Any = inputs(type_)(graph)
        for step in path[:-1]:
            where = where[step]
        where[path[-1]] = value

    return do


def without(type_: str) -> Break:
    """Return a break that takes all resources of a type away."""

    def do(graph: Graph) -> None:
        graph.resources[:] = [e for e in graph.resources if not e.type.endswith(type_)]

    return do


def allow(role: str, *actions: str, on: str = "arn:aws:x") -> Break:
    """Return a break that allows a role something more."""

    def do(graph: Graph) -> None:
        (policy,) = [
            p for p in graph.of(":RolePolicy", "iam/policy:Policy") if p.name.endswith(role)
        ]
        document = json.loads(policy.inputs["policy"])
        more = {"Effect": "Allow", "Action": list(actions), "Resource": [on]}
        document["Statement"].append(more)
        policy.inputs["policy"] = json.dumps(document)

    return do


def reworded(type_: str, field: str, old: str, new: str) -> Break:
    """Return a break that writes something else into a text."""

    def do(graph: Graph) -> None:
        found = [each for each in graph.of(type_) if old in each.inputs[field]]
        found[0].inputs[field] = found[0].inputs[field].replace(old, new)

    return do


def boot(text: str) -> Break:
    encoded = base64.b64encode(f"#!/bin/bash\n{text}\n".encode()).decode()
    return put(LT, "userData", value=encoded)


def protect(graph: Graph) -> None:
    graph.resources[-1].request.protect = True


def plain_tcp(graph: Graph) -> None:
    graph.outputs["scheduler_address"] = "tcp://scheduler:8786"


def efa_by_tcp(graph: Graph) -> None:
    (found,) = [each for each in graph.of("EgressRule") if each.name.endswith("-efa-out")]
    found.inputs["ipProtocol"] = "tcp"


def stray_group(graph: Graph) -> None:
    graph.of("ec2/securityGroup:SecurityGroup")[0].outputs["id"] = "sg-0123"


def in_public(graph: Graph) -> None:
    (public,) = [each for each in graph.of(":Subnet") if "-public-" in each.name]
    graph.of(ASG)[0].inputs["vpcZoneIdentifiers"].append(public.outputs["id"])


def rule(index: int, **values: object) -> Break:
    def do(graph: Graph) -> None:
        found: Resource = graph.of(":SecurityGroupIngressRule")[index]
        for key, value in values.items():
            if value is None:
                found.inputs.pop(key, None)
            else:
                found.inputs[key] = value

    return do


CARD = ("networkInterfaces", 0)
GROUP = "referencedSecurityGroupId"
BREAKS: dict[str, list[Break]] = {
    "CKV_AWS_79": [
        put(LT, "metadataOptions", "httpTokens", value="optional"),
        put(LT, "metadataOptions", value={}),
    ],
    "CKV_AWS_341": [put(LT, "metadataOptions", "httpPutResponseHopLimit", value=2)],
    "CKV_AWS_8 ": [
        put(LT, "blockDeviceMappings", 0, "ebs", "encrypted", value="false"),
        put(LT, "blockDeviceMappings", value=[]),
        put(LT, "blockDeviceMappings", 0, "ebs", "deleteOnTermination", value="false"),
    ],
    "CKV_AWS_88": [
        put(LT, *CARD, "associatePublicIpAddress", value="true"),
        put(LT, *CARD, "associatePublicIpAddress", value=None),
    ],
    "CKV_AWS_46": [
        boot("echo '-----BEGIN PRIVATE KEY-----'"),
        boot("export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE"),
    ],
    "boot text": [boot("#" * 4096)],
    "CKV_AWS_315": [
        without(LT),
        put(LT, "iamInstanceProfile", "arn", value="arn:aws:iam::aws:instance-profile/other"),
    ],
    "CKV_AWS_153": [put(ASG, "tags", value=[])],
    "CKV_AWS_24": [
        rule(0, cidrIpv4="0.0.0.0/0"),
        rule(1, cidrIpv6="::/0"),
        put("ec2/securityGroup:SecurityGroup", "ingress", value=[{"fromPort": 22}]),
    ],
    "sources:": [
        rule(0, **{GROUP: None, "cidrIpv4": "198.51.100.0/24"}),
        rule(0, **{GROUP: "sg-00000000"}),
        rule(1, prefixListId="pl-1"),
    ],
    "worker and nanny": [rule(1, **{GROUP: None, "cidrIpv4": "203.0.113.0/24"})],
    "ports of": [rule(1, toPort=65535), rule(2, ipProtocol="-1"), rule(0, fromPort=22)],
    "EFA": [without("EgressRule"), efa_by_tcp],
    "CKV_AWS_23": [rule(0, description=""), put("EgressRule", "description", value="x")],
    "CKV2_AWS_5": [stray_group],
    "CKV_AWS_130": [put(":Subnet", "mapPublicIpOnLaunch", value=True)],
    "machines in private": [in_public],
    "CKV2_AWS_12": [
        without(":DefaultSecurityGroup"),
        put("faultSecurityGroup", "egress", value=[1]),
    ],
    "flow logs where": [without(":FlowLog")],
    "CKV2_AWS_38": [put("route53/zone:Zone", "vpcs", value=[])],
    "CKV2_AWS_19": [without(":NatGateway")],
    "require-encryption": [plain_tcp],
    "CKV_AWS_53": [
        without(":BucketPublicAccessBlock"),
        put("PublicAccessBlock", "ignorePublicAcls", value=False),
    ],
    "CIS_3.1.1": [
        without(":BucketPolicy"),
        reworded(":BucketPolicy", "policy", '"false"', '"true"'),
        reworded(":BucketPolicy", "policy", "s3:*", "s3:GetObject"),
    ],
    "CKV_AWS_19": [put("s3/bucket:Bucket", "acl", value="public-read")],
    "CKV_AWS_42": [put("efs/fileSystem:FileSystem", "encrypted", value=False)],
    "CKV_AWS_66": [put(":LogGroup", "retentionInDays", value=None)],
    "CKV_AWS_169": [
        reworded(":TopicPolicy", "policy", "aws:SourceAccount", "aws:PrincipalOrgID"),
        reworded(":TopicPolicy", "policy", '{"Service":', '{"AWS":'),
    ],
    "each secret": [reworded(":SecretVersion", "secretString", "PRIVATE", "PUBLIC")],
    "nothing outlives": [
        protect,
        put("secret:Secret", "recoveryWindowInDays", value=7),
        put("s3/bucket:Bucket", "forceDestroy", value=False),
    ],
    "CKV_AWS_62": [allow("-worker", "s3:*"), allow("-connect", "*")],
    "CKV_AWS_355": [allow("-worker", "s3:GetObject", on="*")],
    "calls without": [allow("-scheduler", "cloudwatch:PutMetricData", on="*")],
    "CKV_AWS_60": [
        reworded("iam/role:Role", "assumeRolePolicy", "ec2.amazonaws.com", "lambda.amazonaws.com"),
        reworded("iam/role:Role", "assumeRolePolicy", '"Service"', '"AWS"'),
    ],
    "CKV_AWS_274": [put("iam/role:Role", "managedPolicyArns", value=["arn:aws:iam::aws:policy/X"])],
    "no way to more": [
        allow("-scheduler", "iam:PassRole"),
        allow("-worker", "ec2:RunInstances"),
        allow("-worker", "ssm:SendCommand"),
    ],
    "each role reads": [allow("-worker", "secretsmanager:GetSecretValue", on="arn:other")],
    "each role writes": [allow("-worker", "ssm:PutParameter", on="arn:other")],
    "only the scheduler sets": [
        allow("-worker", "autoscaling:SetDesiredCapacity"),
        allow("-scheduler", "autoscaling:UpdateAutoScalingGroup"),
    ],
    "hosts speak": [
        allow("-worker", "autoscaling:CompleteLifecycleAction"),
        allow("-scheduler", "autoscaling:SetInstanceHealth"),
    ],
    "the scheduler sets": [
        allow("-worker", "route53:ChangeResourceRecordSets"),
        reworded(":RolePolicy", "policy", '["UPSERT"]', '["UPSERT", "DELETE"]'),
    ],
    "data:": [allow("-worker", "s3:GetObject"), allow("-scheduler", "s3:PutObject")],
    "people connect": [
        allow("-connect", "ssm:StartSession"),
        reworded("iam/policy:Policy", "policy", "BoolIfExists", "Bool"),
        reworded("iam/policy:Policy", "policy", "-StartPortForwardingSession", "-StartSSHSession"),
    ],
    "logs:": [allow("-worker", "logs:CreateLogGroup"), allow("-flow", "logs:PutLogEvents")],
}


@pytest.fixture(scope="module")
def whole() -> Graph:
    """A cluster that has something for each fact to look at."""
    return variation(EVERYTHING)


def of(start: str) -> str:
    (name,) = [name for name in FACTS if name.startswith(start)]
    return name


@pytest.mark.parametrize(
    ("start", "index"), [(start, i) for start, each in BREAKS.items() for i in range(len(each))]
)
def test_a_break_is_seen(whole: Graph, start: str, index: int) -> None:
    fact = FACTS[of(start)]
    broken = copy.deepcopy(whole)
    BREAKS[start][index](broken)
    assert not _unaccepted(fact, whole)
    assert _unaccepted(fact, broken)


def _unaccepted(fact: Fact, graph: Graph) -> list[Resource]:
    return [r for r in fact.check(graph) if not any(a.covers(fact.name, r) for a in ACCEPTED)]


def test_every_fact_is_broken_or_accepted_as_a_whole() -> None:
    """What is accepted for every resource cannot be broken: the row's own test looks at it."""
    broken = {of(start) for start in BREAKS}
    assert broken | {row.fact for row in ACCEPTED} == FACTS.keys()
    assert all(BREAKS.values())
