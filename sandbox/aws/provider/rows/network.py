"""Networks: VPC and subnets."""

from typing import Final

from engine.values import Properties
from sandbox.aws.provider.calls import Create, Delete, Find
from sandbox.aws.provider.fields import (
    TAGS,
    flag,
    text,
)
from sandbox.aws.provider.rows.arns import ec2_arn
from sandbox.aws.provider.table import Job, Row
from sandbox.aws.provider.tags import ec2

_VPC: Final = Find(
    "describe_vpcs",
    {"VpcIds": ["{id}"]},
    "Vpcs[0]",
    gone=["InvalidVpcID.NotFound"],
    outputs={"arn": ec2_arn("vpc/{id}"), "dhcpOptionsId": "DhcpOptionsId", "ownerId": "OwnerId"},
)


_FLAGS: Final = {
    "enableDnsSupport": "enableDnsSupport",
    "enableDnsHostnames": "enableDnsHostnames",
    "enableNetworkAddressUsageMetrics": "enableNetworkAddressUsageMetrics",
}


def _read_vpc(job: Job) -> Properties | None:
    item = _VPC.item(job)
    if item is None:
        return None
    props = _VPC.props(job, item)
    for name, attribute in _FLAGS.items():
        said = job.call("describe_vpc_attribute", VpcId=job.id, Attribute=attribute)
        props[name] = (said.get(attribute[:1].upper() + attribute[1:]) or {}).get("Value", False)
    mine: Properties = {"Filters": [{"Name": "vpc-id", "Values": [job.id]}]}
    tables = job.call("describe_route_tables", **mine)["RouteTables"]
    groups = job.call("describe_security_groups", **mine)["SecurityGroups"]
    lists = job.call("describe_network_acls", **mine)["NetworkAcls"]
    main = [t["RouteTableId"] for t in tables if any(a.get("Main") for a in t["Associations"])]
    props |= {
        "mainRouteTableId": next(iter(main), ""),
        "defaultRouteTableId": next(iter(main), ""),
        "defaultSecurityGroupId": next(
            (g["GroupId"] for g in groups if g["GroupName"] == "default"), ""
        ),
        "defaultNetworkAclId": next((a["NetworkAclId"] for a in lists if a["IsDefault"]), ""),
        "ipv6AssociationId": "",
    }
    return props


def _set_vpc_flags(job: Job) -> None:
    # Hostnames need support, so support is switched on first and hostnames off first.
    names = sorted(_FLAGS, reverse=job.get("enableDnsSupport") is not False)
    for name in names:
        wanted = bool(job.get(name))
        before = job.olds.get(name, job.row.fields[name].default)
        if wanted != bool(before):
            key = name[:1].upper() + name[1:]
            change: Properties = {key: {"Value": wanted}}
            job.call("modify_vpc_attribute", VpcId=job.id, **change)


def _set_subnet(job: Job) -> None:
    simple = {
        "mapPublicIpOnLaunch": "MapPublicIpOnLaunch",
        "assignIpv6AddressOnCreation": "AssignIpv6AddressOnCreation",
        "enableResourceNameDnsARecordOnLaunch": "EnableResourceNameDnsARecordOnLaunch",
    }
    for name, key in simple.items():
        wanted = bool(job.get(name))
        if wanted != bool(job.olds.get(name)):
            change: Properties = {key: {"Value": wanted}}
            job.call("modify_subnet_attribute", SubnetId=job.id, **change)
    kind = job.news.get("privateDnsHostnameTypeOnLaunch")
    if kind and kind != job.olds.get("privateDnsHostnameTypeOnLaunch", "ip-name"):
        job.call("modify_subnet_attribute", SubnetId=job.id, PrivateDnsHostnameTypeOnLaunch=kind)


def _subnet_available(job: Job) -> None:
    def done() -> bool:
        found = job.call("describe_subnets", SubnetIds=[job.id])["Subnets"]
        return bool(found and found[0]["State"] == "available")

    job.wait(f"subnet {job.id} is available", done)
    _set_subnet(job)


ROWS: Final = {
    "aws:ec2/vpc:Vpc": Row(
        "ec2",
        {
            "cidrBlock": text(replace=True, computed=True),
            "instanceTenancy": text(replace=True, default="default"),
            "enableDnsSupport": flag("", default=True),
            "enableDnsHostnames": flag("", default=False),
            "enableNetworkAddressUsageMetrics": flag("", default=False),
            "tags": TAGS,
        },
        Create("create_vpc", "Vpc.VpcId"),
        _read_vpc,
        Delete("delete_vpc", {"VpcId": "{id}"}, ["InvalidVpcID.NotFound"], ["DependencyViolation"]),
        update=[_set_vpc_flags],
        ready=_set_vpc_flags,
        outputs=[
            "arn", "defaultNetworkAclId", "defaultRouteTableId", "defaultSecurityGroupId",
            "dhcpOptionsId", "ipv6AssociationId", "mainRouteTableId", "ownerId",
        ],
        tags=ec2("vpc"),
    ),
    "aws:ec2/subnet:Subnet": Row(
        "ec2",
        {
            "vpcId": text(replace=True, required=True),
            "cidrBlock": text(replace=True),
            "availabilityZone": text(replace=True, computed=True),
            "availabilityZoneId": text(replace=True, computed=True),
            "mapPublicIpOnLaunch": flag(default=False),
            "assignIpv6AddressOnCreation": flag(default=False),
            "enableResourceNameDnsARecordOnLaunch": flag("", default=False),
            "privateDnsHostnameTypeOnLaunch": text("", computed=True),
            "tags": TAGS,
        },
        Create(
            "create_subnet",
            "Subnet.SubnetId",
            only=["vpcId", "cidrBlock", "availabilityZone", "availabilityZoneId"],
        ),
        Find(
            "describe_subnets",
            {"SubnetIds": ["{id}"]},
            "Subnets[0]",
            gone=["InvalidSubnetID.NotFound"],
            outputs={
                "arn": ec2_arn("subnet/{id}"),
                "ownerId": "OwnerId",
                "ipv6CidrBlockAssociationId": "''",
                "enableResourceNameDnsARecordOnLaunch":
                    "PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsARecord || `false`",
                "privateDnsHostnameTypeOnLaunch":
                    "PrivateDnsNameOptionsOnLaunch.HostnameType || 'ip-name'",
            },
        ),
        Delete(
            "delete_subnet", {"SubnetId": "{id}"}, ["InvalidSubnetID.NotFound"],
            ["DependencyViolation"],
        ),
        update=[_set_subnet],
        ready=_subnet_available,
        outputs=["arn", "ipv6CidrBlockAssociationId", "ownerId"],
        tags=ec2("subnet"),
    ),
}  # fmt: skip
