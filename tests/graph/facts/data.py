"""Facts about what is kept: the bucket, secrets, file systems, logs, parameters, notices."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.graph.facts.fact import fact, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.graph.recorder import Graph, Resource

BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def buckets(graph: Graph) -> list[Resource]:
    return graph.of("s3/bucket:Bucket")


def _without(graph: Graph, *companions: str) -> Iterator[Resource]:
    """Yield the buckets for which there is none of these resources."""
    served = {each.inputs["bucket"] for each in graph.of(*companions)}
    for bucket in buckets(graph):
        if bucket.outputs["id"] not in served:
            yield bucket


@fact("CKV_AWS_53 CKV_AWS_54 CKV_AWS_55 CKV_AWS_56 CKV2_AWS_6 CIS_3.1.4")
def buckets_block_the_public(graph: Graph) -> Iterator[Resource]:
    """Every bucket blocks public access in all four ways."""
    yield from _without(graph, ":BucketPublicAccessBlock")
    for block in graph.of(":BucketPublicAccessBlock"):
        if not all(block.inputs.get(name) is True for name in BLOCKS):
            yield block


@fact("CIS_3.1.1")
def buckets_speak_tls_only(graph: Graph) -> Iterator[Resource]:
    """Every bucket denies everybody everything without TLS."""
    yield from _without(graph, ":BucketPolicy")
    for policy in graph.of(":BucketPolicy"):
        arn = f"arn:aws:s3:::{policy.inputs['bucket']}"
        denied = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["s3:*"],
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        found = [
            {k: v for k, v in each.items() if k != "Sid"}
            for each in statements(policy.inputs["policy"])
        ]
        if found != [denied]:
            yield policy


@fact("CKV_AWS_21")
def buckets_keep_versions(graph: Graph) -> Iterator[Resource]:
    """Every bucket keeps old versions."""
    yield from _without(graph, ":BucketVersioning")


@fact("CKV_AWS_18")
def buckets_log_access(graph: Graph) -> Iterator[Resource]:
    """Every bucket logs who reads it."""
    yield from _without(graph, ":BucketLogging")


@fact("CKV_AWS_145")
def buckets_have_a_key(graph: Graph) -> Iterator[Resource]:
    """Every bucket is encrypted with KMS."""
    yield from _without(graph, ":BucketServerSideEncryptionConfiguration")


@fact("CKV_AWS_19 CKV_AWS_20: no ACL of ours")
def buckets_have_no_acl(graph: Graph) -> Iterator[Resource]:
    """No bucket and no object has an access list: S3's own default belongs to the owner."""
    for each in graph.of("s3/bucket:Bucket", ":BucketObjectv2"):
        if "acl" in each.inputs or "grants" in each.inputs:
            yield each
    yield from graph.of(":BucketAcl")


@fact("CKV_AWS_42 CIS_3.3.1")
def efs_is_encrypted(graph: Graph) -> Iterator[Resource]:
    """Every EFS file system is encrypted."""
    for each in graph.of("efs/fileSystem:FileSystem"):
        if each.inputs.get("encrypted") is not True:
            yield each


@fact("CKV_AWS_184 CKV_AWS_190 CKV_AWS_149 CKV_AWS_158")
def customer_keys(graph: Graph) -> Iterator[Resource]:
    """File systems, secrets and logs are encrypted with a key of the customer."""
    kinds = ("efs/fileSystem:FileSystem", ":LustreFileSystem", "secret:Secret", ":LogGroup")
    for each in graph.of(*kinds):
        if not each.inputs.get("kmsKeyId"):
            yield each


@fact("CKV_AWS_26 CKV_AWS_337")
def notices_and_reports_have_a_key(graph: Graph) -> Iterator[Resource]:
    """Topics and parameters are encrypted with KMS."""
    for each in graph.of("sns/topic:Topic", "ssm/parameter:Parameter"):
        if not (each.inputs.get("kmsMasterKeyId") or each.inputs.get("keyId")):
            yield each


@fact("CKV_AWS_66")
def logs_end(graph: Graph) -> Iterator[Resource]:
    """Every log group keeps its logs for a time that is set."""
    for each in graph.of(":LogGroup"):
        if not each.inputs.get("retentionInDays"):
            yield each


@fact("CKV_AWS_338")
def logs_last_a_year(graph: Graph) -> Iterator[Resource]:
    """Every log group keeps its logs for a year."""
    for each in graph.of(":LogGroup"):
        if each.inputs.get("retentionInDays", 0) < 365:
            yield each


@fact("CKV_AWS_169 CIS_2.21")
def topics_are_for_services_of_this_account(graph: Graph) -> Iterator[Resource]:
    """Only services of AWS publish to a topic, and for this account only."""
    for policy in graph.of(":TopicPolicy"):
        account = policy.inputs["arn"].split(":")[4]
        for each in statements(policy.inputs["policy"]):
            services = each["Principal"].get("Service") if each["Principal"] != "*" else None
            condition = {"StringEquals": {"aws:SourceAccount": account}}
            bounded = each.get("Condition") == condition and each["Action"] == ["sns:Publish"]
            if not services or not bounded or each["Resource"] != [policy.inputs["arn"]]:
                yield policy


@fact("each secret has the key of its own role, and never the authority's")
def secrets_of_their_role(graph: Graph) -> Iterator[Resource]:
    """A role's secret holds the authority's certificate, and its own certificate and key."""
    authority = graph.one("certificates:Authority")
    for version in graph.of(":SecretVersion"):
        role = version.name.rpartition("-")[2]
        own = graph.one("certificates:Certificate", version.name)
        assert own.inputs["role"] == role
        told = json.loads(version.inputs["secretString"])
        if told != {
            "authority": authority.outputs["certificate"],
            "certificate": own.outputs["certificate"],
            "key": own.outputs["private_key"],
        }:
            yield version


@fact("nothing outlives a destroy")
def nothing_is_kept(graph: Graph) -> Iterator[Resource]:
    """Nothing is protected, kept or waited for at a destroy: secrets, buckets and zones neither."""
    ends = {"secret:Secret": "recoveryWindowInDays", "s3/bucket:Bucket": "forceDestroy"}
    ends["route53/zone:Zone"] = "forceDestroy"
    wanted = {"recoveryWindowInDays": 0, "forceDestroy": True}
    for each in graph.resources:
        if each.request.protect or each.request.retainOnDelete:
            yield each
        for type_, name in ends.items():
            if each.type.endswith(type_) and each.inputs.get(name) is not wanted[name]:
                yield each
