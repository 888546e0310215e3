"""Route tables and what uses them."""

from __future__ import annotations

from tests.sandbox.provider.cases.case import Call, Case

TAG = {"Key": "dask-cluster", "Value": "dev"}
ARN = "arn:aws:ec2:us-east-1:${account}"
SPEC = "Tags[?Key!='nothing'] | sort_by(@, &Key)"

CASES = [
    Case(
        "table",
        "ec2.RouteTable",
        {"vpc_id": "${vpc.id}"},
        Call(
            "ec2",
            "describe_route_tables",
            {"RouteTableIds": ["${table.id}"]},
            "RouteTables[0].{vpc: VpcId, tags: sort_by(Tags, &Key)}",
        ),
        {"vpc": "${vpc.id}", "tags": [TAG]},
        then={"tags": {"a": "b"}},
        had={"tags": [{"Key": "a", "Value": "b"}, TAG]},
        by_hand=(
            Call("ec2", "delete_tags", {"Resources": ["${table.id}"], "Tags": [{"Key": "a"}]}),
        ),
        seen=("tags.a",),
        replacing={"vpcId": "vpc-other"},
    ),
    Case(
        "inline",
        "ec2.RouteTable",
        {
            "vpc_id": "${vpc.id}",
            "routes": [{"cidr_block": "0.0.0.0/0", "gateway_id": "${gateway.id}"}],
        },
        Call(
            "ec2",
            "describe_route_tables",
            {"RouteTableIds": ["${inline.id}"]},
            "RouteTables[0].{routes: Routes[?GatewayId!='local'].DestinationCidrBlock}",
        ),
        {"routes": ["0.0.0.0/0"]},
        then={"routes": [{"cidr_block": "1.2.3.0/24", "gateway_id": "${gateway.id}"}]},
        had={"routes": ["1.2.3.0/24"]},
        by_hand=(
            Call(
                "ec2",
                "delete_route",
                {"RouteTableId": "${inline.id}", "DestinationCidrBlock": "1.2.3.0/24"},
            ),
        ),
        seen=("routes",),
        replacing={"vpcId": "vpc-other"},
    ),
    Case(
        "route",
        "ec2.Route",
        {
            "route_table_id": "${table.id}",
            "destination_cidr_block": "0.0.0.0/0",
            "nat_gateway_id": "${nat.id}",
        },
        Call(
            "ec2",
            "describe_route_tables",
            {"RouteTableIds": ["${table.id}"]},
            "RouteTables[0].Routes[?DestinationCidrBlock=='0.0.0.0/0'] | [0]"
            ".{nat: NatGatewayId, gateway: GatewayId}",
        ),
        {"nat": "${nat.id}", "gateway": None},
        then={"nat_gateway_id": None, "gateway_id": "${gateway.id}"},
        had={"nat": None, "gateway": "${gateway.id}"},
        by_hand=(
            Call(
                "ec2",
                "replace_route",
                {
                    "RouteTableId": "${table.id}",
                    "DestinationCidrBlock": "0.0.0.0/0",
                    "NatGatewayId": "${nat.id}",
                },
            ),
        ),
        seen=("gatewayId", "natGatewayId"),
        replacing={
            "routeTableId": "rtb-other",
            "destinationCidrBlock": "1.0.0.0/8",
            "destinationIpv6CidrBlock": "::/0",
            "destinationPrefixListId": "pl-1",
        },
    ),
    Case(
        "association",
        "ec2.RouteTableAssociation",
        {"route_table_id": "${table.id}", "subnet_id": "${subnet.id}"},
        Call(
            "ec2",
            "describe_route_tables",
            {"RouteTableIds": ["${table.id}"]},
            "RouteTables[0].Associations[].{subnet: SubnetId, id: RouteTableAssociationId}",
        ),
        [{"subnet": "${subnet.id}", "id": "${association.id}"}],
        replacing={"routeTableId": "rtb-other", "subnetId": "subnet-other", "gatewayId": "igw-1"},
    ),
    Case(
        "endpoint",
        "ec2.VpcEndpoint",
        {
            "vpc_id": "${vpc.id}",
            "service_name": "com.amazonaws.us-east-1.s3",
            "route_table_ids": ["${table.id}"],
        },
        Call(
            "ec2",
            "describe_vpc_endpoints",
            {"VpcEndpointIds": ["${endpoint.id}"]},
            "VpcEndpoints[0].{vpc: VpcId, service: ServiceName, kind: VpcEndpointType, "
            "tables: sort(RouteTableIds), tags: sort_by(Tags, &Key)}",
        ),
        {
            "vpc": "${vpc.id}",
            "service": "com.amazonaws.us-east-1.s3",
            "kind": "Gateway",
            "tables": ["${table.id}"],
            "tags": [TAG],
        },
        then={"tags": {"a": "b"}},
        had={"tags": [{"Key": "a", "Value": "b"}, TAG]},
        by_hand=(
            Call("ec2", "delete_tags", {"Resources": ["${endpoint.id}"], "Tags": [{"Key": "a"}]}),
        ),
        seen=("tags.a",),
        replacing={
            "vpcId": "vpc-other",
            "serviceName": "com.amazonaws.us-east-1.dynamodb",
            "vpcEndpointType": "Interface",
        },
    ),
    Case(
        "flows",
        "ec2.FlowLog",
        {
            "vpc_id": "${vpc.id}",
            "traffic_type": "REJECT",
            "log_destination": "${logs.arn}",
            "iam_role_arn": "${role.arn}",
            "max_aggregation_interval": 60,
        },
        Call(
            "ec2",
            "describe_flow_logs",
            {"FlowLogIds": ["${flows.id}"]},
            "FlowLogs[0].{on: ResourceId, kind: TrafficType, role: DeliverLogsPermissionArn, "
            "every: MaxAggregationInterval, tags: sort_by(Tags, &Key)}",
        ),
        {
            "on": "${vpc.id}",
            "kind": "REJECT",
            "role": "${role.arn}",
            "every": 60,
            "tags": [TAG],
        },
        then={"tags": {"a": "b"}},
        had={"tags": [{"Key": "a", "Value": "b"}, TAG]},
        by_hand=(
            Call("ec2", "delete_tags", {"Resources": ["${flows.id}"], "Tags": [{"Key": "a"}]}),
        ),
        seen=("tags.a",),
        replacing={
            "vpcId": "vpc-other",
            "subnetId": "subnet-1",
            "eniId": "eni-1",
            "trafficType": "ALL",
            "iamRoleArn": "arn:aws:iam::1:role/x",
            "logDestination": "arn:aws:logs:us-east-1:1:log-group:x",
            "logDestinationType": "s3",
            "logFormat": "${version}",
            "maxAggregationInterval": 600,
        },
    ),
]
