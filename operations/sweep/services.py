"""Everything beside machines and network. Names narrow a listing down; the tag decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from operations.sweep.kinds import Client, Kind, bears, pages

if TYPE_CHECKING:
    from collections.abc import Iterator


def _prefix(cluster: str) -> str:
    """What the names of a cluster's resources begin with."""
    return f"dask-{cluster}"


def _alarms(client: Client, cluster: str) -> Iterator[str]:
    listed = pages(client, "describe_alarms", "MetricAlarms", AlarmNamePrefix=_prefix(cluster))
    for alarm in listed:
        if bears(client.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"], cluster):
            yield alarm["AlarmName"]


def _profiles(client: Client, cluster: str) -> Iterator[str]:
    for profile in pages(client, "list_instance_profiles", "InstanceProfiles"):
        name = profile["InstanceProfileName"]
        if name.startswith(_prefix(cluster)) and bears(
            client.list_instance_profile_tags(InstanceProfileName=name)["Tags"], cluster
        ):
            yield name


def _delete_profile(client: Client, name: str) -> None:
    profile = client.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    for role in profile["Roles"]:
        client.remove_role_from_instance_profile(
            InstanceProfileName=name, RoleName=role["RoleName"]
        )
    client.delete_instance_profile(InstanceProfileName=name)


def _roles(client: Client, cluster: str) -> Iterator[str]:
    for role in pages(client, "list_roles", "Roles"):
        name = role["RoleName"]
        if name.startswith(_prefix(cluster)) and bears(
            client.list_role_tags(RoleName=name)["Tags"], cluster
        ):
            yield name


def _delete_role(client: Client, name: str) -> None:
    for policy in client.list_role_policies(RoleName=name)["PolicyNames"]:
        client.delete_role_policy(RoleName=name, PolicyName=policy)
    client.delete_role(RoleName=name)


def _policies(client: Client, cluster: str) -> Iterator[str]:
    for policy in pages(client, "list_policies", "Policies", Scope="Local"):
        if policy["PolicyName"].startswith(_prefix(cluster)) and bears(
            client.list_policy_tags(PolicyArn=policy["Arn"])["Tags"], cluster
        ):
            yield policy["Arn"]


def _delete_policy(client: Client, arn: str) -> None:
    for version in client.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            client.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    client.delete_policy(PolicyArn=arn)


def _secrets(client: Client, cluster: str) -> Iterator[str]:
    for secret in pages(client, "list_secrets", "SecretList"):
        if bears(secret.get("Tags", []), cluster):
            yield secret["ARN"]


def _log_groups(client: Client, cluster: str) -> Iterator[str]:
    prefix = f"/dask-cluster/{cluster}"
    for group in pages(client, "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
        arn = group["arn"].removesuffix(":*")
        if bears(client.list_tags_for_resource(resourceArn=arn)["tags"], cluster):
            yield group["logGroupName"]


def _parameters(client: Client, cluster: str) -> Iterator[str]:
    path = {"Key": "Path", "Option": "Recursive", "Values": [f"/dask-cluster/{cluster}"]}
    for parameter in pages(client, "describe_parameters", "Parameters", ParameterFilters=[path]):
        tags = client.list_tags_for_resource(ResourceType="Parameter", ResourceId=parameter["Name"])
        if bears(tags["TagList"], cluster):
            yield parameter["Name"]


def _buckets(client: Client, cluster: str) -> Iterator[str]:
    for bucket in client.list_buckets()["Buckets"]:
        if not bucket["Name"].startswith(_prefix(cluster)):
            continue
        try:
            tags = client.get_bucket_tagging(Bucket=bucket["Name"])["TagSet"]
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchTagSet", "NoSuchBucket"}:
                continue
            raise
        if bears(tags, cluster):
            yield bucket["Name"]


def _delete_bucket(client: Client, name: str) -> None:
    for item in pages(client, "list_objects_v2", "Contents", Bucket=name):
        client.delete_object(Bucket=name, Key=item["Key"])
    client.delete_bucket(Bucket=name)


def _zones(client: Client, cluster: str) -> Iterator[str]:
    for zone in pages(client, "list_hosted_zones", "HostedZones"):
        identifier = zone["Id"].rpartition("/")[2]
        if zone["Name"].rstrip(".") != f"{cluster}.dask-cluster.internal":
            continue
        tags = client.list_tags_for_resource(ResourceType="hostedzone", ResourceId=identifier)
        if bears(tags["ResourceTagSet"]["Tags"], cluster):
            yield identifier


def _delete_zone(client: Client, identifier: str) -> None:
    records = pages(
        client, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=identifier
    )
    changes = [
        {"Action": "DELETE", "ResourceRecordSet": record}
        for record in records
        if record["Type"] not in {"NS", "SOA"}
    ]
    if changes:
        client.change_resource_record_sets(
            HostedZoneId=identifier, ChangeBatch={"Changes": changes}
        )
    client.delete_hosted_zone(Id=identifier)


def _topics(client: Client, cluster: str) -> Iterator[str]:
    for topic in pages(client, "list_topics", "Topics"):
        arn = topic["TopicArn"]
        if arn.rpartition(":")[2].startswith(_prefix(cluster)) and bears(
            client.list_tags_for_resource(ResourceArn=arn)["Tags"], cluster
        ):
            yield arn


def _file_systems(client: Client, cluster: str) -> Iterator[str]:
    for system in pages(client, "describe_file_systems", "FileSystems"):
        ending = system.get("LifeCycleState", system.get("Lifecycle")) in {"deleting", "DELETING"}
        if bears(system["Tags"], cluster) and not ending:
            yield system["FileSystemId"]


def _delete_efs(client: Client, identifier: str) -> None:
    for target in client.describe_mount_targets(FileSystemId=identifier)["MountTargets"]:
        client.delete_mount_target(MountTargetId=target["MountTargetId"])
    client.delete_file_system(FileSystemId=identifier)


KINDS = (
    Kind("alarm", "cloudwatch", _alarms, lambda c, i: c.delete_alarms(AlarmNames=[i])),
    Kind("instance profile", "iam", _profiles, _delete_profile),
    Kind("role", "iam", _roles, _delete_role),
    Kind("policy", "iam", _policies, _delete_policy),
    Kind(
        "secret",
        "secretsmanager",
        _secrets,
        lambda c, i: c.delete_secret(SecretId=i, ForceDeleteWithoutRecovery=True),
    ),
    Kind("log group", "logs", _log_groups, lambda c, i: c.delete_log_group(logGroupName=i)),
    Kind("parameter", "ssm", _parameters, lambda c, i: c.delete_parameter(Name=i)),
    Kind("bucket", "s3", _buckets, _delete_bucket),
    Kind("hosted zone", "route53", _zones, _delete_zone),
    Kind("topic", "sns", _topics, lambda c, i: c.delete_topic(TopicArn=i)),
    Kind("EFS file system", "efs", _file_systems, _delete_efs),
    Kind(
        "Lustre file system",
        "fsx",
        _file_systems,
        lambda c, i: c.delete_file_system(FileSystemId=i),
    ),
)
