"""Route 53: zones. They have no regions."""

import uuid
from typing import Final

from engine.values import Properties
from sandbox.aws.provider.calls import Change
from sandbox.aws.provider.errors import ApiError
from sandbox.aws.provider.fields import (
    TAGS,
    block_set,
    local,
    text,
)
from sandbox.aws.provider.table import ALL_TAGS, Auto, Job, Row
from sandbox.aws.provider.tags import TagForm, pairs, unpaired

GONE: Final = ["NoSuchHostedZone"]


_BATCH: Final = 100


# Made with the zone, gone with the zone.
_OWN_TYPES: Final = frozenset({"NS", "SOA"})


def _vpc(job: Job, vpc: Properties) -> dict[str, str]:
    return {"VPCId": vpc["vpcId"], "VPCRegion": vpc.get("vpcRegion") or job.aws.region}


def _create_zone(job: Job) -> str:
    vpcs = [_vpc(job, vpc) for vpc in job.news.get("vpcs") or []]
    params: Properties = {
        "Name": job.get("name"),
        "CallerReference": uuid.uuid4().hex,
        "HostedZoneConfig": {"Comment": str(job.get("comment")), "PrivateZone": bool(vpcs)},
    }
    if vpcs:
        params["VPC"] = vpcs[0]
    answer = job.call("create_hosted_zone", **params)
    return str(answer["HostedZone"]["Id"]).rsplit("/", 1)[-1]


def _zone_ready(job: Job) -> None:
    for vpc in (job.news.get("vpcs") or [])[1:]:
        job.call("associate_vpc_with_hosted_zone", HostedZoneId=job.id, VPC=_vpc(job, vpc))
    if job.tags:
        where = {"ResourceType": "hostedzone", "ResourceId": job.id}
        job.call("change_tags_for_resource", **where, AddTags=pairs(job.tags))


def _move_vpcs(job: Job) -> None:
    if "vpcs" not in job.changed:
        return
    olds = {v["vpcId"]: _vpc(job, v) for v in job.olds.get("vpcs") or []}
    news = {v["vpcId"]: _vpc(job, v) for v in job.news.get("vpcs") or []}
    # A private zone is never without a network.
    for key in sorted(news.keys() - olds.keys()):
        job.call("associate_vpc_with_hosted_zone", HostedZoneId=job.id, VPC=news[key])
    for key in sorted(olds.keys() - news.keys()):
        job.call("disassociate_vpc_from_hosted_zone", HostedZoneId=job.id, VPC=olds[key])


def _retag(job: Job) -> None:
    if ALL_TAGS not in job.changed:
        return
    olds, news = dict(job.olds.get(ALL_TAGS) or {}), job.tags
    params: Properties = {"ResourceType": "hostedzone", "ResourceId": job.id}
    if added := {key: value for key, value in news.items() if olds.get(key) != value}:
        params["AddTags"] = pairs(added)
    if dropped := sorted(olds.keys() - news.keys()):
        params["RemoveTagKeys"] = dropped
    job.call("change_tags_for_resource", **params)
    job.changed -= {ALL_TAGS}


def _read_zone(job: Job) -> Properties | None:
    try:
        found = job.call("get_hosted_zone", Id=job.id)
    except ApiError as error:
        if error.code in GONE:
            return None
        raise
    zone = found["HostedZone"]
    servers = sorted((found.get("DelegationSet") or {}).get("NameServers") or [])
    tags = job.call("list_tags_for_resource", ResourceType="hostedzone", ResourceId=job.id)
    return {
        "name": str(zone["Name"]).rstrip("."),
        "comment": (zone.get("Config") or {}).get("Comment", ""),
        "vpcs": [
            {"vpcId": vpc["VPCId"], "vpcRegion": vpc["VPCRegion"]}
            for vpc in found.get("VPCs") or []
        ],
        "zoneId": job.id,
        "arn": f"arn:{job.aws.partition}:route53:::hostedzone/{job.id}",
        "nameServers": servers,
        "primaryNameServer": next(iter(servers), ""),
        ALL_TAGS: unpaired(tags["ResourceTagSet"]["Tags"]),
    }


def _delete_zone(job: Job) -> None:
    try:
        if job.olds.get("forceDestroy"):
            _empty(job)
        job.call("delete_hosted_zone", Id=job.id)
    except ApiError as error:
        if error.code not in GONE:
            raise


def _empty(job: Job) -> None:
    found = job.aws.pages(
        "route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=job.id
    )
    name = str(job.olds.get("name", "")).rstrip(".")
    changes = [
        {"Action": "DELETE", "ResourceRecordSet": record}
        for record in found
        if record["Type"] not in _OWN_TYPES or str(record["Name"]).rstrip(".") != name
    ]
    for start in range(0, len(changes), _BATCH):
        batch = {"Changes": changes[start : start + _BATCH]}
        job.call("change_resource_record_sets", HostedZoneId=job.id, ChangeBatch=batch)


ROWS: Final = {
    "aws:route53/zone:Zone": Row(
        "route53",
        {
            "name": text("", replace=True, computed=True),
            "comment": text("", default="Managed by Pulumi"),
            "vpcs": block_set({"vpcId": text(), "vpcRegion": text(computed=True)}, ""),
            "forceDestroy": local(default=False),
            "tags": TAGS,
        },
        _create_zone,
        _read_zone,
        _delete_zone,
        update=[
            Change(
                ["comment"], "update_hosted_zone_comment",
                {"Id": "{id}", "Comment": "{comment}"}, send=[],
            ),
            _move_vpcs,
            _retag,
        ],
        outputs=["arn", "nameServers", "primaryNameServer", "zoneId"],
        ready=_zone_ready,
        auto=Auto(longest=1024),
        tags=TagForm(
            ("change_tags_for_resource", {}, "AddTags"),
            ("change_tags_for_resource", {}, "RemoveTagKeys"),
            on_create="",
        ),
        regional=False,
    ),
}  # fmt: skip
