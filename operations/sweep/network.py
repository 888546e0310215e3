"""The network, from what stands in it to the VPC itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.sweep.kinds import TAG, Client, Kind, by_filter, pages

if TYPE_CHECKING:
    from collections.abc import Iterator

_GONE = frozenset({"deleted", "deleting"})


def _nat_gateways(client: Client, cluster: str) -> Iterator[str]:
    # They are listed for an hour after their end.
    filters = [{"Name": f"tag:{TAG}", "Values": [cluster]}]
    for item in pages(client, "describe_nat_gateways", "NatGateways", Filter=filters):
        if item["State"] != "deleted":
            yield item["NatGatewayId"]


def _endpoints(client: Client, cluster: str) -> Iterator[str]:
    filters = [{"Name": f"tag:{TAG}", "Values": [cluster]}]
    for item in pages(client, "describe_vpc_endpoints", "VpcEndpoints", Filters=filters):
        if item["State"].lower() not in _GONE:
            yield item["VpcEndpointId"]


def _route_tables(client: Client, cluster: str) -> Iterator[str]:
    filters = [{"Name": f"tag:{TAG}", "Values": [cluster]}]
    for table in pages(client, "describe_route_tables", "RouteTables", Filters=filters):
        if not any(each.get("Main") for each in table["Associations"]):
            yield table["RouteTableId"]


def _delete_route_table(client: Client, identifier: str) -> None:
    (table,) = client.describe_route_tables(RouteTableIds=[identifier])["RouteTables"]
    for each in table["Associations"]:
        client.disassociate_route_table(AssociationId=each["RouteTableAssociationId"])
    client.delete_route_table(RouteTableId=identifier)


def _security_groups(client: Client, cluster: str) -> Iterator[str]:
    filters = [{"Name": f"tag:{TAG}", "Values": [cluster]}]
    for group in pages(client, "describe_security_groups", "SecurityGroups", Filters=filters):
        # A VPC's default group goes with the VPC.
        if group["GroupName"] != "default":
            yield group["GroupId"]


def _delete_security_group(client: Client, identifier: str) -> None:
    """Delete a group after its own rules: they may name another one, which they would hold."""
    (group,) = client.describe_security_groups(GroupIds=[identifier])["SecurityGroups"]
    if group["IpPermissions"]:
        client.revoke_security_group_ingress(
            GroupId=identifier, IpPermissions=group["IpPermissions"]
        )
    if group["IpPermissionsEgress"]:
        client.revoke_security_group_egress(
            GroupId=identifier, IpPermissions=group["IpPermissionsEgress"]
        )
    client.delete_security_group(GroupId=identifier)


def _delete_internet_gateway(client: Client, identifier: str) -> None:
    (gateway,) = client.describe_internet_gateways(InternetGatewayIds=[identifier])[
        "InternetGateways"
    ]
    for each in gateway["Attachments"]:
        client.detach_internet_gateway(InternetGatewayId=identifier, VpcId=each["VpcId"])
    client.delete_internet_gateway(InternetGatewayId=identifier)


KINDS = (
    Kind(
        "flow log",
        "ec2",
        by_filter("describe_flow_logs", "FlowLogs", "FlowLogId"),
        lambda c, i: c.delete_flow_logs(FlowLogIds=[i]),
    ),
    Kind(
        "NAT gateway",
        "ec2",
        _nat_gateways,
        lambda c, i: c.delete_nat_gateway(NatGatewayId=i),
    ),
    Kind(
        "VPC endpoint",
        "ec2",
        _endpoints,
        lambda c, i: c.delete_vpc_endpoints(VpcEndpointIds=[i]),
    ),
    Kind(
        "network interface",
        "ec2",
        by_filter("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
        lambda c, i: c.delete_network_interface(NetworkInterfaceId=i),
    ),
    Kind(
        "volume",
        "ec2",
        by_filter("describe_volumes", "Volumes", "VolumeId"),
        lambda c, i: c.delete_volume(VolumeId=i),
    ),
    Kind(
        "elastic IP address",
        "ec2",
        by_filter("describe_addresses", "Addresses", "AllocationId"),
        lambda c, i: c.release_address(AllocationId=i),
    ),
    Kind("route table", "ec2", _route_tables, _delete_route_table),
    Kind(
        "subnet",
        "ec2",
        by_filter("describe_subnets", "Subnets", "SubnetId"),
        lambda c, i: c.delete_subnet(SubnetId=i),
    ),
    Kind(
        "internet gateway",
        "ec2",
        by_filter("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        _delete_internet_gateway,
    ),
    Kind("security group", "ec2", _security_groups, _delete_security_group),
    Kind(
        "VPC",
        "ec2",
        by_filter("describe_vpcs", "Vpcs", "VpcId"),
        lambda c, i: c.delete_vpc(VpcId=i),
    ),
)
