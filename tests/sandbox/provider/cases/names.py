"""Budgets, zones and records."""

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
        "budget",
        "budgets.Budget",
        {
            "budget_type": "COST",
            "time_unit": "MONTHLY",
            "limit_amount": "100",
            "limit_unit": "USD",
            "cost_filters": [{"name": "TagKeyValue", "values": ["user:dask-cluster$dev"]}],
            "notifications": [NOTICE],
        },
        Call(
            "budgets",
            "describe_budget",
            {"AccountId": "${account}", "BudgetName": "${budget.name}"},
            "Budget.{kind: BudgetType, unit: TimeUnit, limit: BudgetLimit, of: CostFilters}",
        ),
        {
            "kind": "COST",
            "unit": "MONTHLY",
            "limit": {"Amount": "100", "Unit": "USD"},
            "of": {"TagKeyValue": ["user:dask-cluster$dev"]},
        },
        then={"limit_amount": "200", "notifications": [{**NOTICE, "threshold": 90}]},
        had={"limit": {"Amount": "200", "Unit": "USD"}},
        by_hand=(
            Call(
                "budgets",
                "update_budget",
                {
                    "AccountId": "${account}",
                    "NewBudget": {
                        "BudgetName": "${budget.name}",
                        "BudgetType": "COST",
                        "TimeUnit": "MONTHLY",
                        "BudgetLimit": {"Amount": "5", "Unit": "USD"},
                        "CostFilters": {"TagKeyValue": ["user:dask-cluster$dev"]},
                    },
                },
            ),
        ),
        seen=("limitAmount",),
        replacing={"name": "other", "namePrefix": "other", "accountId": "210987654321"},
    ),
    Case(
        "zone",
        "route53.Zone",
        {
            "name": "dev.dask-cluster.internal",
            "force_destroy": True,
            "vpcs": [{"vpc_id": "${vpc.id}"}],
        },
        Call(
            "route53",
            "get_hosted_zone",
            {"Id": "${zone.zone_id}"},
            "{name: HostedZone.Name, private: HostedZone.Config.PrivateZone, "
            "why: HostedZone.Config.Comment, vpcs: VPCs[].VPCId}",
        ),
        {
            "name": "dev.dask-cluster.internal.",
            "private": True,
            "why": "Managed by Pulumi",
            "vpcs": ["${vpc.id}"],
        },
        then={"comment": "inside", "tags": {"a": "b"}},
        had={"why": "inside"},
        by_hand=(
            Call("route53", "update_hosted_zone_comment", {"Id": "${zone.id}", "Comment": "?"}),
        ),
        seen=("comment",),
        replacing={"name": "other"},
    ),
    Case(
        "record",
        "route53.Record",
        {
            "zone_id": "${zone.zone_id}",
            "name": "scheduler.dev.dask-cluster.internal",
            "type": "A",
            "ttl": 10,
            "records": ["127.0.0.1"],
        },
        Call(
            "route53",
            "list_resource_record_sets",
            {"HostedZoneId": "${zone.zone_id}"},
            "ResourceRecordSets[?Type=='A'] | [0].{name: Name, ttl: TTL, "
            "to: ResourceRecords[].Value}",
        ),
        {"name": "scheduler.dev.dask-cluster.internal.", "ttl": 10, "to": ["127.0.0.1"]},
        then={"records": ["10.0.0.4"], "ttl": 20},
        had={"to": ["10.0.0.4"], "ttl": 20},
        by_hand=(
            Call(
                "route53",
                "change_resource_record_sets",
                {
                    "HostedZoneId": "${zone.zone_id}",
                    "ChangeBatch": {
                        "Changes": [
                            {
                                "Action": "UPSERT",
                                "ResourceRecordSet": {
                                    "Name": "scheduler.dev.dask-cluster.internal",
                                    "Type": "A",
                                    "TTL": 20,
                                    "ResourceRecords": [{"Value": "10.0.0.5"}],
                                },
                            }
                        ]
                    },
                },
            ),
        ),
        seen=("records",),
        replacing={"zoneId": "other", "name": "other", "type": "TXT", "setIdentifier": "x"},
    ),
]
