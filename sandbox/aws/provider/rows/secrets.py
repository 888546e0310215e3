"""Secrets and parameters."""

from typing import Any, Final

from engine.values import Properties
from sandbox.aws.provider.calls import Change, Create, Delete, Find
from sandbox.aws.provider.errors import ApiError
from sandbox.aws.provider.fields import (
    TAGS,
    document,
    local,
    text,
    text_set,
)
from sandbox.aws.provider.table import ALL_TAGS, Auto, Job, Row
from sandbox.aws.provider.tags import TagForm, by_arn, unpaired

_SECRET_GONE: Final = ["ResourceNotFoundException"]
_MOST_DAYS: Final = 30


def _read_secret(job: Job) -> Properties | None:
    find = Find(
        "describe_secret",
        {"SecretId": "{id}"},
        gone=_SECRET_GONE,
        dead=("DeletedDate && 'gone'", ["gone"]),
        outputs={"arn": "ARN", "kmsKeyId": "KmsKeyId || ''", "replicas": "`[]`", "type": "''"},
    )
    props = find(job)
    if props is None:
        return None
    policy = job.call("get_resource_policy", SecretId=job.id).get("ResourcePolicy")
    return props | {"policy": policy or ""}


def _secret_policy(job: Job) -> None:
    if policy := job.news.get("policy"):
        if policy != job.olds.get("policy"):
            job.call("put_resource_policy", SecretId=job.id, ResourcePolicy=policy)
    elif "policy" in job.changed:
        job.call("delete_resource_policy", SecretId=job.id)


def _delete_secret(job: Job) -> None:
    days = job.olds.get("recoveryWindowInDays")
    days = _MOST_DAYS if days is None else int(days)
    how: dict[str, Any] = (
        {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
    )
    try:
        job.call("delete_secret", SecretId=job.id, **how)
    except ApiError as error:
        if error.code not in _SECRET_GONE:
            raise
    job.wait(f"secret {job.id} is gone", lambda: job.row.read(job) is None)


def _put_version(job: Job) -> str:
    answer = job.call("put_secret_value", **job.params())
    return f"{job.get('secretId')}|{answer['VersionId']}"


def _read_version(job: Job) -> Properties | None:
    secret, version = job.id.rsplit("|", 1)
    try:
        found = job.call("get_secret_value", SecretId=secret, VersionId=version)
    except ApiError as error:
        deleted = error.code == "InvalidRequestException" and "deletion" in error.text
        if error.code in _SECRET_GONE or deleted:
            return None
        raise
    return {
        "secretId": secret,
        "secretString": found.get("SecretString", ""),
        "versionId": version,
        "versionStages": found.get("VersionStages", []),
        "arn": found["ARN"],
        "secretArn": found["ARN"],
        "hasSecretStringWo": False,
    }


def _move_stages(job: Job) -> None:
    if "versionStages" not in job.changed or job.news.get("versionStages") is None:
        return
    version, old = job.olds["versionId"], set(job.olds.get("versionStages") or [])
    for stage in sorted(set(job.news["versionStages"]) - old):
        where = {"SecretId": job.get("secretId"), "VersionStage": stage}
        job.call("update_secret_version_stage", **where, MoveToVersionId=version)
    for stage in sorted(old - set(job.news["versionStages"]) - {"AWSCURRENT"}):
        where = {"SecretId": job.get("secretId"), "VersionStage": stage}
        job.call("update_secret_version_stage", **where, RemoveFromVersionId=version)


def _drop_version(job: Job) -> None:
    """Take the version's stages away; the current one goes with its secret."""
    found = _read_version(job)
    for stage in (found or {}).get("versionStages", []):
        if stage != "AWSCURRENT":
            job.call(
                "update_secret_version_stage",
                SecretId=job.get("secretId"),
                VersionStage=stage,
                RemoveFromVersionId=job.olds["versionId"],
            )


def _put_parameter(job: Job, *, overwrite: bool) -> None:
    params = job.params(
        "name", "type", "description", "keyId", "allowedPattern", "dataType", "tier"
    )
    if params.get("Tier") == "Standard" and not job.news.get("tier"):
        params.pop("Tier")
    if job.get("type") != "SecureString":
        params.pop("KeyId", None)
    value = job.news.get("value")
    params["Value"] = str(job.news.get("insecureValue") if value is None else value)
    if overwrite:
        params["Overwrite"] = True
    else:
        params |= job.row.tags.for_create(job.tags) if job.row.tags else {}
        params["Overwrite"] = bool(job.news.get("overwrite"))
        if params["Overwrite"]:
            params.pop("Tags", None)
    job.call("put_parameter", **params)


def _create_parameter(job: Job) -> str:
    _put_parameter(job, overwrite=False)
    if job.news.get("overwrite") and job.tags and job.row.tags:
        where = {"ResourceType": "Parameter", "ResourceId": job.get("name")}
        job.call("add_tags_to_resource", **where, Tags=job.row.tags.form(job.tags))
    return str(job.get("name"))


def _change_parameter(job: Job) -> None:
    if job.changed - {ALL_TAGS, "tags", "overwrite"}:
        _put_parameter(job, overwrite=True)


def _read_parameter(job: Job) -> Properties | None:
    try:
        found = job.call("get_parameter", Name=job.id, WithDecryption=True)["Parameter"]
    except ApiError as error:
        if error.code == "ParameterNotFound":
            return None
        raise
    where = [{"Key": "Name", "Option": "Equals", "Values": [job.id]}]
    described = job.call("describe_parameters", ParameterFilters=where)["Parameters"]
    more = described[0] if described else {}
    tags = job.call("list_tags_for_resource", ResourceType="Parameter", ResourceId=job.id)
    secret = found["Type"] == "SecureString"
    insecure = not secret and job.get("insecureValue") is not None
    return {
        "name": found["Name"],
        "type": found["Type"],
        # Both names of one value: the one in use is compared.
        "value": found["Value"],
        "insecureValue": found["Value"] if insecure else None,
        "arn": found["ARN"],
        "version": found["Version"],
        "dataType": found.get("DataType", "text"),
        "description": more.get("Description", ""),
        "allowedPattern": more.get("AllowedPattern", ""),
        "keyId": more.get("KeyId", "") if secret else "",
        "tier": more.get("Tier", "Standard"),
        "hasValueWo": False,
        ALL_TAGS: unpaired(tags["TagList"]),
    }


def _value(inputs: Properties) -> list[tuple[str, str]]:
    if ("value" in inputs) == ("insecureValue" in inputs):
        return [("value", "exactly one of value and insecureValue must be given")]
    return []


_ON_PARAMETER: Final = {"ResourceType": "Parameter", "ResourceId": "{id}"}

ROWS: Final = {
    "aws:secretsmanager/secret:Secret": Row(
        "secretsmanager",
        {
            "name": text(replace=True, computed=True),
            "namePrefix": local("text", replace=True),
            "description": text(),
            "kmsKeyId": text(),
            "policy": document("", computed=True),
            "recoveryWindowInDays": local("number", default=_MOST_DAYS),
            "forceOverwriteReplicaSecret": local(default=False),
            "tags": TAGS,
        },
        Create("create_secret", "ARN"),
        _read_secret,
        _delete_secret,
        update=[
            Change(
                ["description", "kmsKeyId"], "update_secret", {"SecretId": "{id}"},
                cleared={"description": "", "kmsKeyId": ""},
            ),
            _secret_policy,
        ],
        outputs=["arn", "replicas", "type"],
        ready=_secret_policy,
        auto=Auto(longest=512),
        tags=by_arn({"SecretId": "{id}"}),
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": Row(
        "secretsmanager",
        {
            "secretId": text(replace=True, required=True),
            "secretString": text(replace=True, secret=True),
            "versionStages": text_set(computed=True),
        },
        _put_version,
        _read_version,
        _drop_version,
        update=[_move_stages],
        outputs=["arn", "hasSecretStringWo", "secretArn", "versionId"],
    ),
    "aws:ssm/parameter:Parameter": Row(
        "ssm",
        {
            "name": text(replace=True, computed=True),
            "type": text(required=True),
            "value": text("", computed=True, secret=True),
            "insecureValue": text("", computed=True),
            "description": text(),
            "keyId": text(computed=True),
            "allowedPattern": text(),
            "dataType": text(replace=True, computed=True),
            "tier": text(computed=True),
            "arn": text("", computed=True),
            "overwrite": local(),
            "tags": TAGS,
        },
        _create_parameter,
        _read_parameter,
        Delete("delete_parameter", {"Name": "{id}"}, ["ParameterNotFound"]),
        update=[_change_parameter],
        outputs=["hasValueWo", "version"],
        auto=Auto(longest=2048),
        tags=TagForm(
            ("add_tags_to_resource", _ON_PARAMETER, "Tags"),
            ("remove_tags_from_resource", _ON_PARAMETER, "TagKeys"),
        ),
        moving=lambda job: ["version"] if job.changed - {ALL_TAGS, "tags"} else [],
        check=_value,
    ),
}  # fmt: skip
