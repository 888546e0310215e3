"""Buckets and file systems."""

from __future__ import annotations

import base64
import json

from tests.sandbox.provider.cases.case import Call, Case

TAG = {"Key": "dask-cluster", "Value": "dev"}
A = {"Key": "a", "Value": "b"}


def policy(effect: str) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": effect,
                    "Principal": "*",
                    "Action": "s3:GetObject",
                    "Resource": "arn:aws:s3:::${bucket.bucket}/nothing/*",
                }
            ],
        }
    )


CASES = [
    Case(
        "bucket",
        "s3.Bucket",
        {"force_destroy": True},
        Call(
            "s3",
            "get_bucket_tagging",
            {"Bucket": "${bucket.bucket}"},
            "{tags: sort_by(TagSet, &Key)}",
        ),
        {"tags": [TAG]},
        then={"tags": {"a": "b"}},
        had={"tags": [A, TAG]},
        by_hand=(
            Call(
                "s3",
                "put_bucket_tagging",
                {"Bucket": "${bucket.bucket}", "Tagging": {"TagSet": [TAG]}},
            ),
        ),
        seen=("tags.a",),
        replacing={"bucket": "other", "bucketPrefix": "other", "objectLockEnabled": True},
        by_others=("policy",),
    ),
    Case(
        "block",
        "s3.BucketPublicAccessBlock",
        {"bucket": "${bucket.bucket}", "block_public_acls": True, "ignore_public_acls": True},
        Call(
            "s3",
            "get_public_access_block",
            {"Bucket": "${bucket.bucket}"},
            "PublicAccessBlockConfiguration",
        ),
        {
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": False,
            "RestrictPublicBuckets": False,
        },
        then={"block_public_policy": True, "restrict_public_buckets": True},
        had={"BlockPublicPolicy": True, "RestrictPublicBuckets": True},
        by_hand=(
            Call(
                "s3",
                "put_public_access_block",
                {
                    "Bucket": "${bucket.bucket}",
                    "PublicAccessBlockConfiguration": {"BlockPublicAcls": True},
                },
            ),
        ),
        seen=("blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"),
        replacing={"bucket": "other"},
    ),
    Case(
        "guard",
        "s3.BucketPolicy",
        {"bucket": "${bucket.bucket}", "policy": policy("Deny")},
        Call("s3", "get_bucket_policy", {"Bucket": "${bucket.bucket}"}, "{policy: Policy}"),
        {"policy": policy("Deny")},
        then={"policy": policy("Allow")},
        had={"policy": policy("Allow")},
        by_hand=(
            Call(
                "s3",
                "put_bucket_policy",
                {"Bucket": "${bucket.bucket}", "Policy": policy("Deny")},
            ),
        ),
        seen=("policy",),
        replacing={"bucket": "other"},
    ),
    Case(
        "encryption",
        "s3.BucketServerSideEncryptionConfiguration",
        {
            "bucket": "${bucket.bucket}",
            "rules": [
                {"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}},
            ],
        },
        Call(
            "s3",
            "get_bucket_encryption",
            {"Bucket": "${bucket.bucket}"},
            "ServerSideEncryptionConfiguration.Rules[0]"
            ".{how: ApplyServerSideEncryptionByDefault.SSEAlgorithm}",
        ),
        {"how": "AES256"},
        then={
            "rules": [
                {"apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms"}},
            ]
        },
        had={"how": "aws:kms"},
        by_hand=(
            Call(
                "s3",
                "put_bucket_encryption",
                {
                    "Bucket": "${bucket.bucket}",
                    "ServerSideEncryptionConfiguration": {
                        "Rules": [
                            {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                        ]
                    },
                },
            ),
        ),
        seen=("rules[0].applyServerSideEncryptionByDefault.sseAlgorithm",),
        replacing={"bucket": "other", "expectedBucketOwner": "1"},
    ),
    Case(
        "archive",
        "s3.BucketObjectv2",
        {
            "bucket": "${bucket.bucket}",
            "key": "archive/one.tar.gz",
            "content_base64": base64.b64encode(b"\x00one").decode(),
            "content_type": "application/gzip",
        },
        Call(
            "s3",
            "get_object",
            {"Bucket": "${bucket.bucket}", "Key": "archive/one.tar.gz"},
            "{body: Body, type: ContentType}",
        ),
        {"body": "\x00one", "type": "application/gzip"},
        then={"content_base64": base64.b64encode(b"\x00two").decode()},
        had={"body": "\x00two"},
        by_hand=(
            Call(
                "s3",
                "put_object",
                {
                    "Bucket": "${bucket.bucket}",
                    "Key": "archive/one.tar.gz",
                    "Body": "?",
                    "ContentType": "application/gzip",
                },
            ),
        ),
        seen=("contentBase64",),
        replacing={"bucket": "other", "key": "other"},
        unknown=(
            "etag",
            "versionId",
            "checksumCrc32",
            "checksumCrc32c",
            "checksumCrc64nvme",
            "checksumSha1",
            "checksumSha256",
        ),
        by_others=("serverSideEncryption",),
    ),
    Case(
        "files",
        "efs.FileSystem",
        {"encrypted": True, "lifecycle_policies": [{"transition_to_ia": "AFTER_30_DAYS"}]},
        Call(
            "efs",
            "describe_file_systems",
            {"FileSystemId": "${files.id}"},
            "FileSystems[0].{encrypted: Encrypted, mode: ThroughputMode, "
            "tags: sort_by(Tags, &Key)}",
        ),
        {"encrypted": True, "mode": "bursting", "tags": [TAG]},
        then={"tags": {"a": "b"}, "lifecycle_policies": []},
        had={"tags": [A, TAG]},
        by_hand=(Call("efs", "untag_resource", {"ResourceId": "${files.id}", "TagKeys": ["a"]}),),
        seen=("tags.a",),
        replacing={
            "creationToken": "other",
            "availabilityZoneName": "us-east-1b",
            "encrypted": False,
            "kmsKeyId": "arn:aws:kms:us-east-1:1:key/x",
            "performanceMode": "maxIO",
        },
        by_others=("numberOfMountTargets",),
    ),
    Case(
        "target",
        "efs.MountTarget",
        {
            "file_system_id": "${files.id}",
            "subnet_id": "${subnet.id}",
            "security_groups": ["${group.id}"],
        },
        Call(
            "efs",
            "describe_mount_target_security_groups",
            {"MountTargetId": "${target.id}"},
            "{groups: SecurityGroups}",
        ),
        {"groups": ["${group.id}"]},
        then={"security_groups": ["${closed.id}"]},
        had={"groups": ["${closed.id}"]},
        by_hand=(
            Call(
                "efs",
                "modify_mount_target_security_groups",
                {"MountTargetId": "${target.id}", "SecurityGroups": ["${group.id}"]},
            ),
        ),
        seen=("securityGroups",),
        replacing={
            "fileSystemId": "fs-other",
            "subnetId": "subnet-other",
            "ipAddress": "10.0.0.99",
        },
    ),
    Case(
        "lustre",
        "fsx.LustreFileSystem",
        {
            "subnet_ids": "${subnet.id}",
            "storage_capacity": 1200,
            "deployment_type": "SCRATCH_2",
            "security_group_ids": ["${group.id}"],
        },
        Call(
            "fsx",
            "describe_file_systems",
            {"FileSystemIds": ["${lustre.id}"]},
            "FileSystems[0].{size: StorageCapacity, subnets: SubnetIds, "
            "kind: LustreConfiguration.DeploymentType, tags: sort_by(Tags, &Key)}",
        ),
        {"size": 1200, "subnets": ["${subnet.id}"], "kind": "SCRATCH_2", "tags": [TAG]},
        then={"tags": {"a": "b"}},
        had={"tags": [A, TAG]},
        by_hand=(
            Call(
                "fsx",
                "untag_resource",
                {"ResourceARN": "${lustre.arn}", "TagKeys": ["a"]},
            ),
        ),
        seen=("tags.a",),
        replacing={
            "subnetIds": "subnet-other",
            "storageCapacity": 600,
            "storageType": "HDD",
            "fileSystemTypeVersion": "2.12",
            "kmsKeyId": "arn:aws:kms:us-east-1:1:key/x",
            "securityGroupIds": ["sg-other"],
            "copyTagsToBackups": True,
            "deploymentType": "PERSISTENT_2",
            "driveCacheType": "READ",
            "efaEnabled": True,
            "exportPath": "s3://x/y",
            "importPath": "s3://x",
            "perUnitStorageThroughput": 125,
        },
    ),
]
