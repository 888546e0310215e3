"""Small things of many services. Names narrow a listing down; the tag decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from components.aws import CLUSTER_TAG, partition
from operations.sweep.kinds import Client, Kind, Scope, bears, is_gone, pages, tagged, value_of
from operations.sweeping import Found

if TYPE_CHECKING:
    from collections.abc import Iterator

_RECORDS_OF_ZONE = {"NS", "SOA"}


def _alarms(client: Client, scope: Scope) -> Iterator[Found]:
    for alarm in pages(client, "describe_alarms", "MetricAlarms", AlarmNamePrefix=scope.prefix):
        arn = alarm["AlarmArn"]
        if tagged(client.list_tags_for_resource, "Tags", scope.cluster, ResourceARN=arn):
            yield Found(alarm["AlarmName"])


def _secrets(client: Client, scope: Scope) -> Iterator[Found]:
    for secret in pages(client, "list_secrets", "SecretList"):
        ours = secret["Name"].startswith(scope.prefix)
        if ours and bears(secret.get("Tags", ()), scope.cluster):
            yield Found(secret["ARN"])


def _log_groups(client: Client, scope: Scope) -> Iterator[Found]:
    path = f"/dask-cluster/{scope.cluster}"
    for group in pages(client, "describe_log_groups", "logGroups", logGroupNamePrefix=path):
        arn = group["arn"].removesuffix(":*")
        if tagged(client.list_tags_for_resource, "tags", scope.cluster, resourceArn=arn):
            yield Found(group["logGroupName"])


def _parameters(client: Client, scope: Scope) -> Iterator[Found]:
    path = {"Key": "Path", "Option": "Recursive", "Values": [f"/dask-cluster/{scope.cluster}"]}
    for parameter in pages(client, "describe_parameters", "Parameters", ParameterFilters=[path]):
        name = parameter["Name"]
        where = {"ResourceType": "Parameter", "ResourceId": name}
        if tagged(client.list_tags_for_resource, "TagList", scope.cluster, **where):
            yield Found(name)


def _zones(client: Client, scope: Scope) -> Iterator[Found]:
    for zone in pages(client, "list_hosted_zones", "HostedZones"):
        if zone["Name"].rstrip(".") != f"{scope.cluster}.dask-cluster.internal":
            continue
        identifier = zone["Id"].rpartition("/")[2]
        try:
            tags = client.list_tags_for_resource(ResourceType="hostedzone", ResourceId=identifier)
        except ClientError as error:
            if is_gone(error):
                continue
            raise
        # Route 53 takes tags by a second call, before which an `up` may have been killed: where
        # there is no tag of ours, the name has said enough.
        if value_of(CLUSTER_TAG, tags["ResourceTagSet"]["Tags"]) in {scope.cluster, None}:
            yield Found(identifier)


def _delete_zone(client: Client, identifier: str) -> None:
    found = pages(
        client, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=identifier
    )
    changes = [
        {"Action": "DELETE", "ResourceRecordSet": record}
        for record in found
        if record["Type"] not in _RECORDS_OF_ZONE
    ]
    if changes:
        client.change_resource_record_sets(
            HostedZoneId=identifier, ChangeBatch={"Changes": changes}
        )
    client.delete_hosted_zone(Id=identifier)


def _topics(client: Client, scope: Scope) -> Iterator[Found]:
    for topic in pages(client, "list_topics", "Topics"):
        arn = topic["TopicArn"]
        if arn.rpartition(":")[2].startswith(scope.prefix) and tagged(
            client.list_tags_for_resource, "Tags", scope.cluster, ResourceArn=arn
        ):
            yield Found(arn)


def _budgets(client: Client, scope: Scope) -> Iterator[Found]:
    arns = f"arn:{partition(scope.region)}:budgets::{scope.account}:budget/"
    for budget in pages(client, "describe_budgets", "Budgets", AccountId=scope.account):
        name = budget["BudgetName"]
        if name.startswith(scope.prefix) and tagged(
            client.list_tags_for_resource, "ResourceTags", scope.cluster, ResourceARN=arns + name
        ):
            # Calls on a budget want the account as well.
            yield Found(f"{scope.account}/{name}")


def _delete_budget(client: Client, identifier: str) -> None:
    account, _, name = identifier.partition("/")
    client.delete_budget(AccountId=account, BudgetName=name)


KINDS = (
    Kind("alarm", "cloudwatch", _alarms, lambda c, i: c.delete_alarms(AlarmNames=[i])),
    Kind(
        "secret",
        "secretsmanager",
        _secrets,
        lambda c, i: c.delete_secret(SecretId=i, ForceDeleteWithoutRecovery=True),
    ),
    Kind("log group", "logs", _log_groups, lambda c, i: c.delete_log_group(logGroupName=i)),
    Kind("parameter", "ssm", _parameters, lambda c, i: c.delete_parameter(Name=i)),
    Kind("hosted zone", "route53", _zones, _delete_zone),
    Kind("topic", "sns", _topics, lambda c, i: c.delete_topic(TopicArn=i)),
    Kind("budget", "budgets", _budgets, _delete_budget),
)
