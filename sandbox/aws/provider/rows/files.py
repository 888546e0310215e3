"""File systems: EFS."""

import secrets
from typing import Final

from engine.values import Properties
from sandbox.aws.provider.calls import Change, Create, Delete, Find
from sandbox.aws.provider.fields import (
    TAGS,
    block,
    blocks,
    flag,
    number,
    text,
    text_set,
    to_aws,
)
from sandbox.aws.provider.table import Job, Row
from sandbox.aws.provider.tags import by_arn

_EFS_GONE: Final = ["FileSystemNotFound"]


_TARGET_GONE: Final = ["MountTargetNotFound", *_EFS_GONE]


_EFS: Final = Find(
    "describe_file_systems",
    {"FileSystemId": "{id}"},
    "FileSystems[0]",
    gone=_EFS_GONE,
    dead=("LifeCycleState", ["deleted"]),
    outputs={
        "arn": "FileSystemArn",
        "availabilityZoneId": "AvailabilityZoneId || ''",
        "dnsName": "{id}.efs.{region}.amazonaws.com",
        "name": "Name || ''",
        "numberOfMountTargets": "NumberOfMountTargets",
        "ownerId": "OwnerId",
        "kmsKeyId": "KmsKeyId || ''",
    },
)


_POLICY: Final = {
    "transitionToArchive": text("TransitionToArchive"),
    "transitionToIa": text("TransitionToIA"),
    "transitionToPrimaryStorageClass": text(),
}


def _create_efs(job: Job) -> str:
    # AWS wants a token of every file system; without one in the program it is the urn's own name.
    token = job.news.get("creationToken") or f"pulumi-{secrets.token_hex(13)}"
    job.news["creationToken"] = token
    return Create("create_file_system", "FileSystemId")(job)


def _read_efs(job: Job) -> Properties | None:
    item = _EFS.item(job)
    if item is None:
        return None
    size = item.get("SizeInBytes") or {}
    rules = job.call("describe_lifecycle_configuration", FileSystemId=job.id)["LifecyclePolicies"]
    protection = (item.get("FileSystemProtection") or {}).get("ReplicationOverwriteProtection")
    return _EFS.props(job, item) | {
        "sizeInBytes": [
            {
                "value": size.get("Value", 0),
                "valueInIa": size.get("ValueInIA", 0),
                "valueInStandard": size.get("ValueInStandard", 0),
            }
        ],
        "lifecyclePolicies": [
            {name: rule[f.param(name)] for name, f in _POLICY.items() if rule.get(f.param(name))}
            for rule in rules
        ],
        "protection": {"replicationOverwrite": protection or "ENABLED"},
    }


def _set_lifecycle(job: Job) -> None:
    wanted = job.news.get("lifecyclePolicies") or []
    if "lifecyclePolicies" in job.changed or (wanted and not job.olds):
        rules = [to_aws(_POLICY, rule) for rule in wanted]
        job.call("put_lifecycle_configuration", FileSystemId=job.id, LifecyclePolicies=rules)


def _efs_available(job: Job) -> None:
    def done() -> bool:
        return bool((_EFS.item(job) or {}).get("LifeCycleState") == "available")

    job.wait(f"file system {job.id} is available", done)
    _set_lifecycle(job)


_TARGET: Final = Find(
    "describe_mount_targets",
    {"MountTargetId": "{id}"},
    "MountTargets[0]",
    gone=_TARGET_GONE,
    dead=("LifeCycleState", ["deleted"]),
    outputs={
        "availabilityZoneId": "AvailabilityZoneId || ''",
        "availabilityZoneName": "AvailabilityZoneName || ''",
        "dnsName": "{fileSystemId}.efs.{region}.amazonaws.com",
        "fileSystemArn":
            "arn:{partition}:elasticfilesystem:{region}:{account}:file-system/{fileSystemId}",
        "networkInterfaceId": "NetworkInterfaceId",
        "ownerId": "OwnerId || ''",
    },
)  # fmt: skip


def _read_target(job: Job) -> Properties | None:
    item = _TARGET.item(job)
    if item is None:
        return None
    groups = job.call("describe_mount_target_security_groups", MountTargetId=job.id)
    props = _TARGET.props(job, item) | {"securityGroups": groups["SecurityGroups"]}
    zone = props["availabilityZoneName"]
    return props | {"mountTargetDnsName": f"{zone}.{props['dnsName']}"}


def _target_available(job: Job) -> None:
    def done() -> bool:
        return bool((_TARGET.item(job) or {}).get("LifeCycleState") == "available")

    job.wait(f"mount target {job.id} is available", done)


ROWS: Final = {
    "aws:efs/fileSystem:FileSystem": Row(
        "efs",
        {
            "creationToken": text(replace=True, computed=True),
            "availabilityZoneName": text(replace=True, computed=True),
            "encrypted": flag(replace=True, computed=True),
            "kmsKeyId": text(replace=True, computed=True),
            "performanceMode": text(replace=True, computed=True),
            "throughputMode": text(default="bursting"),
            "provisionedThroughputInMibps": number(),
            "lifecyclePolicies": blocks(_POLICY, ""),
            "protection": block({"replicationOverwrite": text(computed=True)}, "", computed=True),
            "tags": TAGS,
        },
        _create_efs,
        _read_efs,
        Delete("delete_file_system", {"FileSystemId": "{id}"}, _EFS_GONE,
               ["FileSystemInUse"], until_gone=True),
        update=[
            Change(
                ["throughputMode", "provisionedThroughputInMibps"], "update_file_system",
                {"FileSystemId": "{id}"}, send=["throughputMode", "provisionedThroughputInMibps"],
            ),
            _set_lifecycle,
        ],
        outputs=[
            "arn", "availabilityZoneId", "dnsName", "name", "numberOfMountTargets", "ownerId",
            "sizeInBytes",
        ],
        ready=_efs_available,
        tags=by_arn({"ResourceId": "{id}"}),
    ),
    "aws:efs/mountTarget:MountTarget": Row(
        "efs",
        {
            "fileSystemId": text(replace=True, required=True),
            "subnetId": text(replace=True, required=True),
            "ipAddress": text(replace=True, computed=True),
            "securityGroups": text_set(computed=True),
        },
        Create("create_mount_target", "MountTargetId"),
        _read_target,
        Delete("delete_mount_target", {"MountTargetId": "{id}"}, _TARGET_GONE, until_gone=True),
        update=[
            Change(
                ["securityGroups"], "modify_mount_target_security_groups", {"MountTargetId": "{id}"}
            )
        ],
        outputs=[
            "availabilityZoneId", "availabilityZoneName", "dnsName", "fileSystemArn",
            "mountTargetDnsName", "networkInterfaceId", "ownerId", "ipAddressType", "ipv6Address",
        ],
        ready=_target_available,
        # There is one in a zone at a time.
        delete_first=True,
    ),
}  # fmt: skip
