"""The functions of pulumi-aws that look something up."""

from collections.abc import Callable
from typing import Any, Final

from engine.values import Properties, secret
from sandbox.aws.provider.aws import Aws
from sandbox.aws.provider.tags import unpaired
from sandbox.provider_protocol import ProviderError

Function = Callable[[Aws, Properties], Properties]


def _caller(aws: Aws, _args: Properties) -> Properties:
    found = aws.call("sts", "get_caller_identity")
    account = found["Account"]
    return {"accountId": account, "arn": found["Arn"], "id": account, "userId": found["UserId"]}


def _partition(aws: Aws, _args: Properties) -> Properties:
    suffix = "amazonaws.com.cn" if aws.partition == "aws-cn" else "amazonaws.com"
    return {
        "dnsSuffix": suffix,
        "id": aws.partition,
        "partition": aws.partition,
        "reverseDnsPrefix": ".".join(reversed(suffix.split("."))),
    }


def _parameter(aws: Aws, args: Properties) -> Properties:
    region = args.get("region") or aws.region
    decrypt = args.get("withDecryption", True) is not False
    found = aws.call("ssm", "get_parameter", region, Name=args["name"], WithDecryption=decrypt)
    parameter = found["Parameter"]
    plain = parameter["Value"] if parameter["Type"] != "SecureString" else ""
    return {
        "arn": parameter["ARN"],
        "id": parameter["Name"],
        "insecureValue": plain,
        "name": parameter["Name"],
        "region": region,
        "type": parameter["Type"],
        "value": secret(parameter["Value"]),
        "version": parameter["Version"],
        "withDecryption": decrypt,
    }


def _filters(args: Properties) -> list[dict[str, Any]]:
    named = {
        "availabilityZone": "availability-zone", "availabilityZoneId": "availability-zone-id",
        "cidrBlock": "cidr-block", "state": "state", "vpcId": "vpc-id",
    }  # fmt: skip
    found = [{"Name": named[k], "Values": [str(v)]} for k, v in args.items() if k in named and v]
    found += [{"Name": f["name"], "Values": f["values"]} for f in args.get("filters") or []]
    tags = args.get("tags") or {}
    return found + [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]


def _subnet(aws: Aws, args: Properties) -> Properties:
    region = args.get("region") or aws.region
    params: dict[str, Any] = {"SubnetIds": [args["id"]]} if args.get("id") else {}
    if filters := _filters(args):
        params["Filters"] = filters
    found = aws.pages("ec2", "describe_subnets", "Subnets", region, **params)
    if len(found) != 1:
        raise ProviderError(f"{len(found)} subnets fit {args}: name one by its id")
    subnet = found[0]
    names = subnet.get("PrivateDnsNameOptionsOnLaunch") or {}
    return {
        "arn": subnet["SubnetArn"],
        "assignIpv6AddressOnCreation": subnet.get("AssignIpv6AddressOnCreation", False),
        "availabilityZone": subnet["AvailabilityZone"],
        "availabilityZoneId": subnet["AvailabilityZoneId"],
        "availableIpAddressCount": subnet["AvailableIpAddressCount"],
        "cidrBlock": subnet["CidrBlock"],
        "customerOwnedIpv4Pool": subnet.get("CustomerOwnedIpv4Pool", ""),
        "defaultForAz": subnet["DefaultForAz"],
        "enableDns64": subnet.get("EnableDns64", False),
        "enableLniAtDeviceIndex": subnet.get("EnableLniAtDeviceIndex", 0),
        "enableResourceNameDnsARecordOnLaunch": names.get("EnableResourceNameDnsARecord", False),
        "enableResourceNameDnsAaaaRecordOnLaunch": names.get(
            "EnableResourceNameDnsAAAARecord", False
        ),
        "id": subnet["SubnetId"],
        "ipv6CidrBlock": "",
        "ipv6CidrBlockAssociationId": "",
        "ipv6Native": subnet.get("Ipv6Native", False),
        "mapCustomerOwnedIpOnLaunch": subnet.get("MapCustomerOwnedIpOnLaunch", False),
        "mapPublicIpOnLaunch": subnet["MapPublicIpOnLaunch"],
        "outpostArn": subnet.get("OutpostArn", ""),
        "ownerId": subnet["OwnerId"],
        "privateDnsHostnameTypeOnLaunch": names.get("HostnameType", "ip-name"),
        "region": region,
        "state": subnet["State"],
        "tags": unpaired(subnet.get("Tags") or []),
        "vpcId": subnet["VpcId"],
    }


# Each with the arguments that it takes.
INVOKES: Final[dict[str, tuple[Function, frozenset[str]]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": (_caller, frozenset({"id"})),
    "aws:index/getPartition:getPartition": (_partition, frozenset({"id"})),
    "aws:ssm/getParameter:getParameter": (
        _parameter,
        frozenset({"name", "region", "withDecryption"}),
    ),
    "aws:ec2/getSubnet:getSubnet": (
        _subnet,
        frozenset(
            {
                "availabilityZone", "availabilityZoneId", "cidrBlock", "filters", "id", "region",
                "state", "tags", "vpcId",
            }
        ),
    ),
}  # fmt: skip


def invoke(aws: Aws, token: str, args: Properties) -> Properties:
    """Call a function.

    Raises:
        ProviderError: It is unknown, or AWS refuses.
    """
    if token not in INVOKES:
        raise ProviderError("is not a function that the plugin of a rehearsal knows")
    function, known = INVOKES[token]
    if strange := sorted({key for key, value in args.items() if value is not None} - known):
        raise ProviderError(f"does not take {', '.join(strange)} here")
    return function(aws, {key: value for key, value in args.items() if value is not None})
