"""S3: buckets and their settings."""

from typing import Any, Final

from engine.values import Properties
from sandbox.aws.provider.calls import Delete, Find, again
from sandbox.aws.provider.errors import ApiError
from sandbox.aws.provider.fields import (
    TAGS,
    block,
    blocks,
    document,
    flag,
    local,
    text,
    texts,
    to_aws,
)
from sandbox.aws.provider.table import ALL_TAGS, Auto, Job, Row
from sandbox.aws.provider.tags import TagForm, pairs, unpaired

GONE: Final = ["NoSuchBucket", "404", "NotFound"]


_HOSTED_ZONES: Final = {
    "us-east-1": "Z3AQBSTGFYJSTF", "us-east-2": "Z2O1EMRO9K5GLX", "us-west-1": "Z2F56UZL2M1ACD",
    "us-west-2": "Z3BJ6K6RIION7M", "eu-west-1": "Z1BKCTXD74EZPE", "eu-west-2": "Z3GKZC51ZF0DB4",
    "eu-west-3": "Z3R1K369G5AVDG", "eu-central-1": "Z21DNDUVLTQW6Q", "eu-north-1": "Z3BAZG2TWCNX0D",
}  # fmt: skip


_BATCH: Final = 1000


def _create_bucket(job: Job) -> str:
    name = str(job.get("bucket"))
    params: dict[str, Any] = {"Bucket": name}
    if job.region != "us-east-1":
        params["CreateBucketConfiguration"] = {"LocationConstraint": job.region}
    if job.news.get("objectLockEnabled"):
        params["ObjectLockEnabledForBucket"] = True
    if job.tags:
        where = params.setdefault("CreateBucketConfiguration", {})
        where["Tags"] = pairs(job.tags)
    job.call("create_bucket", **params)
    return name


def _tag_bucket(job: Job) -> None:
    if job.tags:
        job.call("put_bucket_tagging", Bucket=job.id, Tagging={"TagSet": pairs(job.tags)})
    elif job.olds.get(ALL_TAGS):
        job.call("delete_bucket_tagging", Bucket=job.id)


def _bucket_ready(job: Job) -> None:
    if unpaired(_bucket_tags(job)) != job.tags:
        _tag_bucket(job)


def _bucket_tags(job: Job) -> Any:  # noqa: ANN401
    try:
        return job.call("get_bucket_tagging", Bucket=job.id)["TagSet"]
    except ApiError as error:
        if error.code == "NoSuchTagSet":
            return []
        raise


def _change_bucket(job: Job) -> None:
    # All tags of a bucket are set by one call.
    if ALL_TAGS in job.changed:
        _tag_bucket(job)
        job.changed -= {ALL_TAGS}


def _read_bucket(job: Job) -> Properties | None:
    try:
        job.call("head_bucket", Bucket=job.id)
    except ApiError as error:
        if error.code in GONE:
            return None
        raise
    domain = "amazonaws.com.cn" if job.aws.partition == "aws-cn" else "amazonaws.com"
    return {
        "bucket": job.id,
        "bucketPrefix": "",
        "arn": f"arn:{job.aws.partition}:s3:::{job.id}",
        "bucketDomainName": f"{job.id}.s3.{domain}",
        "bucketRegionalDomainName": f"{job.id}.s3.{job.region}.{domain}",
        "bucketRegion": job.region,
        "hostedZoneId": _HOSTED_ZONES.get(job.region, ""),
        "websiteDomain": "",
        "websiteEndpoint": "",
        "acl": "private",
        ALL_TAGS: unpaired(_bucket_tags(job)),
        "objectLockEnabled": job.get("objectLockEnabled"),
        "policy": _policy_of(job, job.id) or "",
        "requestPayer": "BucketOwner",
        "accelerationStatus": "",
    }


def _delete_bucket(job: Job) -> None:
    where = {"Bucket": job.id}
    try:
        if job.olds.get("forceDestroy"):
            for key in ("Versions", "DeleteMarkers"):
                found = job.aws.pages("s3", "list_object_versions", key, job.region, **where)
                items = [{"Key": i["Key"], "VersionId": i["VersionId"]} for i in found]
                for start in range(0, len(items), _BATCH):
                    batch = {"Objects": items[start : start + _BATCH], "Quiet": True}
                    job.call("delete_objects", **where, Delete=batch)
        job.call("delete_bucket", **where)
    except ApiError as error:
        if error.code not in GONE:
            raise


def _put_block(job: Job) -> str:
    names = ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"]
    values = {name[:1].upper() + name[1:]: bool(job.news.get(name)) for name in names}
    job.call(
        "put_public_access_block",
        Bucket=job.get("bucket"),
        PublicAccessBlockConfiguration=values,
    )
    return str(job.get("bucket"))


def _policy_of(job: Job, bucket: str) -> str | None:
    try:
        return str(job.call("get_bucket_policy", Bucket=bucket)["Policy"])
    except ApiError as error:
        if error.code in {"NoSuchBucketPolicy", *GONE}:
            return None
        raise


def _put_policy(job: Job) -> str:
    job.call("put_bucket_policy", Bucket=job.get("bucket"), Policy=job.get("policy"))
    return str(job.get("bucket"))


def _read_policy(job: Job) -> Properties | None:
    policy = _policy_of(job, job.id)
    return None if policy is None else {"bucket": job.id, "policy": policy}


_ENCRYPTION: Final = {
    "applyServerSideEncryptionByDefault": block(
        {"sseAlgorithm": text("SSEAlgorithm"), "kmsMasterKeyId": text("KMSMasterKeyID")}
    ),
    "bucketKeyEnabled": flag(),
    "blockedEncryptionTypes": texts("", computed=True),
}


def _put_encryption(job: Job) -> str:
    rules = [to_aws(_ENCRYPTION, rule) for rule in job.get("rules")]
    job.call(
        "put_bucket_encryption",
        Bucket=job.get("bucket"),
        ServerSideEncryptionConfiguration={"Rules": rules},
    )
    return str(job.get("bucket"))


BUCKET_TAGS: Final = TagForm(
    ("put_bucket_tagging", {}, "Tagging"), ("delete_bucket_tagging", {}, ""), on_create=""
)


_BLOCK: Final = {
    name: flag(default=False)
    for name in (
        "blockPublicAcls",
        "blockPublicPolicy",
        "ignorePublicAcls",
        "restrictPublicBuckets",
    )
}


ROWS: Final = {
    "aws:s3/bucket:Bucket": Row(
        "s3",
        {
            "bucket": text(replace=True, computed=True),
            "bucketPrefix": local("text", replace=True),
            "forceDestroy": local(default=False),
            "objectLockEnabled": flag(replace=True, computed=True),
            "tags": TAGS,
        },
        _create_bucket,
        _read_bucket,
        _delete_bucket,
        update=[_change_bucket],
        outputs=[
            "accelerationStatus", "acl", "arn", "bucketDomainName", "bucketRegion",
            "bucketRegionalDomainName", "hostedZoneId", "policy", "requestPayer", "websiteDomain",
            "websiteEndpoint",
        ],
        ready=_bucket_ready,
        auto=Auto("bucket", 63, lower=True, unless="bucketPrefix"),
        tags=BUCKET_TAGS,
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Row(
        "s3",
        {
            "bucket": text(replace=True, required=True),
            **_BLOCK,
            "skipDestroy": local(default=False),
        },
        _put_block,
        Find(
            "get_public_access_block", {"Bucket": "{id}"}, "PublicAccessBlockConfiguration",
            gone=["NoSuchPublicAccessBlockConfiguration", *GONE], outputs={"bucket": "{id}"},
        ),
        Delete("delete_public_access_block", {"Bucket": "{id}"}, GONE),
        update=[again(_put_block)],
    ),
    "aws:s3/bucketPolicy:BucketPolicy": Row(
        "s3",
        {"bucket": text(replace=True, required=True), "policy": document(required=True)},
        _put_policy,
        _read_policy,
        Delete("delete_bucket_policy", {"Bucket": "{id}"}, GONE),
        update=[again(_put_policy)],
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": Row(
        "s3",
        {
            "bucket": text(replace=True, required=True),
            "expectedBucketOwner": text(replace=True),
            "rules": blocks(_ENCRYPTION, required=True),
        },
        _put_encryption,
        Find(
            "get_bucket_encryption", {"Bucket": "{id}"}, "ServerSideEncryptionConfiguration",
            gone=["ServerSideEncryptionConfigurationNotFoundError", *GONE],
            outputs={"bucket": "{id}"},
        ),
        Delete("delete_bucket_encryption", {"Bucket": "{id}"}, GONE),
        update=[again(_put_encryption)],
    ),
}  # fmt: skip
