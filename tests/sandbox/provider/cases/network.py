"""Networks."""

from __future__ import annotations

from tests.sandbox.provider.cases.case import Call, Case

TAG = {"Key": "dask-cluster", "Value": "dev"}
ARN = "arn:aws:ec2:us-east-1:${account}"
SPEC = "Tags[?Key!='nothing'] | sort_by(@, &Key)"

CASES = [
    Case(
        "vpc",
        "ec2.Vpc",
        {"cidr_block": "10.0.0.0/16", "enable_dns_hostnames": True, "tags": {"Name": "net"}},
        Call(
            "ec2",
            "describe_vpcs",
            {"VpcIds": ["${vpc.id}"]},
            f"Vpcs[0].{{cidr: CidrBlock, tenancy: InstanceTenancy, tags: {SPEC}}}",
        ),
        {
            "cidr": "10.0.0.0/16",
            "tenancy": "default",
            "tags": [{"Key": "Name", "Value": "net"}, TAG],
        },
        then={"enable_dns_hostnames": False, "tags": {"Name": "net", "more": "1"}},
        had={"tags": [{"Key": "Name", "Value": "net"}, TAG, {"Key": "more", "Value": "1"}]},
        by_hand=(
            Call(
                "ec2",
                "modify_vpc_attribute",
                {"VpcId": "${vpc.id}", "EnableDnsHostnames": {"Value": True}},
            ),
        ),
        seen=("enableDnsHostnames",),
        replacing={"cidrBlock": "10.1.0.0/16", "instanceTenancy": "dedicated"},
    ),
    Case(
        "subnet",
        "ec2.Subnet",
        {
            "vpc_id": "${vpc.id}",
            "cidr_block": "10.0.0.0/24",
            "availability_zone": "us-east-1a",
        },
        Call(
            "ec2",
            "describe_subnets",
            {"SubnetIds": ["${subnet.id}"]},
            "Subnets[0].{vpc: VpcId, cidr: CidrBlock, zone: AvailabilityZone, "
            "public: MapPublicIpOnLaunch, tags: Tags}",
        ),
        {
            "vpc": "${vpc.id}",
            "cidr": "10.0.0.0/24",
            "zone": "us-east-1a",
            "public": False,
            "tags": [TAG],
        },
        then={"map_public_ip_on_launch": True},
        had={"public": True},
        by_hand=(
            Call(
                "ec2",
                "modify_subnet_attribute",
                {"SubnetId": "${subnet.id}", "MapPublicIpOnLaunch": {"Value": False}},
            ),
        ),
        seen=("mapPublicIpOnLaunch",),
        replacing={
            "vpcId": "vpc-other",
            "cidrBlock": "10.0.9.0/24",
            "availabilityZone": "us-east-1b",
            "availabilityZoneId": "use1-az9",
        },
    ),
    Case(
        "gateway",
        "ec2.InternetGateway",
        {"vpc_id": "${vpc.id}"},
        Call(
            "ec2",
            "describe_internet_gateways",
            {"InternetGatewayIds": ["${gateway.id}"]},
            "InternetGateways[0].{vpc: Attachments[0].VpcId, tags: sort_by(Tags, &Key)}",
        ),
        {"vpc": "${vpc.id}", "tags": [TAG]},
        then={"tags": {"a": "b"}},
        had={"tags": [{"Key": "a", "Value": "b"}, TAG]},
        by_hand=(
            Call("ec2", "delete_tags", {"Resources": ["${gateway.id}"], "Tags": [{"Key": "a"}]}),
        ),
        seen=("tags.a",),
    ),
    Case(
        "address",
        "ec2.Eip",
        {"domain": "vpc", "tags": {"a": "b"}},
        Call(
            "ec2",
            "describe_addresses",
            {"AllocationIds": ["${address.id}"]},
            "Addresses[0].{domain: Domain, ip: PublicIp, tags: sort_by(Tags, &Key)}",
        ),
        {
            "domain": "vpc",
            "ip": "${address.public_ip}",
            "tags": [{"Key": "a", "Value": "b"}, TAG],
        },
        then={"tags": None},
        had={"tags": [TAG]},
        by_hand=(
            Call(
                "ec2",
                "create_tags",
                {"Resources": ["${address.id}"], "Tags": [{"Key": "x", "Value": "y"}]},
            ),
        ),
        seen=("tags",),
        replacing={
            "domain": "standard",
            "address": "1.2.3.4",
            "publicIpv4Pool": "pool-1",
            "networkBorderGroup": "elsewhere",
        },
        by_others=("associationId", "networkInterface", "privateIp", "privateDns"),
    ),
    Case(
        "nat",
        "ec2.NatGateway",
        {"subnet_id": "${subnet.id}", "allocation_id": "${address.id}"},
        Call(
            "ec2",
            "describe_nat_gateways",
            {"NatGatewayIds": ["${nat.id}"]},
            "NatGateways[0].{subnet: SubnetId, kind: ConnectivityType, state: State, "
            "ip: NatGatewayAddresses[0].AllocationId, tags: sort_by(Tags, &Key)}",
        ),
        {
            "subnet": "${subnet.id}",
            "kind": "public",
            "state": "available",
            "ip": "${address.id}",
            "tags": [TAG],
        },
        then={"tags": {"a": "b"}},
        had={"tags": [{"Key": "a", "Value": "b"}, TAG]},
        by_hand=(Call("ec2", "delete_tags", {"Resources": ["${nat.id}"], "Tags": [{"Key": "a"}]}),),
        seen=("tags.a",),
        replacing={
            "subnetId": "subnet-other",
            "allocationId": "eipalloc-other",
            "connectivityType": "private",
            "privateIp": "10.0.0.77",
        },
    ),
]
