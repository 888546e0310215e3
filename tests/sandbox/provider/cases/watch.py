"""Logs, alarms, topics, budgets and names."""

from __future__ import annotations

import json

from tests.sandbox.provider.cases.case import Call, Case

TAG = {"Key": "dask-cluster", "Value": "dev"}
A = {"Key": "a", "Value": "b"}


def publish(who: str) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": who},
                    "Action": "sns:Publish",
                    "Resource": "${topic.arn}",
                }
            ],
        }
    )


NOTICE = {
    "comparison_operator": "GREATER_THAN",
    "notification_type": "ACTUAL",
    "threshold": 80,
    "threshold_type": "PERCENTAGE",
    "subscriber_email_addresses": ["a@example.org"],
}

CASES = [
    Case(
        "logs",
        "cloudwatch.LogGroup",
        {"name": "/dask-cluster/dev", "retention_in_days": 14},
        Call(
            "logs",
            "describe_log_groups",
            {"logGroupNamePrefix": "/dask-cluster/dev"},
            "logGroups[0].{name: logGroupName, days: retentionInDays}",
        ),
        {"name": "/dask-cluster/dev", "days": 14},
        then={"retention_in_days": None, "tags": {"a": "b"}},
        had={"days": None},
        by_hand=(
            Call(
                "logs",
                "put_retention_policy",
                {"logGroupName": "/dask-cluster/dev", "retentionInDays": 7},
            ),
        ),
        seen=("retentionInDays",),
        replacing={
            "name": "other",
            "namePrefix": "other",
            "kmsKeyId": "arn:aws:kms:us-east-1:1:key/x",
            "logGroupClass": "INFREQUENT_ACCESS",
        },
    ),
    Case(
        "alarm",
        "cloudwatch.MetricAlarm",
        {
            "comparison_operator": "LessThanThreshold",
            "evaluation_periods": 15,
            "metric_name": "Heartbeat",
            "namespace": "DaskCluster",
            "period": 60,
            "statistic": "Sum",
            "threshold": 1,
            "treat_missing_data": "breaching",
            "dimensions": {"Cluster": "dev"},
            "alarm_actions": ["${topic.arn}"],
        },
        Call(
            "cloudwatch",
            "describe_alarms",
            {"AlarmNames": ["${alarm.name}"]},
            "MetricAlarms[0].{how: ComparisonOperator, periods: EvaluationPeriods, "
            "metric: MetricName, space: Namespace, period: Period, stat: Statistic, "
            "limit: Threshold, missing: TreatMissingData, of: Dimensions, to: AlarmActions}",
        ),
        {
            "how": "LessThanThreshold",
            "periods": 15,
            "metric": "Heartbeat",
            "space": "DaskCluster",
            "period": 60,
            "stat": "Sum",
            "limit": 1.0,
            "missing": "breaching",
            "of": [{"Name": "Cluster", "Value": "dev"}],
            "to": ["${topic.arn}"],
        },
        then={"evaluation_periods": 5, "tags": {"a": "b"}},
        had={"periods": 5},
        by_hand=(
            Call(
                "cloudwatch",
                "put_metric_alarm",
                {
                    "AlarmName": "${alarm.name}",
                    "ComparisonOperator": "LessThanThreshold",
                    "EvaluationPeriods": 5,
                    "MetricName": "Heartbeat",
                    "Namespace": "DaskCluster",
                    "Period": 60,
                    "Statistic": "Sum",
                    "Threshold": 3,
                    "TreatMissingData": "breaching",
                    "Dimensions": [{"Name": "Cluster", "Value": "dev"}],
                    "AlarmActions": ["${topic.arn}"],
                },
            ),
        ),
        seen=("threshold",),
        replacing={"name": "other"},
    ),
    Case(
        "topic",
        "sns.Topic",
        {"display_name": "Dask"},
        Call(
            "sns",
            "get_topic_attributes",
            {"TopicArn": "${topic.arn}"},
            "Attributes.{name: DisplayName}",
        ),
        {"name": "Dask"},
        then={"display_name": None, "tags": {"a": "b"}},
        had={"name": ""},
        by_hand=(
            Call(
                "sns",
                "set_topic_attributes",
                {
                    "TopicArn": "${topic.arn}",
                    "AttributeName": "DisplayName",
                    "AttributeValue": "?",
                },
            ),
        ),
        seen=("displayName",),
        replacing={"name": "other", "namePrefix": "other", "fifoTopic": True},
        by_others=("policy",),
    ),
    Case(
        "publishers",
        "sns.TopicPolicy",
        {"arn": "${topic.arn}", "policy": publish("budgets.amazonaws.com")},
        Call(
            "sns",
            "get_topic_attributes",
            {"TopicArn": "${topic.arn}"},
            "Attributes.{policy: Policy}",
        ),
        {"policy": publish("budgets.amazonaws.com")},
        then={"policy": publish("events.amazonaws.com")},
        had={"policy": publish("events.amazonaws.com")},
        by_hand=(
            Call(
                "sns",
                "set_topic_attributes",
                {
                    "TopicArn": "${topic.arn}",
                    "AttributeName": "Policy",
                    "AttributeValue": publish("s3.amazonaws.com"),
                },
            ),
        ),
        seen=("policy",),
        replacing={"arn": "other"},
    ),
    Case(
        "mail",
        "sns.TopicSubscription",
        {"topic": "${topic.arn}", "protocol": "email", "endpoint": "a@example.org"},
        Call(
            "sns",
            "get_subscription_attributes",
            {"SubscriptionArn": "${mail.arn}"},
            "Attributes.{to: Endpoint, how: Protocol, of: TopicArn}",
        ),
        {"to": "a@example.org", "how": "email", "of": "${topic.arn}"},
        then={"raw_message_delivery": True},
        by_hand=(
            Call(
                "sns",
                "set_subscription_attributes",
                {
                    "SubscriptionArn": "${mail.arn}",
                    "AttributeName": "RawMessageDelivery",
                    "AttributeValue": "false",
                },
            ),
        ),
        seen=("rawMessageDelivery",),
        replacing={"topic": "other", "protocol": "sms", "endpoint": "b@example.org"},
    ),
]
