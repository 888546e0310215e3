"""The network of a cluster: private subnets and a way out, in a new VPC or an existing one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi_aws import ec2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.settings import Vpc


@dataclass(frozen=True)
class Network:
    """Where the machines of a cluster are.

    Attributes:
        vpc_id: The VPC.
        subnet_ids: Private subnets, one for each zone.
        ready: Resources without which a machine has no way out; a machine depends on them.
    """

    vpc_id: pulumi.Output[str]
    subnet_ids: list[pulumi.Output[str]]
    ready: Sequence[pulumi.Resource] = ()


def existing(vpc_id: str, subnet_ids: Sequence[str]) -> Network:
    """Return a VPC that is used as it is: nothing in it is created or changed."""
    return Network(
        pulumi.Output.from_input(vpc_id), list(map(pulumi.Output.from_input, subnet_ids))
    )


class NewNetwork(pulumi.ComponentResource):
    """A VPC of its own: a private subnet in each zone, NAT, and S3 by a free gateway endpoint.

    No machine in it has a public address, and its default security group allows nothing.

    Attributes:
        network: What machines need of it.
    """

    network: Network

    def __init__(
        self,
        name: str,
        *,
        vpc: Vpc,
        region: str,
        nat_per_zone: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the network.

        Args:
            name: Prefix of its resources' names.
            vpc: Range and zones.
            region: Region of the S3 endpoint.
            nat_per_zone: A NAT gateway in each zone instead of one for all: it goes on when a zone
                fails, and no traffic to it crosses zones; each costs as much as the first.
            opts: Resource options.
        """
        super().__init__("dask-cluster:aws:Network", name, None, opts)
        self._prefix = name
        self._ranges = vpc
        self._child = pulumi.ResourceOptions(parent=self)
        self._vpc = self._create_vpc(vpc.cidr)
        exits = self._create_nat_gateways(vpc.zones if nat_per_zone else vpc.zones[:1])
        private = [
            self._create_private_subnet(zone, exits.get(zone, exits[vpc.zones[0]]))
            for zone in vpc.zones
        ]
        endpoint = self._create_s3_endpoint(region, [table for _, table, _ in private])
        self.network = Network(
            vpc_id=self._vpc.id,
            subnet_ids=[subnet.id for subnet, _, _ in private],
            ready=[endpoint, *(each for _, _, ready in private for each in ready)],
        )
        self.register_outputs({"vpcId": self._vpc.id})

    def _named(self, part: str) -> dict[str, str]:
        return {"Name": f"{self._prefix}-{part}"}

    def _create_vpc(self, cidr: str) -> ec2.Vpc:
        vpc = ec2.Vpc(
            self._prefix,
            cidr_block=cidr,
            # A private zone, and the names of EFS and Lustre, need both.
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags={"Name": self._prefix},
            opts=self._child,
        )
        # Without rules: whoever forgets to name a group gets a machine that hears nobody.
        ec2.DefaultSecurityGroup(
            f"{self._prefix}-default",
            vpc_id=vpc.id,
            ingress=[],
            egress=[],
            tags=self._named("default"),
            opts=self._child,
        )
        return vpc

    def _create_nat_gateways(self, zones: Sequence[str]) -> dict[str, ec2.NatGateway]:
        """Create public subnets with a NAT gateway each; return the gateways by zone."""
        gateway = ec2.InternetGateway(
            self._prefix, vpc_id=self._vpc.id, tags={"Name": self._prefix}, opts=self._child
        )
        table = ec2.RouteTable(
            f"{self._prefix}-public",
            vpc_id=self._vpc.id,
            tags=self._named("public"),
            opts=self._child,
        )
        route = ec2.Route(
            f"{self._prefix}-public",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=self._child,
        )
        return {zone: self._create_nat_gateway(zone, table, route) for zone in zones}

    def _create_nat_gateway(
        self, zone: str, table: ec2.RouteTable, route: ec2.Route
    ) -> ec2.NatGateway:
        part = f"public-{zone}"
        subnet = ec2.Subnet(
            f"{self._prefix}-{part}",
            vpc_id=self._vpc.id,
            cidr_block=self._ranges.public_subnets[zone],
            availability_zone=zone,
            map_public_ip_on_launch=False,
            tags=self._named(part),
            opts=self._child,
        )
        association = ec2.RouteTableAssociation(
            f"{self._prefix}-{part}", subnet_id=subnet.id, route_table_id=table.id, opts=self._child
        )
        address = ec2.Eip(
            f"{self._prefix}-nat-{zone}",
            domain="vpc",
            tags=self._named(f"nat-{zone}"),
            # Its address can only be released while the VPC has its internet gateway.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[route]),
        )
        return ec2.NatGateway(
            f"{self._prefix}-{zone}",
            allocation_id=address.id,
            subnet_id=subnet.id,
            tags=self._named(zone),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[route, association]),
        )

    def _create_private_subnet(
        self, zone: str, nat: ec2.NatGateway
    ) -> tuple[ec2.Subnet, ec2.RouteTable, list[pulumi.Resource]]:
        part = f"private-{zone}"
        name = f"{self._prefix}-{part}"
        subnet = ec2.Subnet(
            name,
            vpc_id=self._vpc.id,
            cidr_block=self._ranges.private_subnets[zone],
            availability_zone=zone,
            map_public_ip_on_launch=False,
            tags=self._named(part),
            opts=self._child,
        )
        table = ec2.RouteTable(name, vpc_id=self._vpc.id, tags=self._named(part), opts=self._child)
        route = ec2.Route(
            name,
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            nat_gateway_id=nat.id,
            opts=self._child,
        )
        association = ec2.RouteTableAssociation(
            name, subnet_id=subnet.id, route_table_id=table.id, opts=self._child
        )
        return subnet, table, [route, association]

    def _create_s3_endpoint(self, region: str, tables: Sequence[ec2.RouteTable]) -> ec2.VpcEndpoint:
        """Create the way to S3 that costs nothing: by NAT every GB read would be paid for."""
        return ec2.VpcEndpoint(
            f"{self._prefix}-s3",
            vpc_id=self._vpc.id,
            service_name=f"com.amazonaws.{region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id for table in tables],
            tags=self._named("s3"),
            opts=self._child,
        )
