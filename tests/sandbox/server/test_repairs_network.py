"""Networks: what is refused as long as something needs it, and NAT gateways."""

from __future__ import annotations

import pytest

from tests.sandbox.server.account import Account, refused, until


@pytest.fixture
def network(account: Account) -> tuple[str, str]:
    vpc = account.vpc()
    return vpc, account.subnet(vpc)


def rule(account: Account, group: str, other: str, *, egress: bool = False) -> str:
    pair = {"GroupId": other, "Description": "why"}
    rows = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [pair]}]
    method = "authorize_security_group_egress" if egress else "authorize_security_group_ingress"
    made = getattr(account.ec2, method)(GroupId=group, IpPermissions=rows)
    return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])


@pytest.mark.parametrize("egress", [False, True])
def test_a_security_group_that_rules_name_stays(
    account: Account, network: tuple[str, str], *, egress: bool
) -> None:
    one, two = (account.security_group(network[0], name) for name in "ab")
    made = rule(account, one, two, egress=egress)
    rule(account, two, two)
    delete = account.ec2.delete_security_group
    assert "dependent object" in refused("DependencyViolation", delete, GroupId=two)
    revoke = "revoke_security_group_egress" if egress else "revoke_security_group_ingress"
    getattr(account.ec2, revoke)(GroupId=one, SecurityGroupRuleIds=[made])
    delete(GroupId=two)


def test_a_rule_keeps_its_description(account: Account, network: tuple[str, str]) -> None:
    group = account.security_group(network[0])
    made = rule(account, group, group)
    found = account.ec2.describe_security_group_rules(SecurityGroupRuleIds=[made])
    assert found["SecurityGroupRules"][0]["Description"] == "why"


def test_a_security_group_in_use_stays(account: Account, network: tuple[str, str]) -> None:
    group = account.security_group(network[0])
    delete = account.ec2.delete_security_group
    eni = account.ec2.create_network_interface(SubnetId=network[1], Groups=[group])
    refused("DependencyViolation", delete, GroupId=group)
    subnet = account.ec2.delete_subnet
    refused("DependencyViolation", subnet, SubnetId=network[1])
    account.ec2.delete_network_interface(
        NetworkInterfaceId=eni["NetworkInterface"]["NetworkInterfaceId"]
    )
    subnet(SubnetId=network[1])
    delete(GroupId=group)
    wanted = [{"Name": "vpc-id", "Values": [network[0]]}]
    default = account.ec2.describe_security_groups(Filters=wanted)["SecurityGroups"][0]["GroupId"]
    refused("CannotDelete", delete, GroupId=default)


def test_a_nat_gateway_holds_its_subnet_and_address(
    account: Account, network: tuple[str, str]
) -> None:
    ec2 = account.ec2
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=network[0])
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = ec2.create_nat_gateway(SubnetId=network[1], AllocationId=address)["NatGateway"]
    assert made["State"] == "pending"
    nat = made["NatGatewayId"]

    def state() -> str:
        found = ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0]
        return str(found["State"])

    until(lambda: state() == "available", state)
    assert made["NatGatewayAddresses"][0]["PrivateIp"].startswith("10.0.")
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=network[1])
    refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=address)
    detach = {"InternetGatewayId": gateway, "VpcId": network[0]}
    refused("DependencyViolation", ec2.detach_internet_gateway, **detach)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    until(lambda: state() == "deleted", state)
    ec2.release_address(AllocationId=address)
    ec2.detach_internet_gateway(**detach)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_subnet(SubnetId=network[1])
    ec2.delete_vpc(VpcId=network[0])
    assert account.contents() == []
    refused("NatGatewayNotFound", ec2.delete_nat_gateway, NatGatewayId="nat-0")


def test_a_vpc_with_anything_in_it_stays(account: Account, network: tuple[str, str]) -> None:
    ec2, vpc = account.ec2, network[0]

    def stays() -> None:
        assert vpc in refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc)

    stays()
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=network[1])
    # The association goes with the subnet.
    ec2.delete_subnet(SubnetId=network[1])
    stays()
    ec2.delete_route_table(RouteTableId=table)
    group = account.security_group(vpc)
    stays()
    ec2.delete_security_group(GroupId=group)
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    stays()
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    end = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3")
    stays()
    ec2.delete_vpc_endpoints(VpcEndpointIds=[end["VpcEndpoint"]["VpcEndpointId"]])
    ec2.delete_vpc(VpcId=vpc)
    assert account.contents() == []


def test_an_instance_holds_its_network_until_it_is_gone(
    account: Account, network: tuple[str, str]
) -> None:
    made = account.ec2.run_instances(
        ImageId=account.image(),
        InstanceType="m7i.large",
        SubnetId=network[1],
        MinCount=1,
        MaxCount=1,
    )
    instance = made["Instances"][0]["InstanceId"]
    delete = account.ec2.delete_subnet
    refused("DependencyViolation", delete, SubnetId=network[1])
    account.ec2.terminate_instances(InstanceIds=[instance])
    refused("DependencyViolation", delete, SubnetId=network[1])

    def state() -> str:
        found = account.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]
        return str(found["Instances"][0]["State"]["Name"])

    assert state() == "shutting-down"
    until(lambda: state() == "terminated", state)
    delete(SubnetId=network[1])


def test_placement_groups(account: Account) -> None:
    ec2 = account.ec2
    tags = [{"Key": "k", "Value": "v"}]
    made = ec2.create_placement_group(
        GroupName="near",
        Strategy="cluster",
        TagSpecifications=[{"ResourceType": "placement-group", "Tags": tags}],
    )["PlacementGroup"]
    assert (made["State"], made["Tags"]) == ("available", tags)
    refused(
        "InvalidPlacementGroup.Duplicate",
        ec2.create_placement_group,
        GroupName="near",
        Strategy="cluster",
    )
    assert ec2.describe_placement_groups(GroupNames=["near"])["PlacementGroups"] == [made]
    refused("InvalidPlacementGroup.Unknown", ec2.describe_placement_groups, GroupNames=["far"])
    template = account.template(Placement={"GroupName": "near"})
    group = account.group(1, LaunchTemplate={"LaunchTemplateId": template, "Version": "1"}).settle(
        1
    )
    refused("InvalidPlacementGroup.InUse", ec2.delete_placement_group, GroupName="near")
    group.call("set_desired_capacity", DesiredCapacity=0)
    group.settle(0)
    ec2.delete_placement_group(GroupName="near")
    refused("InvalidPlacementGroup.Unknown", ec2.delete_placement_group, GroupName="near")
    assert "ec2:placement-group" not in account.kinds()


def test_instances_are_found_by_id_filter_and_page(account: Account) -> None:
    group = account.group(3).settle(3)
    ids = group.ids()
    found = account.ec2.describe_instances(InstanceIds=ids[:2])["Reservations"]
    assert {row["Instances"][0]["InstanceId"] for row in found} == set(ids[:2])
    wanted = [{"Name": "tag:aws:autoscaling:groupName", "Values": ["workers"]}]
    assert len(account.ec2.describe_instances(Filters=wanted)["Reservations"]) == 3
    none = [{"Name": "instance-state-name", "Values": ["stopped"]}]
    assert account.ec2.describe_instances(Filters=none)["Reservations"] == []
    pages = account.ec2.get_paginator("describe_instances").paginate(
        PaginationConfig={"PageSize": 2}
    )
    assert [len(page["Reservations"]) for page in pages] == [2, 1]
    refused("InvalidInstanceID.NotFound", account.ec2.describe_instances, InstanceIds=["i-0"])


def test_a_template_shows_the_data_that_it_was_given(account: Account) -> None:
    data = {"ImageId": account.image(), "InstanceType": "m7i.large"}
    kinds = [{"ResourceType": "launch-template", "Tags": [{"Key": "k", "Value": "v"}]}]
    made = account.ec2.create_launch_template(
        LaunchTemplateName="t", LaunchTemplateData=data, TagSpecifications=kinds
    )["LaunchTemplate"]
    assert made["Tags"] == [{"Key": "k", "Value": "v"}]
    found = account.ec2.describe_launch_template_versions(LaunchTemplateId=made["LaunchTemplateId"])
    assert found["LaunchTemplateVersions"][0]["LaunchTemplateData"] == data
