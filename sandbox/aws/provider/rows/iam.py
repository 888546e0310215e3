"""IAM: roles and what is attached to them. IAM has no regions."""

import json
from typing import Final
from urllib.parse import unquote

from engine.values import Properties
from sandbox.aws.provider.calls import Change, Create, Delete, Find
from sandbox.aws.provider.errors import ApiError
from sandbox.aws.provider.fields import (
    TAGS,
    block_set,
    document,
    local,
    number,
    replacing,
    text,
    text_set,
)
from sandbox.aws.provider.table import Auto, Job, Row
from sandbox.aws.provider.tags import TagForm

GONE: Final = ["NoSuchEntity"]


CONFLICT: Final = ["DeleteConflict"]


def tags_of(what: str, where: dict[str, str]) -> TagForm:
    """Tags of something in IAM."""
    return TagForm((f"tag_{what}", where, "Tags"), (f"untag_{what}", where, "TagKeys"))


def _read_role(job: Job) -> Properties | None:
    find = Find(
        "get_role",
        {"RoleName": "{id}"},
        "Role",
        gone=GONE,
        outputs={
            "arn": "Arn",
            "uniqueId": "RoleId",
            "permissionsBoundary": "PermissionsBoundary.PermissionsBoundaryArn",
        },
    )
    item = find.item(job)
    if item is None:
        return None
    document = item["AssumeRolePolicyDocument"]
    if isinstance(document, str):
        item["AssumeRolePolicyDocument"] = unquote(document)
    attached = job.call("list_attached_role_policies", RoleName=job.id)["AttachedPolicies"]
    names = job.call("list_role_policies", RoleName=job.id)["PolicyNames"]
    policies = [job.call("get_role_policy", RoleName=job.id, PolicyName=name) for name in names]
    return find.props(job, item) | {
        "createDate": item["CreateDate"].isoformat(),
        "managedPolicyArns": [policy["PolicyArn"] for policy in attached],
        "inlinePolicies": [
            {"name": p["PolicyName"], "policy": as_text(p["PolicyDocument"])} for p in policies
        ],
    }


def as_text(document: object) -> str:
    """A policy document as text, however the service gave it."""
    return unquote(document) if isinstance(document, str) else json.dumps(document)


def _bring_policies(job: Job) -> None:
    """Attached and inline policies, where the program lists them with the role."""
    if (wanted := job.news.get("managedPolicyArns")) is not None:
        old = set(job.olds.get("managedPolicyArns") or [])
        for arn in sorted(old - set(wanted)):
            job.call("detach_role_policy", RoleName=job.id, PolicyArn=arn)
        for arn in sorted(set(wanted) - old):
            job.call("attach_role_policy", RoleName=job.id, PolicyArn=arn)
    if (inline := job.news.get("inlinePolicies")) is not None:
        before = {p["name"]: p["policy"] for p in job.olds.get("inlinePolicies") or []}
        after = {p["name"]: p["policy"] for p in inline}
        for name in sorted(before.keys() - after.keys()):
            job.call("delete_role_policy", RoleName=job.id, PolicyName=name)
        for name, policy in after.items():
            if before.get(name) != policy:
                job.call("put_role_policy", RoleName=job.id, PolicyName=name, PolicyDocument=policy)


def _change_role(job: Job) -> None:
    if "permissionsBoundary" not in job.changed:
        return
    if boundary := job.news.get("permissionsBoundary"):
        job.call("put_role_permissions_boundary", RoleName=job.id, PermissionsBoundary=boundary)
    else:
        job.call("delete_role_permissions_boundary", RoleName=job.id)


def _delete_role(job: Job) -> None:
    managed = job.news.get("managedPolicyArns") is not None or job.olds.get("forceDetachPolicies")
    inline = job.news.get("inlinePolicies") is not None or job.olds.get("forceDetachPolicies")
    try:
        if managed:
            attached = job.call("list_attached_role_policies", RoleName=job.id)
            for policy in attached["AttachedPolicies"]:
                job.call("detach_role_policy", RoleName=job.id, PolicyArn=policy["PolicyArn"])
        if inline:
            for name in job.call("list_role_policies", RoleName=job.id)["PolicyNames"]:
                job.call("delete_role_policy", RoleName=job.id, PolicyName=name)
    except ApiError as error:
        if error.code not in GONE:
            raise
    Delete("delete_role", {"RoleName": "{id}"}, GONE, CONFLICT, seconds=120)(job)


def _role_policy_id(job: Job) -> str:
    job.call("put_role_policy", **job.params())
    return f"{job.get('role')}:{job.get('name')}"


def _read_role_policy(job: Job) -> Properties | None:
    role, name = job.id.split(":", 1)
    try:
        found = job.call("get_role_policy", RoleName=role, PolicyName=name)
    except ApiError as error:
        if error.code in GONE:
            return None
        raise
    return {"role": role, "name": name, "policy": as_text(found["PolicyDocument"])}


def _attach(job: Job) -> str:
    job.call("attach_role_policy", **job.params())
    return f"{job.get('role')}/{job.get('policyArn')}"


def _read_attachment(job: Job) -> Properties | None:
    try:
        found = job.aws.pages(
            "iam", "list_attached_role_policies", "AttachedPolicies", RoleName=job.get("role")
        )
    except ApiError as error:
        if error.code in GONE:
            return None
        raise
    arn = job.get("policyArn")
    if not any(policy["PolicyArn"] == arn for policy in found):
        return None
    return {"role": job.get("role"), "policyArn": arn}


ROWS: Final = {
    "aws:iam/role:Role": Row(
        "iam",
        {
            "name": text("RoleName", replace=True, computed=True),
            "namePrefix": local("text", replace=True),
            "path": text(replace=True, default="/"),
            "assumeRolePolicy": document("AssumeRolePolicyDocument", required=True),
            "description": text(),
            "maxSessionDuration": number(default=3600),
            "permissionsBoundary": text(),
            "forceDetachPolicies": local(default=False),
            "managedPolicyArns": text_set("", computed=True),
            "inlinePolicies": block_set(
                {"name": text(), "policy": document()}, "", computed=True
            ),
            "tags": TAGS,
        },
        Create("create_role", "Role.RoleName"),
        _read_role,
        _delete_role,
        update=[
            Change(
                ["assumeRolePolicy"], "update_assume_role_policy",
                {"RoleName": "{id}", "PolicyDocument": "{assumeRolePolicy}"}, send=[],
            ),
            Change(
                ["description", "maxSessionDuration"], "update_role", {"RoleName": "{id}"},
                cleared={"description": ""},
            ),
            _change_role,
            _bring_policies,
        ],
        outputs=["arn", "createDate", "uniqueId"],
        ready=_bring_policies,
        auto=Auto(longest=64),
        tags=tags_of("role", {"RoleName": "{id}"}),
        regional=False,
    ),
    "aws:iam/rolePolicy:RolePolicy": Row(
        "iam",
        {
            "name": text("PolicyName", replace=True, computed=True),
            "namePrefix": local("text", replace=True),
            "role": text("RoleName", replace=True, required=True),
            "policy": document("PolicyDocument", required=True),
        },
        _role_policy_id,
        _read_role_policy,
        Delete("delete_role_policy", {"RoleName": "{role}", "PolicyName": "{name}"}, GONE),
        update=[
            Change(
                ["policy"], "put_role_policy", {"RoleName": "{role}", "PolicyName": "{name}"}
            )
        ],
        auto=Auto(longest=128),
        regional=False,
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Row(
        "iam",
        replacing({"role": text("RoleName", required=True), "policyArn": text(required=True)}),
        _attach,
        _read_attachment,
        Delete("detach_role_policy", {"RoleName": "{role}", "PolicyArn": "{policyArn}"}, GONE),
        regional=False,
    ),
}  # fmt: skip
