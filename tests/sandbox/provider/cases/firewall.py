"""Security groups and launch templates."""

from __future__ import annotations

from tests.sandbox.provider.cases.case import Call, Case

TAG = {"Key": "dask-cluster", "Value": "dev"}
RULE = {"protocol": "tcp", "from_port": 80, "to_port": 81, "cidr_blocks": ["10.0.0.0/8"]}


def rule(name: str, kind: str) -> Case:
    return Case(
        name,
        kind,
        {
            "security_group_id": "${group.id}",
            "ip_protocol": "tcp",
            "from_port": 8786,
            "to_port": 8787,
            "cidr_ipv4": "10.0.0.0/16",
            "description": "clients",
        },
        Call(
            "ec2",
            "describe_security_group_rules",
            {"SecurityGroupRuleIds": [f"${{{name}.id}}"]},
            "SecurityGroupRules[0].{out: IsEgress, protocol: IpProtocol, low: FromPort, "
            "high: ToPort, from: CidrIpv4, group: ReferencedGroupInfo.GroupId, "
            "why: Description, tags: Tags}",
        ),
        {
            "out": "Egress" in kind,
            "protocol": "tcp",
            "low": 8786,
            "high": 8787,
            "from": "10.0.0.0/16",
            "group": None,
            "why": "clients",
            "tags": [TAG],
        },
        then={
            "from_port": 9000,
            "to_port": 9099,
            "cidr_ipv4": "10.1.0.0/16",
            "description": "workers",
        },
        had={"low": 9000, "high": 9099, "from": "10.1.0.0/16", "why": "workers"},
        by_hand=(
            Call(
                "ec2",
                "modify_security_group_rules",
                {
                    "GroupId": "${group.id}",
                    "SecurityGroupRules": [
                        {
                            "SecurityGroupRuleId": f"${{{name}.id}}",
                            "SecurityGroupRule": {
                                "IpProtocol": "tcp",
                                "FromPort": 1,
                                "ToPort": 9099,
                                "CidrIpv4": "10.1.0.0/16",
                                "Description": "workers",
                            },
                        }
                    ],
                },
            ),
        ),
        seen=("fromPort",),
        replacing={
            "securityGroupId": "sg-other",
            "cidrIpv6": "::/0",
            "prefixListId": "pl-1",
            "referencedSecurityGroupId": "sg-other",
        },
    )


CASES = [
    Case(
        "group",
        "ec2.SecurityGroup",
        {"vpc_id": "${vpc.id}", "description": "Workers", "revoke_rules_on_delete": True},
        Call(
            "ec2",
            "describe_security_groups",
            {"GroupIds": ["${group.id}"]},
            "SecurityGroups[0].{vpc: VpcId, why: Description, name: GroupName, "
            "tags: sort_by(Tags, &Key)}",
        ),
        {
            "vpc": "${vpc.id}",
            "why": "Workers",
            "name": "${group.name}",
            "tags": [TAG],
        },
        then={"tags": {"a": "b"}},
        had={"tags": [{"Key": "a", "Value": "b"}, TAG]},
        by_hand=(
            Call("ec2", "delete_tags", {"Resources": ["${group.id}"], "Tags": [{"Key": "a"}]}),
        ),
        seen=("tags.a",),
        replacing={
            "vpcId": "vpc-other",
            "description": "Others",
            "name": "other",
            "namePrefix": "other",
        },
    ),
    Case(
        "closed",
        "ec2.SecurityGroup",
        {"vpc_id": "${vpc.id}", "name": "closed", "ingress": [{**RULE, "self": True}]},
        Call(
            "ec2",
            "describe_security_groups",
            {"GroupIds": ["${closed.id}"]},
            "SecurityGroups[0].{why: Description, name: GroupName, "
            "into: IpPermissions[].{low: FromPort, high: ToPort, from: IpRanges[].CidrIp, "
            "groups: UserIdGroupPairs[].GroupId}, out: IpPermissionsEgress[].IpRanges[].CidrIp}",
        ),
        {
            "why": "Managed by Pulumi",
            "name": "closed",
            "into": [
                {"low": 80, "high": 81, "from": ["10.0.0.0/8"], "groups": ["${closed.id}"]},
            ],
            # Made by `everything`: AWS would refuse it beside the one that a new group has.
            "out": ["0.0.0.0/0"],
        },
        then={"ingress": [RULE]},
        had={"into": [{"low": 80, "high": 81, "from": ["10.0.0.0/8"], "groups": []}]},
        by_hand=(
            Call(
                "ec2",
                "authorize_security_group_ingress",
                {
                    "GroupId": "${closed.id}",
                    "IpPermissions": [
                        {
                            "IpProtocol": "tcp",
                            "FromPort": 1,
                            "ToPort": 1,
                            "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
                        },
                    ],
                },
            ),
        ),
        seen=("ingress",),
        replacing={"description": "Others"},
    ),
    Case(
        "default",
        "ec2.DefaultSecurityGroup",
        {"vpc_id": "${vpc.id}"},
        Call(
            "ec2",
            "describe_security_groups",
            {"GroupIds": ["${vpc.default_security_group_id}"]},
            "SecurityGroups[0].{name: GroupName, into: IpPermissions, out: IpPermissionsEgress, "
            "tags: sort_by(Tags, &Key)}",
        ),
        {"name": "default", "into": [], "out": [], "tags": [TAG]},
        then={"tags": {"a": "b"}},
        had={"tags": [{"Key": "a", "Value": "b"}, TAG]},
        by_hand=(
            Call(
                "ec2",
                "authorize_security_group_ingress",
                {
                    "GroupId": "${default.id}",
                    "IpPermissions": [
                        {
                            "IpProtocol": "tcp",
                            "FromPort": 1,
                            "ToPort": 1,
                            "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
                        },
                    ],
                },
            ),
        ),
        seen=("ingress",),
        replacing={"vpcId": "vpc-other"},
    ),
    rule("ingress", "vpc.SecurityGroupIngressRule"),
    rule("egress", "vpc.SecurityGroupEgressRule"),
    Case(
        "everything",
        "vpc.SecurityGroupEgressRule",
        {"security_group_id": "${closed.id}", "ip_protocol": "-1", "cidr_ipv4": "0.0.0.0/0"},
        Call(
            "ec2",
            "describe_security_group_rules",
            {"SecurityGroupRuleIds": ["${everything.id}"]},
            "SecurityGroupRules[0].{out: IsEgress, protocol: IpProtocol, to: CidrIpv4}",
        ),
        {"out": True, "protocol": "-1", "to": "0.0.0.0/0"},
        then={"tags": {"a": "b"}},
    ),
    Case(
        "together",
        "ec2.PlacementGroup",
        {"strategy": "cluster"},
        Call(
            "ec2",
            "describe_placement_groups",
            {"GroupNames": ["${together.id}"]},
            "PlacementGroups[0].{how: Strategy, tags: sort_by(Tags, &Key)}",
        ),
        {"how": "cluster", "tags": [TAG]},
        replacing={
            "name": "other",
            "strategy": "spread",
            "partitionCount": 3,
            "spreadLevel": "rack",
        },
    ),
]
