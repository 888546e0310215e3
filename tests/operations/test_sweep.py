"""What `sweep` finds and deletes, what it leaves alone, and what it says."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from operations import sweep
from operations.sweep.kinds import Kind, Scope
from operations.sweeping import Found, Left
from tests.operations.sweeping import (
    ALARM,
    BUDGET,
    OTHERS,
    POLICY,
    REGION,
    SCOPE,
    TAG,
    create_bucket,
    create_group,
    create_lustre,
    everything,
    tagging,
    tags_of,
)
from tests.sandbox.rehearsed import Rehearsed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.operations.sweeping import Cloud

NEIGHBOUR: dict[str, Any] = {
    "platform": "vm",
    "region": REGION,
    "vpc": {"zones": ["us-east-2b"]},
    "workers": 1,
    "instanceTypes": ["m7i.large"],
}
# Every kind of thing that a cluster can have.
ALL = NEIGHBOUR | {
    "instanceTypes": ["hpc7a.96xlarge"],
    "placementGroup": True,
    "network": "efa",
    "flowLogs": True,
    "efs": {},
    "lustre": {"size": "1200 GiB"},
    "monthlyBudget": 500,
    "alarmEmails": ["one@example.org"],
    "groups": {"big": {"workers": 1, "instanceTypes": ["r7i.8xlarge"]}},
}


@pytest.mark.timeout(300)
def test_all_of_a_cluster_and_nothing_of_its_neighbour(tmp_path: Path) -> None:
    neighbour = Rehearsed(tmp_path, "prod-eu")
    try:
        neighbour.take(NEIGHBOUR)
        neighbour.up()
        alone = everything(neighbour)
        stack = Rehearsed(tmp_path, "prod")
        stack.take(ALL)
        stack.up()
        assert tagging(stack) == {
            "ec2 CreateTags": 2,  # the default security groups, which come with their VPCs
            "route53 ChangeTagsForResource": 2,
            "s3 PutBucketTagging": 2,
        }
        stack.forget()
        gone: list[Left] = []
        assert sweep.delete(SCOPE, stack, deleted=gone.append, seconds=60, quiet=10) == ()
        for now, before in zip(everything(neighbour), alone, strict=True):
            assert now == before
        assert neighbour.up().changed == {}
        # Each kind that there is a row for was there, but for what ends with its machine.
        kinds = {kind.name for kind in sweep.KINDS} - {"instance", "network interface", "volume"}
        assert {each.kind for each in gone} - {"instance", "network interface", "volume"} == kinds
        assert max(Counter(gone).values()) == 1
        scope = Scope("prod-eu", REGION, SCOPE.account)
        assert sweep.delete(scope, neighbour, deleted=gone.append, seconds=60, quiet=10) == ()
        assert neighbour.contents() == []
        # A destroy that could not end can then: what is gone is no error.
        neighbour.destroy()
        assert not neighbour.stack.exists
    finally:
        neighbour.end()


def test_an_existing_network_stays(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    tags = [{"ResourceType": "natgateway", "Tags": [OTHERS]}]
    ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private", TagSpecifications=tags)
    theirs = ec2.create_security_group(GroupName="theirs", Description="theirs", VpcId=vpc)
    before = cloud.contents()
    ours = create_group(ec2, vpc, "dask-prod-worker")
    other = create_group(ec2, vpc, "dask-prod-scheduler")
    # Each is named by the other one, and one by itself.
    for group, source in ((ours, other), (other, ours), (ours, ours)):
        pairs = [{"GroupId": source}]
        ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": pairs}]
        )
    assert cloud.found() == [("security group", ours), ("security group", other)]
    gone, left = cloud.sweep()
    assert left == []
    assert {each.id for each in gone} == {ours, other}
    assert cloud.contents() == before
    assert theirs["GroupId"] in {item.id for item in before}


def test_names_alone_prove_nothing(cloud: Cloud) -> None:
    """All of these are named as ours, and are another cluster's by their tag, or nobody's."""
    iam, s3 = cloud.client("iam"), cloud.client("s3")
    iam.create_role(RoleName="dask-prod-eu-worker", AssumeRolePolicyDocument="{}", Tags=[OTHERS])
    iam.create_role(RoleName="dask-prod-worker-mine", AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName="dask-prod-eu-worker", Tags=[OTHERS])
    iam.create_policy(PolicyName="dask-prod-eu-connect", PolicyDocument=POLICY, Tags=[OTHERS])
    cloud.client("logs").create_log_group(
        logGroupName="/dask-cluster/prod-eu", tags={"dask-cluster": "prod-eu"}
    )
    cloud.client("ssm").put_parameter(Name="/dask-cluster/prod/mine", Value="x", Type="String")
    cloud.client("sns").create_topic(Name="dask-prod-eu-1234567", Tags=[OTHERS])
    cloud.client("cloudwatch").put_metric_alarm(**ALARM, Tags=[OTHERS])
    cloud.client("secretsmanager").create_secret(
        Name="dask-prod-eu-client", SecretString="x", Tags=[OTHERS]
    )
    route53 = cloud.client("route53")
    route53.create_hosted_zone(Name="prod-eu.dask-cluster.internal", CallerReference="1")
    cloud.client("budgets").create_budget(
        AccountId=SCOPE.account, Budget=BUDGET, ResourceTags=[OTHERS]
    )
    create_bucket(s3, "dask-prod-eu-1234567", OTHERS)
    before = cloud.contents()
    assert len(before) > 10
    assert cloud.found() == []
    assert cloud.sweep() == ([], [])
    assert cloud.contents() == before


def test_tags_alone_prove_nothing_of_data(cloud: Cloud) -> None:
    """People tag what a cluster works on, to see its costs."""
    create_bucket(cloud.client("s3"), "our-measurements", TAG)
    name = {"Key": "Name", "Value": "measurements"}
    cloud.client("efs").create_file_system(CreationToken="1", Tags=[TAG, name])
    create_lustre(cloud, [TAG])
    cloud.client("ec2").create_volume(
        AvailabilityZone="us-east-2a", Size=1, TagSpecifications=tags_of("volume")
    )
    cloud.client("secretsmanager").create_secret(Name="database", SecretString="x", Tags=[TAG])
    before = cloud.contents()
    assert len(before) >= 5
    assert cloud.sweep() == ([], [])
    assert cloud.contents() == before


def test_what_was_cut_off_before_it_could_be_tagged(cloud: Cloud) -> None:
    s3 = cloud.client("s3")
    for name in ("dask-prod-1a2b3c4", "dask-prod-5d6e7f8", "dask-prod-data"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="dask-prod-5d6e7f8", Key="something", Body=b"of somebody")
    cloud.client("route53").create_hosted_zone(
        Name="prod.dask-cluster.internal", CallerReference="1"
    )
    assert {kind for kind, _ in cloud.found()} == {"hosted zone", "bucket"}
    gone, left = cloud.sweep()
    assert left == []
    assert [each.id for each in gone][1:] == ["dask-prod-1a2b3c4"]
    assert {item.id for item in cloud.contents()} == {
        "dask-prod-5d6e7f8",
        "dask-prod-5d6e7f8/something",
        "dask-prod-data",
    }


def test_a_volume_that_outlived_its_machine(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    name = {"Key": "Name", "Value": "dask-prod-worker"}
    volume = ec2.create_volume(
        AvailabilityZone="us-east-2a",
        Size=1,
        TagSpecifications=[{"ResourceType": "volume", "Tags": [TAG, name]}],
    )["VolumeId"]
    assert cloud.found() == [("volume", volume)]
    assert cloud.sweep()[1] == []
    assert cloud.contents() == []


def test_what_goes_with_its_owner(cloud: Cloud) -> None:
    """More than a page of objects, and of versions; records; policies of both sorts."""
    iam, s3 = cloud.client("iam"), cloud.client("s3")
    iam.create_role(RoleName="dask-prod-worker-1", AssumeRolePolicyDocument="{}", Tags=[TAG])
    iam.put_role_policy(RoleName="dask-prod-worker-1", PolicyName="p", PolicyDocument=POLICY)
    iam.create_instance_profile(InstanceProfileName="dask-prod-worker-1", Tags=[TAG])
    iam.add_role_to_instance_profile(
        InstanceProfileName="dask-prod-worker-1", RoleName="dask-prod-worker-1"
    )
    managed = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    iam.attach_role_policy(RoleName="dask-prod-worker-1", PolicyArn=managed)
    arn = iam.create_policy(PolicyName="dask-prod-connect-1", PolicyDocument=POLICY, Tags=[TAG])
    arn = arn["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=POLICY, SetAsDefault=True)
    create_bucket(s3, "dask-prod-1234567", TAG)
    s3.put_bucket_versioning(
        Bucket="dask-prod-1234567", VersioningConfiguration={"Status": "Enabled"}
    )
    for _ in range(3):
        s3.put_object(Bucket="dask-prod-1234567", Key="archive", Body=b"x")
    s3.delete_object(Bucket="dask-prod-1234567", Key="archive")
    assert cloud.sweep()[1] == []
    assert cloud.contents() == []


def test_a_refusal_is_named(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    arn = iam.create_policy(PolicyName="dask-prod-connect-1", PolicyDocument=POLICY, Tags=[TAG])
    arn = arn["Policy"]["Arn"]
    iam.create_user(UserName="ada")
    iam.attach_user_policy(UserName="ada", PolicyArn=arn)
    cloud.client("sns").create_topic(Name="dask-prod-1234567", Tags=[TAG])
    gone, (refused,) = cloud.sweep(quiet=0.5)
    assert [each.kind for each in gone] == ["topic"]
    assert (refused.left.kind, refused.left.id) == ("policy", arn)
    assert "DeleteConflict" in refused.why
    iam.detach_user_policy(UserName="ada", PolicyArn=arn)
    assert cloud.sweep()[1] == []


def test_a_kind_that_cannot_be_looked_for(cloud: Cloud) -> None:
    cloud.client("sns").create_topic(Name="dask-prod-1234567", Tags=[TAG])
    fault = {"service": "fsx", "operation": "*", "error": "denied", "times": 1000}
    cloud.ask("POST", "faults", [fault])
    gone, (refused,) = cloud.sweep(quiet=0.5)
    assert [each.kind for each in gone] == ["topic"]
    assert (refused.left.kind, refused.left.id) == ("Lustre file system", "all of them")
    assert "AccessDeniedException" in refused.why


def test_what_holds_a_network_is_waited_for(cloud: Cloud) -> None:
    """A file system's mount targets are gone some time after the call that deletes them."""
    ec2, efs = cloud.client("ec2"), cloud.client("efs")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=tags_of("vpc"))["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(
        VpcId=vpc, CidrBlock="10.9.1.0/24", TagSpecifications=tags_of("subnet")
    )["Subnet"]["SubnetId"]
    name = {"Key": "Name", "Value": "dask-prod-scratch"}
    made = efs.create_file_system(CreationToken="1", Tags=[TAG, name])["FileSystemId"]
    efs.create_mount_target(FileSystemId=made, SubnetId=subnet)
    gateway = ec2.create_internet_gateway(TagSpecifications=tags_of("internet-gateway"))
    gateway = gateway["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    # These come with the VPC, and go with it.
    where = [{"Name": "vpc-id", "Values": [vpc]}]
    group = ec2.describe_security_groups(Filters=where)["SecurityGroups"][0]["GroupId"]
    table = ec2.describe_route_tables(Filters=where)["RouteTables"][0]["RouteTableId"]
    ec2.create_tags(Resources=[group, table], Tags=[TAG])
    gone, left = cloud.sweep()
    assert left == []
    kinds = ["EFS file system", "subnet", "internet gateway", "VPC"]
    assert sorted(each.kind for each in gone) == sorted(kinds)
    assert cloud.contents() == []


@pytest.mark.parametrize("ending", [False, True])
def test_what_is_listed_for_a_while_after_its_end(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, *, ending: bool
) -> None:
    listings = iter([[Found("a")], [Found("a", ending)], []])
    calls: list[str] = []
    kind = Kind("thing", "sts", lambda _c, _s: next(listings), lambda _c, i: calls.append(i))
    monkeypatch.setattr(sweep, "KINDS", (kind,))
    assert cloud.sweep() == ([Left("thing", "a")], [])
    assert calls == (["a"] if ending else ["a", "a"])


@pytest.mark.parametrize("ending", [False, True])
def test_what_never_goes(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, *, ending: bool) -> None:
    kind = Kind("thing", "sts", lambda _c, _s: [Found("a", ending)], lambda _c, _i: None)
    monkeypatch.setattr(sweep, "KINDS", (kind,))
    _, (refused,) = cloud.sweep(seconds=0.3, quiet=0.2)
    assert (refused.left, refused.why[:27]) == (Left("thing", "a"), "it has been told to go, and")


def test_an_endpoint_that_outlived_its_route_table(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    service = f"com.amazonaws.{REGION}.s3"
    tags = tags_of("vpc-endpoint")
    ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=service, RouteTableIds=[table], TagSpecifications=tags
    )
    ec2.delete_route_table(RouteTableId=table)
    gone, left = cloud.sweep()
    assert ([each.kind for each in gone], left) == (["VPC endpoint"], [])
