"""Which rights each call of S3 needs: operations and actions have other names there."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from moto.s3.models import FakeBucket, FakeDeleteMarker, s3_backends

from sandbox.aws.server.access.asked import Asked
from sandbox.aws.server.access.evaluate import Need


def bucket(account: str, partition: str, name: str) -> FakeBucket | None:
    """Return a bucket."""
    found: FakeBucket | None = s3_backends[account][partition].buckets.get(name)
    return found


def bucket_of(resource: str) -> str:
    """Return the name of the bucket in an ARN of S3."""
    return resource.partition(":::")[2].partition("/")[0]


def _read(asked: Asked) -> list[Need]:
    """GetObject and HeadObject: whoever may not list a bucket is not told that a key is missing."""
    version = asked.params.get("VersionId")
    needs = [_object(asked, "GetObjectVersion" if version else "GetObject")]
    found = bucket(asked.account, asked.partition, str(asked.params["Bucket"]))
    if found is None:
        return []
    key = found.keys.get(str(asked.params["Key"]))
    if version is None and (key is None or isinstance(key, FakeDeleteMarker)):
        needs.append(_on_bucket(asked, "ListBucket"))
    return needs


def _write(asked: Asked) -> list[Need]:
    """What makes an object, whole or in parts; a copy reads another one."""
    needs = [_object(asked, "PutObject")]
    if asked.params.get("Tagging"):
        needs.append(_object(asked, "PutObjectTagging"))
    if asked.params.get("ACL"):
        needs.append(_object(asked, "PutObjectAcl"))
    if source := asked.params.get("CopySource"):
        path, _, version = unquote(str(source)).removeprefix("/").partition("?versionId=")
        action = "s3:GetObjectVersion" if version else "s3:GetObject"
        needs.append(_need(asked, path, action))
    return needs


def _delete(asked: Asked) -> list[Need]:
    version = asked.params.get("VersionId")
    return [_object(asked, "DeleteObjectVersion" if version else "DeleteObject")]


def _delete_many(asked: Asked) -> list[Need]:
    """DeleteObjects; AWS refuses key by key within its answer, and here all of it is refused."""
    rows: list[dict[str, Any]] = asked.params["Delete"]["Objects"]
    return [
        _need(
            asked,
            f"{asked.params['Bucket']}/{row['Key']}",
            "s3:DeleteObjectVersion" if row.get("VersionId") else "s3:DeleteObject",
        )
        for row in rows
    ]


def _of_object(action: str) -> Callable[[Asked], list[Need]]:
    return lambda asked: [_object(asked, action)]


def _of_bucket(action: str) -> Callable[[Asked], list[Need]]:
    return lambda asked: [_on_bucket(asked, action)]


def _object(asked: Asked, action: str) -> Need:
    return _need(asked, f"{asked.params['Bucket']}/{asked.params['Key']}", f"s3:{action}")


def _on_bucket(asked: Asked, action: str) -> Need:
    return _need(asked, str(asked.params["Bucket"]), f"s3:{action}")


def _need(asked: Asked, path: str, action: str) -> Need:
    arn = f"arn:{asked.partition}:s3:::{path}"
    # S3 alone writes it in quotes.
    return asked.need(arn, action=action, shown=f'"{arn}"')


def _every_bucket(asked: Asked) -> list[Need]:
    arn = f"arn:{asked.partition}:s3:::*"
    return [asked.need(arn, action="s3:ListAllMyBuckets", shown=f'"{arn}"')]


TABLE: Final[Mapping[str, Callable[[Asked], list[Need]]]] = {
    "GetObject": _read,
    "HeadObject": _read,
    "PutObject": _write,
    "CopyObject": _write,
    "CreateMultipartUpload": _write,
    "UploadPart": _write,
    "UploadPartCopy": _write,
    "CompleteMultipartUpload": _write,
    "AbortMultipartUpload": _of_object("AbortMultipartUpload"),
    "ListParts": _of_object("ListMultipartUploadParts"),
    "DeleteObject": _delete,
    "DeleteObjects": _delete_many,
    "ListObjects": _of_bucket("ListBucket"),
    "ListObjectsV2": _of_bucket("ListBucket"),
    "HeadBucket": _of_bucket("ListBucket"),
    "GetBucketLocation": _of_bucket("GetBucketLocation"),
    "ListMultipartUploads": _of_bucket("ListBucketMultipartUploads"),
    "DeleteBucket": _of_bucket("DeleteBucket"),
    "ListBuckets": _every_bucket,
}
