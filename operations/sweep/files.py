"""What holds data. The name is asked for too: people tag data of their own to see its costs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations.sweep.kinds import Client, Kind, Scope, bears, is_gone, pages, tag_filter, value_of
from operations.sweeping import Found

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCH = 1000  # the most that DeleteObjects takes


def _buckets(client: Client, scope: Scope) -> Iterator[Found]:
    for bucket in pages(client, "list_buckets", "Buckets", Prefix=scope.prefix):
        name = bucket["Name"]
        if name.startswith(scope.prefix) and _is_bucket_of(client, name, scope):
            yield Found(name)


def _is_bucket_of(client: Client, name: str, scope: Scope) -> bool:
    try:
        return bears(client.get_bucket_tagging(Bucket=name)["TagSet"], scope.cluster)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchTagSet":
            return _is_cut_off(client, name, scope)
        if is_gone(error):
            return False
        raise


def _is_cut_off(client: Client, name: str, scope: Scope) -> bool:
    """Whether a bucket without tags is one whose `up` was killed before it could be tagged.

    S3 takes tags by a second call. It then has the name that Pulumi chose, and nothing in it.
    """
    if not re.fullmatch(re.escape(scope.prefix) + "[0-9a-f]{7}", name):
        return False
    return not client.list_object_versions(Bucket=name, MaxKeys=1).keys() & {
        "Versions",
        "DeleteMarkers",
    }


def _delete_bucket(client: Client, name: str) -> None:
    items = [
        {"Key": item["Key"], "VersionId": item["VersionId"]}
        for kind in ("Versions", "DeleteMarkers")
        for item in pages(client, "list_object_versions", kind, Bucket=name)
    ]
    for start in range(0, len(items), _BATCH):
        batch = {"Objects": items[start : start + _BATCH], "Quiet": True}
        client.delete_objects(Bucket=name, Delete=batch)
    client.delete_bucket(Bucket=name)


def _is_ours(system: dict[str, Any], scope: Scope) -> bool:
    tags = system.get("Tags", ())
    name = value_of("Name", tags) or ""
    return bears(tags, scope.cluster) and name.startswith(scope.prefix)


def _efs(client: Client, scope: Scope) -> Iterator[Found]:
    for system in pages(client, "describe_file_systems", "FileSystems"):
        if _is_ours(system, scope) and system["LifeCycleState"] != "deleted":
            yield Found(system["FileSystemId"], system["LifeCycleState"] == "deleting")


def _delete_efs(client: Client, identifier: str) -> None:
    """Delete it after its mount targets; until these are gone AWS says FileSystemInUse."""
    targets = pages(client, "describe_mount_targets", "MountTargets", FileSystemId=identifier)
    for target in list(targets):
        if target["LifeCycleState"] not in {"deleting", "deleted"}:
            client.delete_mount_target(MountTargetId=target["MountTargetId"])
    client.delete_file_system(FileSystemId=identifier)


def _lustre(client: Client, scope: Scope) -> Iterator[Found]:
    for system in pages(client, "describe_file_systems", "FileSystems"):
        if _is_ours(system, scope):
            yield Found(system["FileSystemId"], system["Lifecycle"] == "DELETING")


def _volumes(client: Client, scope: Scope) -> Iterator[Found]:
    for volume in pages(client, "describe_volumes", "Volumes", Filters=tag_filter(scope)):
        if _is_ours(volume, scope) and volume["State"] != "deleted":
            yield Found(volume["VolumeId"], volume["State"] == "deleting")


KINDS = (
    Kind("volume", "ec2", _volumes, lambda c, i: c.delete_volume(VolumeId=i)),
    Kind("bucket", "s3", _buckets, _delete_bucket),
    Kind("EFS file system", "efs", _efs, _delete_efs),
    Kind(
        "Lustre file system",
        "fsx",
        _lustre,
        lambda c, i: c.delete_file_system(FileSystemId=i),
    ),
)
