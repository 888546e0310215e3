"""What watches a cluster: log groups and alarms."""

from typing import Final

from engine.values import Properties
from sandbox.aws.provider.calls import Create, Delete
from sandbox.aws.provider.fields import (
    TAGS,
    flag,
    from_aws,
    local,
    mapping,
    number,
    text,
    text_set,
)
from sandbox.aws.provider.table import ALL_TAGS, Auto, Job, Row
from sandbox.aws.provider.tags import by_arn, unpaired

_LOGS_GONE: Final = ["ResourceNotFoundException"]


def _create_logs(job: Job) -> str:
    only = ["name", "kmsKeyId", "logGroupClass"]
    return Create("create_log_group", "{name}", only=only)(job)


def _retain(job: Job) -> None:
    days = int(job.news.get("retentionInDays") or 0)
    if days == int(job.olds.get("retentionInDays") or 0):
        return
    if days:
        job.call("put_retention_policy", logGroupName=job.id, retentionInDays=days)
    else:
        job.call("delete_retention_policy", logGroupName=job.id)


def _read_logs(job: Job) -> Properties | None:
    groups = job.aws.pages(
        "logs", "describe_log_groups", "logGroups", job.region, logGroupNamePrefix=job.id
    )
    item = next((group for group in groups if group["logGroupName"] == job.id), None)
    if item is None:
        return None
    arn = str(item["arn"]).removesuffix(":*")
    tags = job.call("list_tags_for_resource", resourceArn=arn).get("tags") or {}
    return from_aws(job.row.fields, item) | {"arn": arn, ALL_TAGS: unpaired(tags)}


def _delete_logs(job: Job) -> None:
    if not job.olds.get("skipDestroy"):
        Delete("delete_log_group", {"logGroupName": "{id}"}, _LOGS_GONE)(job)


def _put_alarm(job: Job) -> str:
    params = job.params()
    if dimensions := job.news.get("dimensions"):
        params["Dimensions"] = [
            {"Name": key, "Value": str(value)} for key, value in sorted(dimensions.items())
        ]
    if job.tags and job.row.tags and not job.id:
        params |= job.row.tags.for_create(job.tags)
    job.call("put_metric_alarm", **params)
    return str(job.get("name"))


def _change_alarm(job: Job) -> None:
    if job.changed - {ALL_TAGS, "tags"}:
        _put_alarm(job)


def _read_alarm(job: Job) -> Properties | None:
    found = job.call("describe_alarms", AlarmNames=[job.id])["MetricAlarms"]
    if not found:
        return None
    props = from_aws(job.row.fields, found[0])
    tags = job.call("list_tags_for_resource", ResourceARN=found[0]["AlarmArn"])["Tags"]
    dimensions = found[0].get("Dimensions") or []
    return props | {
        "arn": found[0]["AlarmArn"],
        "dimensions": {d["Name"]: d["Value"] for d in dimensions},
        ALL_TAGS: unpaired(tags),
    }


ROWS: Final = {
    "aws:cloudwatch/logGroup:LogGroup": Row(
        "logs",
        {
            "name": text("logGroupName", replace=True, computed=True),
            "namePrefix": local("text", replace=True),
            "retentionInDays": number("retentionInDays", default=0),
            "kmsKeyId": text("kmsKeyId", replace=True),
            "logGroupClass": text("logGroupClass", replace=True, computed=True),
            "skipDestroy": local(default=False),
            "tags": TAGS,
        },
        _create_logs,
        _read_logs,
        _delete_logs,
        update=[_retain],
        outputs=["arn", "deletionProtectionEnabled"],
        ready=_retain,
        auto=Auto(longest=512),
        tags=by_arn({"resourceArn": "{arn}"}, keys="tagKeys", on_create="tags", as_map=True),
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Row(
        "cloudwatch",
        {
            "name": text("AlarmName", replace=True, computed=True),
            "alarmDescription": text(),
            "comparisonOperator": text(required=True),
            "evaluationPeriods": number(),
            "datapointsToAlarm": number(),
            "metricName": text(),
            "namespace": text(),
            "period": number(),
            "statistic": text(),
            "extendedStatistic": text(),
            "threshold": number(),
            "treatMissingData": text(default="missing"),
            "unit": text(),
            "dimensions": mapping(""),
            "actionsEnabled": flag(default=True),
            "alarmActions": text_set(),
            "okActions": text_set("OKActions"),
            "insufficientDataActions": text_set(),
            "evaluateLowSampleCountPercentiles": text(
                "EvaluateLowSampleCountPercentile", computed=True
            ),
            "tags": TAGS,
        },
        _put_alarm,
        _read_alarm,
        Delete("delete_alarms", {"AlarmNames": ["{id}"]}, ["ResourceNotFound"]),
        update=[_change_alarm],
        outputs=["arn"],
        auto=Auto(),
        tags=by_arn({"ResourceARN": "{arn}"}),
    ),
}  # fmt: skip
