"""Rules of security groups, one resource each."""

from collections.abc import Callable
from typing import Final

import jmespath

from engine.values import Properties
from sandbox.aws.provider.calls import Delete, Find
from sandbox.aws.provider.fields import (
    TAGS,
    number,
    text,
)
from sandbox.aws.provider.rows.arns import ec2_arn
from sandbox.aws.provider.table import Job, Row
from sandbox.aws.provider.tags import ec2

# The last one is of a revocation whose answer was lost and that is made again.
_GONE: Final = [
    "InvalidSecurityGroupRuleId.NotFound",
    "InvalidGroup.NotFound",
    "InvalidPermission.NotFound",
]


def _authorize(way: str) -> Callable[[Job], str]:
    def create(job: Job) -> str:
        answer = job.call(
            f"authorize_security_group_{way}",
            GroupId=job.get("securityGroupId"),
            IpPermissions=[_single(job)],
            **(job.row.tags.for_create(job.tags) if job.row.tags else {}),
        )
        return str(jmespath.search("SecurityGroupRules[0].SecurityGroupRuleId", answer))

    return create


def _single(job: Job) -> Properties:
    """A rule resource as a permission with one source."""
    said = {"Description": job.news["description"]} if job.news.get("description") else {}
    sources = {
        "cidrIpv4": ("IpRanges", "CidrIp"),
        "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
        "prefixListId": ("PrefixListIds", "PrefixListId"),
        "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    }
    part, key, source = next(
        (p, k, job.news[n]) for n, (p, k) in sources.items() if job.news.get(n)
    )
    return {
        "IpProtocol": str(job.get("ipProtocol")),
        **job.params("fromPort", "toPort"),
        part: [{key: source, **said}],
    }


def _change_rule(job: Job) -> None:
    if not job.changed & (_RULE.keys() - {"tags"}):
        return
    names = ["ipProtocol", "fromPort", "toPort", "cidrIpv4", "cidrIpv6", "prefixListId"]
    rule = {
        **job.params(*names, "description", "referencedSecurityGroupId"),
    }
    for port in ("FromPort", "ToPort"):
        rule.setdefault(port, -1)
    rule["ReferencedGroupId"] = rule.pop("ReferencedGroupInfo", None)
    job.call(
        "modify_security_group_rules",
        GroupId=job.get("securityGroupId"),
        SecurityGroupRules=[
            {
                "SecurityGroupRuleId": job.id,
                "SecurityGroupRule": {k: v for k, v in rule.items() if v is not None},
            }
        ],
    )


def _read_rule(job: Job) -> Properties | None:
    find = Find(
        "describe_security_group_rules",
        {"SecurityGroupRuleIds": ["{id}"]},
        "SecurityGroupRules[0]",
        gone=_GONE,
        outputs={
            "arn": ec2_arn("security-group-rule/{id}"),
            "securityGroupRuleId": "SecurityGroupRuleId",
            "referencedSecurityGroupId": "ReferencedGroupInfo.GroupId",
        },
    )
    props = find(job)
    for port in ("fromPort", "toPort"):
        # All ports are -1 to EC2, whatever the program says of them.
        if props and props.get("ipProtocol") == "-1" and props.get(port) == -1:
            props[port] = job.get(port)
    return props


def _source(inputs: Properties) -> list[tuple[str, str]]:
    if sum(bool(inputs.get(name)) for name in _SOURCES) == 1:
        return []
    return [("cidrIpv4", f"exactly one of {', '.join(_SOURCES)} must be given")]


def _other_kind(job: Job) -> list[str]:
    """AWS changes a source, but not its kind."""
    old = {name for name in _SOURCES if job.olds.get(name)}
    new = {name for name in _SOURCES if job.news.get(name)}
    return sorted(old ^ new)


_SOURCES: Final = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")


_RULE: Final = {
    "securityGroupId": text("GroupId", replace=True, required=True),
    "ipProtocol": text(required=True),
    "fromPort": number(),
    "toPort": number(),
    "cidrIpv4": text(),
    "cidrIpv6": text(),
    "prefixListId": text(),
    "referencedSecurityGroupId": text("ReferencedGroupInfo"),
    "description": text(),
    "tags": TAGS,
}


def _rule_row(way: str) -> Row:
    return Row(
        "ec2",
        _RULE,
        _authorize(way),
        _read_rule,
        Delete(
            f"revoke_security_group_{way}",
            {"GroupId": "{securityGroupId}", "SecurityGroupRuleIds": ["{id}"]},
            _GONE,
        ),
        update=[_change_rule],
        outputs=["arn", "securityGroupRuleId"],
        tags=ec2("security-group-rule"),
        check=_source,
        replaced=_other_kind,
    )


ROWS: Final = {
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _rule_row("ingress"),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _rule_row("egress"),
}  # fmt: skip
