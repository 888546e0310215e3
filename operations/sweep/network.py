"""The network, from what stands in it to the VPC itself."""

from __future__ import annotations

from typing import Any

from operations.sweep.kinds import Client, Kind, by_filter, pages
from operations.sweeping import UnsuccessfulError


def _all_done(answer: dict[str, Any]) -> None:
    """Refuse an answer that names something which was not deleted.

    Raises:
        UnsuccessfulError: With AWS's words.
    """
    for item in answer.get("Unsuccessful", ()):
        error = item["Error"]
        raise UnsuccessfulError(f"{error.get('Code')}: {error.get('Message')}")


def _is_main(table: dict[str, Any]) -> bool:
    return any(each.get("Main") for each in table["Associations"])


def _delete_route_table(client: Client, identifier: str) -> None:
    (table,) = client.describe_route_tables(RouteTableIds=[identifier])["RouteTables"]
    for each in table["Associations"]:
        client.disassociate_route_table(AssociationId=each["RouteTableAssociationId"])
    client.delete_route_table(RouteTableId=identifier)


def _delete_security_group(client: Client, identifier: str) -> None:
    """Delete a group after its own rules: they may name another one, which they would hold."""
    where = [{"Name": "group-id", "Values": [identifier]}]
    rules = list(
        pages(client, "describe_security_group_rules", "SecurityGroupRules", Filters=where)
    )
    outward = [rule["SecurityGroupRuleId"] for rule in rules if rule["IsEgress"]]
    inward = [rule["SecurityGroupRuleId"] for rule in rules if not rule["IsEgress"]]
    if outward:
        client.revoke_security_group_egress(GroupId=identifier, SecurityGroupRuleIds=outward)
    if inward:
        client.revoke_security_group_ingress(GroupId=identifier, SecurityGroupRuleIds=inward)
    client.delete_security_group(GroupId=identifier)


def _delete_internet_gateway(client: Client, identifier: str) -> None:
    found = client.describe_internet_gateways(InternetGatewayIds=[identifier])
    for each in found["InternetGateways"][0]["Attachments"]:
        client.detach_internet_gateway(InternetGatewayId=identifier, VpcId=each["VpcId"])
    client.delete_internet_gateway(InternetGatewayId=identifier)


KINDS = (
    Kind(
        "flow log",
        "ec2",
        by_filter("describe_flow_logs", "FlowLogs", "FlowLogId", filters="Filter"),
        lambda c, i: _all_done(c.delete_flow_logs(FlowLogIds=[i])),
    ),
    Kind(
        "NAT gateway",
        "ec2",
        by_filter(
            "describe_nat_gateways",
            "NatGateways",
            "NatGatewayId",
            ending=lambda item: item["State"] == "deleting",
            gone=lambda item: item["State"] == "deleted",  # listed for an hour more
            filters="Filter",
        ),
        lambda c, i: c.delete_nat_gateway(NatGatewayId=i),
    ),
    Kind(
        "VPC endpoint",
        "ec2",
        by_filter(
            "describe_vpc_endpoints",
            "VpcEndpoints",
            "VpcEndpointId",
            ending=lambda item: item["State"].lower() == "deleting",
            gone=lambda item: item["State"].lower() == "deleted",
        ),
        lambda c, i: _all_done(c.delete_vpc_endpoints(VpcEndpointIds=[i])),
    ),
    Kind(
        "network interface",
        "ec2",
        by_filter("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
        lambda c, i: c.delete_network_interface(NetworkInterfaceId=i),
    ),
    Kind(
        "elastic IP address",
        "ec2",
        by_filter("describe_addresses", "Addresses", "AllocationId"),
        lambda c, i: c.release_address(AllocationId=i),
    ),
    Kind(
        "subnet",
        "ec2",
        by_filter("describe_subnets", "Subnets", "SubnetId"),
        lambda c, i: c.delete_subnet(SubnetId=i),
    ),
    Kind(
        "route table",
        "ec2",
        by_filter("describe_route_tables", "RouteTables", "RouteTableId", gone=_is_main),
        _delete_route_table,
    ),
    Kind(
        "internet gateway",
        "ec2",
        by_filter("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        _delete_internet_gateway,
    ),
    Kind(
        "security group",
        "ec2",
        by_filter(
            "describe_security_groups",
            "SecurityGroups",
            "GroupId",
            # A VPC's default group, which the program empties and tags, goes with the VPC.
            gone=lambda item: item["GroupName"] == "default",
        ),
        _delete_security_group,
    ),
    Kind(
        "VPC",
        "ec2",
        by_filter("describe_vpcs", "Vpcs", "VpcId"),
        lambda c, i: c.delete_vpc(VpcId=i),
    ),
)
