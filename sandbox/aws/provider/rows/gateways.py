"""Gateways of a network and their addresses."""

from typing import Final

from engine.values import Properties
from sandbox.aws.provider.calls import Create, Delete, Find
from sandbox.aws.provider.errors import ApiError
from sandbox.aws.provider.fields import (
    TAGS,
    text,
)
from sandbox.aws.provider.rows.arns import ec2_arn
from sandbox.aws.provider.table import Job, Row
from sandbox.aws.provider.tags import ec2


def _move_gateway(job: Job) -> None:
    old, new = job.olds.get("vpcId"), job.news.get("vpcId")
    if old and old != new:
        job.call("detach_internet_gateway", InternetGatewayId=job.id, VpcId=old)
    if new and old != new:
        job.call("attach_internet_gateway", InternetGatewayId=job.id, VpcId=new)


def _delete_gateway(job: Job) -> None:
    gone = ("InvalidInternetGatewayID.NotFound", "Gateway.NotAttached")
    if vpc := job.olds.get("vpcId"):
        try:
            job.retry(
                ["DependencyViolation"],
                "detach_internet_gateway",
                InternetGatewayId=job.id,
                VpcId=vpc,
            )
        except ApiError as error:
            if error.code not in gone:
                raise
    Delete(
        "delete_internet_gateway",
        {"InternetGatewayId": "{id}"},
        gone=gone,
        retry=["DependencyViolation"],
    )(job)


def _read_address(job: Job) -> Properties | None:
    find = Find(
        "describe_addresses",
        {"AllocationIds": ["{id}"]},
        "Addresses[0]",
        gone=["InvalidAllocationID.NotFound", "InvalidAddress.NotFound"],
        outputs={
            "allocationId": "AllocationId",
            "arn": ec2_arn("elastic-ip/{id}"),
            "associationId": "AssociationId || ''",
            "carrierIp": "CarrierIp || ''",
            "customerOwnedIp": "CustomerOwnedIp || ''",
            "privateIp": "PrivateIpAddress || ''",
            "publicIp": "PublicIp",
            "instance": "InstanceId || ''",
            "networkInterface": "NetworkInterfaceId || ''",
        },
    )
    props = find(job)
    if props is not None:
        zone = "compute-1" if job.region == "us-east-1" else f"{job.region}.compute"
        public, private = props["publicIp"].replace(".", "-"), props["privateIp"].replace(".", "-")
        inner = "ec2" if job.region == "us-east-1" else f"{job.region}.compute"
        props["publicDns"] = f"ec2-{public}.{zone}.amazonaws.com"
        props["privateDns"] = f"ip-{private}.{inner}.internal" if private else ""
        props["ptrRecord"] = ""
    return props


def _nat_available(job: Job) -> None:
    def done() -> bool:
        state = job.call("describe_nat_gateways", NatGatewayIds=[job.id])["NatGateways"][0]
        if state["State"] == "failed":
            raise ApiError(
                "CreateNatGateway", state.get("FailureCode", "?"), state.get("FailureMessage", "")
            )
        return bool(state["State"] == "available")

    job.wait(f"NAT gateway {job.id} is available", done)


ROWS: Final = {
    "aws:ec2/internetGateway:InternetGateway": Row(
        "ec2",
        {"vpcId": text("", computed=True), "tags": TAGS},
        Create("create_internet_gateway", "InternetGateway.InternetGatewayId"),
        Find(
            "describe_internet_gateways",
            {"InternetGatewayIds": ["{id}"]},
            "InternetGateways[0]",
            gone=["InvalidInternetGatewayID.NotFound"],
            outputs={
                "arn": ec2_arn("internet-gateway/{id}"),
                "ownerId": "OwnerId",
                "vpcId": "Attachments[0].VpcId || ''",
            },
        ),
        _delete_gateway,
        update=[_move_gateway],
        ready=_move_gateway,
        outputs=["arn", "ownerId"],
        tags=ec2("internet-gateway"),
    ),
    "aws:ec2/eip:Eip": Row(
        "ec2",
        {
            "domain": text(replace=True, computed=True, default="vpc"),
            "address": text(replace=True),
            "publicIpv4Pool": text(replace=True, computed=True),
            "networkBorderGroup": text(replace=True, computed=True),
            "instance": text("", computed=True),
            "networkInterface": text("", computed=True),
            "tags": TAGS,
        },
        Create("allocate_address", "AllocationId", more={"Domain": "vpc"}),
        _read_address,
        Delete(
            "release_address", {"AllocationId": "{id}"},
            ["InvalidAllocationID.NotFound"], ["InvalidIPAddress.InUse", "AuthFailure"],
        ),
        outputs=[
            "allocationId", "arn", "associationId", "carrierIp", "customerOwnedIp", "privateDns",
            "privateIp", "ptrRecord", "publicDns", "publicIp",
        ],
        tags=ec2("elastic-ip"),
    ),
    "aws:ec2/natGateway:NatGateway": Row(
        "ec2",
        {
            "subnetId": text(replace=True, required=True),
            "allocationId": text(replace=True),
            "connectivityType": text(replace=True, default="public"),
            "privateIp": text("PrivateIpAddress", replace=True, computed=True),
            "tags": TAGS,
        },
        Create("create_nat_gateway", "NatGateway.NatGatewayId"),
        Find(
            "describe_nat_gateways",
            {"NatGatewayIds": ["{id}"]},
            "NatGateways[0]",
            gone=["NatGatewayNotFound"],
            dead=("State", ["deleted", "failed"]),
            outputs={
                "allocationId": "NatGatewayAddresses[0].AllocationId",
                "associationId": "NatGatewayAddresses[0].AssociationId || ''",
                "networkInterfaceId": "NatGatewayAddresses[0].NetworkInterfaceId || ''",
                "publicIp": "NatGatewayAddresses[0].PublicIp || ''",
                "privateIp": "NatGatewayAddresses[0].PrivateIp || ''",
                "availabilityMode": "'zonal'",
                "vpcId": "VpcId",
                "autoProvisionZones": "''",
                "autoScalingIps": "''",
                "regionalNatGatewayAddresses": "`[]`",
                "regionalNatGatewayAutoMode": "''",
                "routeTableId": "''",
                "availabilityZoneAddresses": "`[]`",
                "secondaryAllocationIds": "`[]`",
                "secondaryPrivateIpAddresses": "`[]`",
                "secondaryPrivateIpAddressCount": "`0`",
            },
        ),
        Delete(
            "delete_nat_gateway", {"NatGatewayId": "{id}"}, ["NatGatewayNotFound"], until_gone=True
        ),
        ready=_nat_available,
        outputs=[
            "associationId", "autoProvisionZones", "autoScalingIps", "networkInterfaceId",
            "publicIp", "regionalNatGatewayAddresses", "regionalNatGatewayAutoMode",
            "routeTableId", "availabilityMode", "vpcId", "availabilityZoneAddresses",
            "secondaryAllocationIds", "secondaryPrivateIpAddresses",
            "secondaryPrivateIpAddressCount",
        ],
        tags=ec2("natgateway"),
    ),
}  # fmt: skip
