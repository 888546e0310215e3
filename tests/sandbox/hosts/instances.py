"""Groups of the account whose instances tests look at."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.aws.server.world import WORLD
from sandbox.hosts import instances
from tests.sandbox.server.account import encoded

if TYPE_CHECKING:
    from tests.sandbox.server.account import Account, Group

USER_DATA = "#!/bin/bash\necho Grüße\n"
ROLE = "dev-worker"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def profile(account: Account, *statements: dict[str, Any]) -> str:
    """Make a role that may do something, with its instance profile; return that one's ARN."""
    iam = account.client("iam")
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(_TRUST))
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    if statements:
        iam.put_role_policy(RoleName=ROLE, PolicyName="p", PolicyDocument=json.dumps(policy))
    made = iam.create_instance_profile(InstanceProfileName="dev-profile")["InstanceProfile"]
    iam.add_role_to_instance_profile(InstanceProfileName="dev-profile", RoleName=ROLE)
    return str(made["Arn"])


def network(account: Account) -> tuple[str, str]:
    """Make a VPC with DNS and a subnet; return their ids."""
    vpc = account.vpc()
    account.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    return vpc, account.subnet(vpc)


def hosts(
    account: Account,
    count: int = 1,
    *,
    name: str = "workers",
    subnet: str = "",
    tokens: str = "required",
    hops: int = 1,
    groups: tuple[str, ...] = (),
    **data: Any,  # noqa: ANN401  (of a launch template)
) -> Group:
    """Make a group as the program does, and wait until its instances are in service."""
    subnet = subnet or network(account)[1]
    if groups:
        data["SecurityGroupIds"] = list(groups)
    template = account.template(
        name,
        UserData=encoded(USER_DATA),
        MetadataOptions={
            "HttpTokens": tokens,
            "HttpPutResponseHopLimit": hops,
            "InstanceMetadataTags": "enabled",
        },
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "dask-cluster", "Value": "dev"}]}
        ],
        **data,
    )
    group = account.group(
        count,
        name=name,
        VPCZoneIdentifier=subnet,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
        Tags=[
            {"Key": "dask-cluster:lifetime", "Value": "3600", "PropagateAtLaunch": True},
            {"Key": "with/slash", "Value": "x", "PropagateAtLaunch": True},
        ],
    )
    return group.settle(count)


def seen(key: str) -> instances.Instance:
    """Return what hosts see of an instance."""
    with WORLD.clock.lock:
        found = instances.by_id(key)
    assert found is not None
    return found


def zone_of(account: Account, vpc: str, records: dict[str, str]) -> str:
    """Make a private zone of a VPC with records of 10 s; return its id."""
    route53 = account.client("route53")
    made = route53.create_hosted_zone(
        Name="dev.dask-cluster.internal",
        CallerReference=vpc,
        HostedZoneConfig={"PrivateZone": True},
        VPC={"VPCRegion": "us-east-1", "VPCId": vpc},
    )["HostedZone"]["Id"]
    for name, address in records.items():
        record = {
            "Name": name,
            "Type": "A",
            "TTL": 10,
            "ResourceRecords": [{"Value": address}],
        }
        route53.change_resource_record_sets(
            HostedZoneId=made,
            ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]},
        )
    return str(made)
