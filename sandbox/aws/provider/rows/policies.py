"""IAM: policies of their own, and profiles of instances. IAM has no regions."""

from typing import Final

from engine.values import Properties
from sandbox.aws.provider.calls import Create, Delete, Find
from sandbox.aws.provider.errors import ApiError
from sandbox.aws.provider.fields import (
    TAGS,
    document,
    local,
    text,
)
from sandbox.aws.provider.rows.iam import CONFLICT, GONE, as_text, tags_of
from sandbox.aws.provider.table import Auto, Job, Row
from sandbox.aws.provider.tags import unpaired


def _read_profile(job: Job) -> Properties | None:
    find = Find(
        "get_instance_profile",
        {"InstanceProfileName": "{id}"},
        "InstanceProfile",
        gone=GONE,
        outputs={"arn": "Arn", "uniqueId": "InstanceProfileId", "role": "Roles[0].RoleName || ''"},
    )
    item = find.item(job)
    if item is None:
        return None
    return find.props(job, item) | {"createDate": item["CreateDate"].isoformat()}


def _profile_role(job: Job) -> None:
    old, new = job.olds.get("role"), job.news.get("role")
    if old and old != new:
        job.call("remove_role_from_instance_profile", InstanceProfileName=job.id, RoleName=old)
    if new and old != new:
        job.call("add_role_to_instance_profile", InstanceProfileName=job.id, RoleName=new)


def _delete_profile(job: Job) -> None:
    if role := job.olds.get("role"):
        where = {"InstanceProfileName": "{id}", "RoleName": role}
        Delete("remove_role_from_instance_profile", where, GONE)(job)
    Delete("delete_instance_profile", {"InstanceProfileName": "{id}"}, GONE, CONFLICT)(job)


def _read_policy(job: Job) -> Properties | None:
    find = Find(
        "get_policy",
        {"PolicyArn": "{id}"},
        "Policy",
        gone=GONE,
        outputs={
            "arn": "Arn",
            "policyId": "PolicyId",
            "attachmentCount": "AttachmentCount || `0`",
            "name": "PolicyName",
        },
    )
    item = find.item(job)
    if item is None:
        return None
    version = job.call("get_policy_version", PolicyArn=job.id, VersionId=item["DefaultVersionId"])
    props = find.props(job, item)
    tags = item.get("Tags")
    if tags is None:
        tags = job.call("list_policy_tags", PolicyArn=job.id)["Tags"]
    return props | {
        "policy": as_text(version["PolicyVersion"]["Document"]),
        "tagsAll": unpaired(tags),
    }


def _new_policy_version(job: Job) -> None:
    if "policy" not in job.changed:
        return
    versions = job.call("list_policy_versions", PolicyArn=job.id)["Versions"]
    spare = [v for v in versions if not v["IsDefaultVersion"]]
    if len(versions) >= 5:  # noqa: PLR2004 - IAM keeps five
        oldest = min(spare, key=lambda v: v["CreateDate"])
        job.call("delete_policy_version", PolicyArn=job.id, VersionId=oldest["VersionId"])
    job.call("create_policy_version", PolicyArn=job.id, SetAsDefault=True, **job.params("policy"))


def _delete_policy(job: Job) -> None:
    try:
        for version in job.call("list_policy_versions", PolicyArn=job.id)["Versions"]:
            if not version["IsDefaultVersion"]:
                job.call("delete_policy_version", PolicyArn=job.id, VersionId=version["VersionId"])
    except ApiError as error:
        if error.code not in GONE:
            raise
    Delete("delete_policy", {"PolicyArn": "{id}"}, GONE, CONFLICT, seconds=120)(job)


ROWS: Final = {
    "aws:iam/instanceProfile:InstanceProfile": Row(
        "iam",
        {
            "name": text("InstanceProfileName", replace=True, computed=True),
            "namePrefix": local("text", replace=True),
            "path": text(replace=True, default="/"),
            "role": text(""),
            "tags": TAGS,
        },
        Create("create_instance_profile", "InstanceProfile.InstanceProfileName"),
        _read_profile,
        _delete_profile,
        update=[_profile_role],
        outputs=["arn", "createDate", "uniqueId"],
        ready=_profile_role,
        auto=Auto(longest=128),
        tags=tags_of("instance_profile", {"InstanceProfileName": "{id}"}),
        regional=False,
    ),
    "aws:iam/policy:Policy": Row(
        "iam",
        {
            "name": text("PolicyName", replace=True, computed=True),
            "namePrefix": local("text", replace=True),
            "path": text(replace=True, default="/"),
            "description": text(replace=True),
            "policy": document("PolicyDocument", required=True),
            "tags": TAGS,
        },
        Create("create_policy", "Policy.Arn"),
        _read_policy,
        _delete_policy,
        update=[_new_policy_version],
        outputs=["arn", "attachmentCount", "policyId"],
        auto=Auto(longest=128),
        tags=tags_of("policy", {"PolicyArn": "{id}"}),
        regional=False,
    ),
}  # fmt: skip
