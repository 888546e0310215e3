"""Objects in S3."""

import base64
from typing import Final
from urllib.parse import urlencode

from engine.values import Properties
from sandbox.aws.provider.calls import Delete
from sandbox.aws.provider.errors import ApiError
from sandbox.aws.provider.fields import (
    TAGS,
    flag,
    local,
    mapping,
    replacing,
    text,
)
from sandbox.aws.provider.rows.buckets import BUCKET_TAGS, GONE
from sandbox.aws.provider.table import ALL_TAGS, Auto, Job, Row
from sandbox.aws.provider.tags import pairs, unpaired


def _as_bytes(job: Job) -> bytes:
    if (encoded := job.news.get("contentBase64")) is not None:
        return base64.b64decode(encoded)
    return str(job.news.get("content") or "").encode()


def _put_object(job: Job) -> str:
    tags = {"Tagging": urlencode(job.tags)} if job.tags else {}
    job.call("put_object", Body=_as_bytes(job), **job.params(), **tags)
    # From now on another mark is right.
    job.olds.pop("etag", None)
    return str(job.get("key"))


def _change_object(job: Job) -> None:
    if job.changed - {ALL_TAGS, "tags", "forceDestroy"}:
        _put_object(job)
        job.changed -= {ALL_TAGS}
    elif ALL_TAGS in job.changed:
        where = {"Bucket": job.get("bucket"), "Key": job.get("key")}
        job.call("put_object_tagging", **where, Tagging={"TagSet": pairs(job.tags)})
        job.changed -= {ALL_TAGS}


def _read_object(job: Job) -> Properties | None:
    where = {"Bucket": job.get("bucket"), "Key": job.get("key")}
    try:
        head = job.call("head_object", **where)
        tags = job.call("get_object_tagging", **where)["TagSet"]
    except ApiError as error:
        if error.code in {"NoSuchKey", *GONE}:
            return None
        raise
    etag = head["ETag"].strip('"')
    props: Properties = {
        "bucket": where["Bucket"],
        "key": where["Key"],
        "arn": f"arn:{job.aws.partition}:s3:::{where['Bucket']}/{where['Key']}",
        "etag": etag,
        "contentType": head.get("ContentType", ""),
        "cacheControl": head.get("CacheControl", ""),
        "contentDisposition": head.get("ContentDisposition", ""),
        "contentEncoding": head.get("ContentEncoding", ""),
        "contentLanguage": head.get("ContentLanguage", ""),
        "metadata": head.get("Metadata") or {},
        "storageClass": head.get("StorageClass", "STANDARD"),
        "serverSideEncryption": head.get("ServerSideEncryption", "AES256"),
        "versionId": head.get("VersionId", ""),
        "bucketKeyEnabled": head.get("BucketKeyEnabled", False),
        ALL_TAGS: unpaired(tags),
    }
    for name in ("Crc32", "Crc32c", "Crc64nvme", "Sha1", "Sha256"):
        props[f"checksum{name}"] = head.get(f"Checksum{name.upper()}", "")
    # Another body has another mark; what the program sent cannot be had back.
    same = job.olds.get("etag") in (None, etag)
    for name in ("content", "contentBase64"):
        if job.get(name) is not None:
            props[name] = job.get(name) if same else ""
    return props


def _object_moving(job: Job) -> list[str]:
    if job.changed & {"content", "contentBase64"}:
        return ["etag", "versionId", "checksumCrc32", "checksumCrc32c", "checksumCrc64nvme",
                "checksumSha1", "checksumSha256"]  # fmt: skip
    return []


ROWS: Final = {
    "aws:s3/bucketObjectv2:BucketObjectv2": Row(
        "s3",
        {
            **replacing({"bucket": text(required=True), "key": text(computed=True)}),
            "content": text(""),
            "contentBase64": text(""),
            "contentType": text(computed=True),
            "cacheControl": text(),
            "contentDisposition": text(),
            "contentEncoding": text(),
            "contentLanguage": text(),
            "metadata": mapping(),
            "storageClass": text(computed=True),
            "serverSideEncryption": text(computed=True),
            "bucketKeyEnabled": flag(computed=True),
            "forceDestroy": local(default=False),
            "tags": TAGS,
        },
        _put_object,
        _read_object,
        Delete("delete_object", {"Bucket": "{bucket}", "Key": "{key}"}, ["NoSuchKey", *GONE]),
        update=[_change_object],
        outputs=[
            "arn", "checksumCrc32", "checksumCrc32c", "checksumCrc64nvme", "checksumSha1",
            "checksumSha256", "etag", "versionId",
        ],
        auto=Auto("key", 1024, digits=0, unless=""),
        tags=BUCKET_TAGS,
        moving=_object_moving,
    ),
}  # fmt: skip
