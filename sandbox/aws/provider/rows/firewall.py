"""Security groups."""

from collections.abc import Mapping
from typing import Any, Final

from engine.values import Properties
from sandbox.aws.provider.calls import Create, Delete, Find
from sandbox.aws.provider.fields import (
    TAGS,
    block_set,
    equal,
    flag,
    local,
    number,
    text,
    text_set,
)
from sandbox.aws.provider.rows.arns import ec2_arn
from sandbox.aws.provider.table import Auto, Job, Row
from sandbox.aws.provider.tags import ec2
from sandbox.provider_protocol import ProviderError

_GROUP_GONE: Final = ["InvalidGroup.NotFound", "InvalidGroupId.Malformed"]


_INLINE: Final = {
    "protocol": text(),
    "fromPort": number(),
    "toPort": number(),
    "cidrBlocks": text_set(),
    "ipv6CidrBlocks": text_set(),
    "prefixListIds": text_set(),
    "securityGroups": text_set(),
    "self": flag(),
    "description": text(),
}


_WAYS: Final = {"ingress": "IpPermissions", "egress": "IpPermissionsEgress"}


_GROUP: Final = Find(
    "describe_security_groups",
    {"GroupIds": ["{id}"]},
    "SecurityGroups[0]",
    gone=_GROUP_GONE,
    outputs={
        "arn": ec2_arn("security-group/{id}"),
        "ownerId": "OwnerId",
        "name": "GroupName",
        "description": "Description",
        "namePrefix": "''",
    },
)


def _permission(job: Job, rule: Mapping[str, Any]) -> Properties:
    """An inline rule as EC2 takes it."""
    said = {"Description": rule["description"]} if rule.get("description") else {}
    permission: Properties = {"IpProtocol": str(rule["protocol"])}
    if permission["IpProtocol"] != "-1":
        permission |= {"FromPort": int(rule["fromPort"]), "ToPort": int(rule["toPort"])}
    groups = [*(rule.get("securityGroups") or []), *([job.id] if rule.get("self") else [])]
    parts = {
        "IpRanges": [{"CidrIp": c, **said} for c in rule.get("cidrBlocks") or []],
        "Ipv6Ranges": [{"CidrIpv6": c, **said} for c in rule.get("ipv6CidrBlocks") or []],
        "PrefixListIds": [{"PrefixListId": p, **said} for p in rule.get("prefixListIds") or []],
        "UserIdGroupPairs": [{"GroupId": group, **said} for group in groups],
    }
    return permission | {key: value for key, value in parts.items() if value}


def _rules(job: Job, permissions: list[Properties]) -> list[Properties]:
    """EC2's permissions as inline rules: one for each protocol, ports and description."""
    found: dict[tuple[Any, ...], Properties] = {}
    paths = {
        "cidrBlocks": ("IpRanges", "CidrIp"),
        "ipv6CidrBlocks": ("Ipv6Ranges", "CidrIpv6"),
        "prefixListIds": ("PrefixListIds", "PrefixListId"),
        "securityGroups": ("UserIdGroupPairs", "GroupId"),
    }
    for permission in permissions:
        ports = (permission.get("FromPort", 0), permission.get("ToPort", 0))
        for name, (part, key) in paths.items():
            for item in permission.get(part) or []:
                said = item.get("Description", "")
                rule = found.setdefault(
                    (permission["IpProtocol"], *ports, said),
                    {
                        "protocol": permission["IpProtocol"],
                        "fromPort": max(ports[0], 0),
                        "toPort": max(ports[1], 0),
                        "self": False,
                        "description": said,
                    },
                )
                if item[key] == job.id:
                    rule["self"] = True
                else:
                    rule.setdefault(name, []).append(item[key])
    return list(found.values())


def _read_group(job: Job) -> Properties | None:
    item = _GROUP.item(job)
    if item is None:
        return None
    props = _GROUP.props(job, item)
    return props | {way: _rules(job, item.get(key) or []) for way, key in _WAYS.items()}


def _bring_rules(job: Job, *, adopt: bool = False) -> None:
    """Make the inline rules what the program has; without any, they are somebody else's."""
    for way, key in _WAYS.items():
        wanted = job.news.get(way)
        if wanted is None and not adopt:
            continue
        item = _GROUP.item(job) or {}
        before = _rules(job, item.get(key) or [])
        spec = job.row.fields[way]
        if equal(spec, before, wanted or []):
            continue
        if item.get(key):
            job.call(f"revoke_security_group_{way}", GroupId=job.id, IpPermissions=item[key])
        if wanted:
            permissions = [_permission(job, rule) for rule in wanted]
            job.call(f"authorize_security_group_{way}", GroupId=job.id, IpPermissions=permissions)


def _new_group_rules(job: Job) -> None:
    # AWS lets everything out of a new group; the provider takes that rule away.
    if job.news.get("egress") is None:
        item = _GROUP.item(job) or {}
        if permissions := item.get("IpPermissionsEgress"):
            job.call("revoke_security_group_egress", GroupId=job.id, IpPermissions=permissions)
    _bring_rules(job)


def _delete_group(job: Job) -> None:
    if job.olds.get("revokeRulesOnDelete"):
        item = _GROUP.item(job) or {}
        for way, key in _WAYS.items():
            if item.get(key):
                job.call(f"revoke_security_group_{way}", GroupId=job.id, IpPermissions=item[key])
    Delete(
        "delete_security_group",
        {"GroupId": "{id}"},
        _GROUP_GONE,
        ["DependencyViolation", "InvalidGroup.InUse"],
        seconds=900,
    )(job)


def _adopt_default(job: Job) -> str:
    filters = [{"Name": "group-name", "Values": ["default"]}]
    if job.get("vpcId"):
        filters.append({"Name": "vpc-id", "Values": [job.get("vpcId")]})
    found = job.call("describe_security_groups", Filters=filters)["SecurityGroups"]
    if not found:
        raise ProviderError(f"there is no default security group in {job.get('vpcId')}")
    group = str(found[0]["GroupId"])
    if job.tags:
        job.call(
            "create_tags",
            Resources=[group],
            Tags=[{"Key": k, "Value": v} for k, v in job.tags.items()],
        )
    return group


ROWS: Final = {
    "aws:ec2/securityGroup:SecurityGroup": Row(
        "ec2",
        {
            "name": text("GroupName", replace=True, computed=True),
            "namePrefix": local("text", replace=True),
            "description": text(replace=True, default="Managed by Pulumi"),
            "vpcId": text(replace=True, computed=True),
            "ingress": block_set(_INLINE, "", computed=True),
            "egress": block_set(_INLINE, "", computed=True),
            "revokeRulesOnDelete": local(default=False),
            "tags": TAGS,
        },
        Create("create_security_group", "GroupId"),
        _read_group,
        _delete_group,
        update=[_bring_rules],
        ready=_new_group_rules,
        outputs=["arn", "ownerId"],
        auto=Auto(),
        tags=ec2("security-group"),
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Row(
        "ec2",
        {
            "vpcId": text(replace=True, computed=True),
            "ingress": block_set(_INLINE, ""),
            "egress": block_set(_INLINE, ""),
            "revokeRulesOnDelete": local(default=False),
            "tags": TAGS,
        },
        _adopt_default,
        _read_group,
        # It goes with its VPC and not before.
        update=[lambda job: _bring_rules(job, adopt=True)],
        ready=lambda job: _bring_rules(job, adopt=True),
        outputs=["arn", "description", "name", "namePrefix", "ownerId"],
        tags=ec2("security-group"),
    ),
}  # fmt: skip
