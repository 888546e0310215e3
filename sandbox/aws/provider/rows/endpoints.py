"""VPC endpoints, flow logs and placement groups."""

from typing import Final

from engine.values import Properties
from sandbox.aws.provider.calls import Create, Delete, Find
from sandbox.aws.provider.errors import ApiError
from sandbox.aws.provider.fields import (
    TAGS,
    block,
    document,
    flag,
    number,
    replacing,
    text,
    text_set,
)
from sandbox.aws.provider.rows.arns import ec2_arn
from sandbox.aws.provider.table import Auto, Job, Row
from sandbox.aws.provider.tags import ec2
from sandbox.provider_protocol import ProviderError

_ENDPOINT_GONE: Final = ["InvalidVpcEndpointId.NotFound", "InvalidVpcEndpoint.NotFound"]
_ENDPOINT: Final = Find(
    "describe_vpc_endpoints",
    {"VpcEndpointIds": ["{id}"]},
    "VpcEndpoints[0]",
    gone=_ENDPOINT_GONE,
    dead=("State", ["deleted", "Deleted"]),
    outputs={
        "arn": ec2_arn("vpc-endpoint/{id}"),
        "dnsEntries": "DnsEntries[].{dnsName: DnsName, hostedZoneId: HostedZoneId} || `[]`",
        "networkInterfaceIds": "NetworkInterfaceIds || `[]`",
        "securityGroupIds": "Groups[].GroupId || `[]`",
        "ownerId": "OwnerId",
        "requesterManaged": "RequesterManaged || `false`",
        "state": "State",
        "ipAddressType": "IpAddressType || ''",
    },
)
# What changes in place, with the parameters for what is added and taken away.
_MEMBERS: Final = {
    "routeTableIds": ("AddRouteTableIds", "RemoveRouteTableIds"),
    "subnetIds": ("AddSubnetIds", "RemoveSubnetIds"),
    "securityGroupIds": ("AddSecurityGroupIds", "RemoveSecurityGroupIds"),
}


def _read_endpoint(job: Job) -> Properties | None:
    props = _ENDPOINT(job)
    if props is None:
        return None
    name = str(props["serviceName"])
    lists = job.call(
        "describe_prefix_lists", Filters=[{"Name": "prefix-list-name", "Values": [name]}]
    )["PrefixLists"]
    found: Properties = next((p for p in lists if p["PrefixListName"] == name), {})
    # A gateway endpoint is its prefix list in the route tables; an interface has none.
    return props | {
        "prefixListId": found.get("PrefixListId", ""),
        "cidrBlocks": found.get("Cidrs", []),
        "state": str(props["state"]).lower(),
    }


def _endpoint_available(job: Job) -> None:
    def done() -> bool:
        found = _ENDPOINT(job)
        state = str((found or {}).get("state", "")).lower()
        if state in {"failed", "rejected", "expired"}:
            raise ProviderError(f"VPC endpoint {job.id} is {state}")
        return state == "available"

    job.wait(f"VPC endpoint {job.id} is available", done)


def _change_endpoint(job: Job) -> None:
    params: Properties = {}
    for name, (add, remove) in _MEMBERS.items():
        if name in job.changed:
            old, new = set(job.olds.get(name) or []), set(job.news.get(name) or [])
            params |= {k: sorted(v) for k, v in ((add, new - old), (remove, old - new)) if v}
    if "policy" in job.changed:
        params |= job.params("policy") or {"ResetPolicy": True}
    params |= job.params(*({"privateDnsEnabled", "ipAddressType"} & job.changed or {"-"}))
    if params:
        job.call("modify_vpc_endpoint", VpcEndpointId=job.id, **params)


def _delete_endpoint(job: Job) -> None:
    if _ENDPOINT.item(job) is None:
        return
    answer = job.call("delete_vpc_endpoints", VpcEndpointIds=[job.id])
    for failed in answer.get("Unsuccessful") or []:
        error = failed["Error"]
        if error["Code"] not in _ENDPOINT_GONE:
            raise ApiError("DeleteVpcEndpoints", error["Code"], error["Message"])
    job.wait(f"VPC endpoint {job.id} is gone", lambda: _ENDPOINT.item(job) is None)


def _log_target(inputs: Properties) -> list[tuple[str, str]]:
    names = ["vpcId", "subnetId", "eniId"]
    if sum(bool(inputs.get(name)) for name in names) == 1:
        return []
    return [("vpcId", f"exactly one of {', '.join(names)} must be given")]


def _create_flow_log(job: Job) -> str:
    kinds = {"vpcId": "VPC", "subnetId": "Subnet", "eniId": "NetworkInterface"}
    name = next(key for key in kinds if job.news.get(key))
    answer = job.call(
        "create_flow_logs",
        ResourceIds=[job.news[name]],
        ResourceType=kinds[name],
        **job.params(),
        **(job.row.tags.for_create(job.tags) if job.row.tags else {}),
    )
    for failed in answer.get("Unsuccessful") or []:
        raise ProviderError(
            f"CreateFlowLogs: {failed['Error']['Code']}: {failed['Error']['Message']}"
        )
    return str(answer["FlowLogIds"][0])


def _read_flow_log(job: Job) -> Properties | None:
    find = Find(
        "describe_flow_logs",
        {"FlowLogIds": ["{id}"]},
        "FlowLogs[0]",
        gone=["InvalidFlowLogId.NotFound"],
        outputs={"arn": ec2_arn("vpc-flow-log/{id}")},
    )
    item = find.item(job)
    if item is None:
        return None
    props = find.props(job, item)
    if props.get("logDestinationType", "cloud-watch-logs") == "cloud-watch-logs":
        # AWS gives the group's name where its ARN was asked for.
        props["logDestinationType"] = "cloud-watch-logs"
        name = item.get("LogGroupName")
        props["logDestination"] = props.get("logDestination") or job.fill(
            "arn:{partition}:logs:{region}:{account}:log-group:" + str(name)
        )
    on = str(item["ResourceId"])
    kind = {"vpc": "vpcId", "subnet": "subnetId", "eni": "eniId"}[on.split("-", maxsplit=1)[0]]
    return props | {kind: on}


ROWS: Final = {
    "aws:ec2/vpcEndpoint:VpcEndpoint": Row(
        "ec2",
        {
            "vpcId": text(replace=True, required=True),
            "serviceName": text(replace=True),
            "vpcEndpointType": text(replace=True, default="Gateway"),
            "routeTableIds": text_set(computed=True),
            "subnetIds": text_set(computed=True),
            "securityGroupIds": text_set(computed=True),
            "policy": document("PolicyDocument", computed=True),
            "privateDnsEnabled": flag(computed=True),
            "ipAddressType": text(computed=True),
            "dnsOptions": block(
                {"dnsRecordIpType": text(computed=True)}, computed=True
            ),
            "tags": TAGS,
        },
        Create("create_vpc_endpoint", "VpcEndpoint.VpcEndpointId"),
        _read_endpoint,
        _delete_endpoint,
        update=[_change_endpoint],
        ready=_endpoint_available,
        outputs=[
            "arn", "cidrBlocks", "dnsEntries", "networkInterfaceIds", "ownerId", "prefixListId",
            "requesterManaged", "state",
        ],
        tags=ec2("vpc-endpoint"),
    ),
    "aws:ec2/flowLog:FlowLog": Row(
        "ec2",
        replacing(
            {
                "vpcId": text(""),
                "subnetId": text(""),
                "eniId": text(""),
                "trafficType": text(),
                "iamRoleArn": text("DeliverLogsPermissionArn"),
                "logDestination": text(computed=True),
                "logDestinationType": text(default="cloud-watch-logs"),
                "logFormat": text(computed=True),
                "maxAggregationInterval": number(default=600),
                "tags": TAGS,
            }
        ),
        _create_flow_log,
        _read_flow_log,
        Delete("delete_flow_logs", {"FlowLogIds": ["{id}"]}, ["InvalidFlowLogId.NotFound"]),
        outputs=["arn"],
        tags=ec2("vpc-flow-log"),
        check=_log_target,
    ),
    "aws:ec2/placementGroup:PlacementGroup": Row(
        "ec2",
        replacing(
            {
                "name": text("GroupName", computed=True),
                "strategy": text(required=True),
                "partitionCount": number(computed=True),
                "spreadLevel": text(computed=True),
                "tags": TAGS,
            }
        ),
        Create("create_placement_group", "{name}"),
        Find(
            "describe_placement_groups",
            {"GroupNames": ["{id}"]},
            "PlacementGroups[0]",
            gone=["InvalidPlacementGroup.Unknown"],
            dead=("State", ["deleted"]),
            outputs={
                "arn": ec2_arn("placement-group/{id}"),
                "placementGroupId": "GroupId",
                "partitionCount": "PartitionCount || `0`",
                "spreadLevel": "SpreadLevel || ''",
            },
        ),
        Delete(
            "delete_placement_group",
            {"GroupName": "{id}"},
            ["InvalidPlacementGroup.Unknown"],
            ["InvalidPlacementGroup.InUse"],
            until_gone=True,
        ),
        outputs=["arn", "placementGroupId"],
        auto=Auto(),
        tags=ec2("placement-group"),
    ),
}  # fmt: skip
