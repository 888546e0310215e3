"""The calls of hosts, and those next to them.

What user-data.sh, boot.sh, prepare.sh, watch.py, fleet.py and registered.py call, and what tasks do
with their data.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.graph.variations import STACK
from tests.sandbox.server.access_stage import PREFIX, RECORD, ZONE, Stage
from tests.sandbox.server.account import REGION

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.server.account import Value

HERE = f"{REGION}:123456789012"
GROUP = f"dask-cluster-{STACK}"
OTHERS = f"{GROUP}-2-worker"
Parameters = dict[str, Any]


def change(name: str = RECORD, kind: str = "A", action: str = "UPSERT") -> Parameters:
    value = {"A": "10.0.0.9", "AAAA": "fd00::9"}[kind]
    records = [{"Value": value}]
    row = {"Name": name, "Type": kind, "TTL": 10, "ResourceRecords": records}
    return {"Action": action, "ResourceRecordSet": row}


def changes(stage: Stage, *rows: Parameters, zone: str = "") -> Parameters:
    return {"HostedZoneId": zone or stage.zone, "ChangeBatch": {"Changes": list(rows)}}


def events(stage: Stage, group: str = PREFIX, stream: str = "boot/i-1") -> Parameters:
    now = int(time.time() * 1000)
    del stage
    names = {"logGroupName": group, "logStreamName": stream}
    return names | {"logEvents": [{"timestamp": now, "message": "x"}]}


def on(group: str, **more: Value) -> Callable[[Stage], Parameters]:
    return lambda _: {"AutoScalingGroupName": group, **more}


def parameter(name: str) -> Callable[[Stage], Parameters]:
    return lambda _: {"Name": name}


def written(name: str) -> Callable[[Stage], Parameters]:
    return lambda _: {"Name": name, "Value": "{}", "Overwrite": True}


def host(group: str, **more: Value) -> Callable[[Stage], Parameters]:
    return lambda stage: {"InstanceId": stage.hosts[group], **more}


def terminated(group: str) -> Callable[[Stage], Parameters]:
    return lambda stage: {
        "AutoScalingGroupName": group,
        "InstanceIds": [stage.hosts[group]],
        "ShouldDecrementDesiredCapacity": True,
    }


def metric(namespace: str) -> Callable[[Stage], Parameters]:
    return lambda _: {
        "Namespace": namespace,
        "MetricData": [{"MetricName": "Heartbeat", "Value": 1.0}],
    }


def secret(role: str) -> Callable[[Stage], Parameters]:
    return lambda stage: {"SecretId": stage.secrets[role]}


def thing(bucket: str, key: str, **more: Value) -> Callable[[Stage], Parameters]:
    return lambda _: {"Bucket": bucket, "Key": key, **more}


def archive(stage: Stage) -> Parameters:
    return {"Bucket": stage.bucket, "Key": stage.archive}


STREAM = {"logGroupName": PREFIX, "logStreamName": "boot/i-1"}
SUSPEND = {"ScalingProcesses": ["Launch"]}
HEALTHY = {"HealthStatus": "Healthy", "ShouldRespectGracePeriod": False}
# Role, service, method, parameters.
ALLOWED: list[tuple[str, str, str, Callable[[Stage], Parameters]]] = [
    ("worker", "s3", "head_object", archive),
    ("worker", "s3", "get_object", archive),
    ("worker", "s3", "get_object", thing("public-data", "a/b")),
    ("worker", "s3", "head_object", thing("public-data", "a/b")),
    ("worker", "s3", "put_object", thing("results", "ours/a b", Body=b"more")),
    ("worker", "s3", "delete_object", thing("results", "ours/none")),
    ("worker", "s3", "list_objects_v2", lambda _: {"Bucket": "results"}),
    ("worker", "s3", "head_bucket", lambda _: {"Bucket": "public-data"}),
    ("worker", "s3", "get_bucket_location", lambda _: {"Bucket": "public-data"}),
    ("worker", "secretsmanager", "get_secret_value", secret("worker")),
    ("scheduler", "secretsmanager", "get_secret_value", secret("scheduler")),
    ("scheduler", "secretsmanager", "get_secret_value",
        lambda _: {"SecretId": f"dask-{STACK}-scheduler"}),
    ("worker", "ssm", "get_parameter", parameter(f"{PREFIX}/worker/boot")),
    ("worker", "ssm", "put_parameter", written(f"{PREFIX}/worker/boot")),
    ("scheduler", "ssm", "put_parameter", written(f"{PREFIX}/scheduler/boot")),
    ("scheduler", "ssm", "put_parameter", written(f"{PREFIX}/registered")),
    ("worker", "logs", "create_log_stream", lambda _: STREAM),
    ("worker", "logs", "put_log_events", events),
    ("worker", "logs", "describe_log_streams", lambda _: {"logGroupName": PREFIX}),
    ("worker", "autoscaling", "suspend_processes", on(f"{GROUP}-worker", **SUSPEND)),
    ("scheduler", "autoscaling", "suspend_processes", on(f"{GROUP}-scheduler", **SUSPEND)),
    ("worker", "autoscaling", "set_instance_health", host(f"{GROUP}-worker", **HEALTHY)),
    ("scheduler", "autoscaling", "describe_auto_scaling_groups", lambda _: {}),
    ("scheduler", "autoscaling", "set_desired_capacity", on(f"{GROUP}-worker", DesiredCapacity=1)),
    ("scheduler", "cloudwatch", "put_metric_data", metric("DaskCluster")),
    ("scheduler", "route53", "change_resource_record_sets", lambda s: changes(s, change())),
    ("scheduler", "route53", "change_resource_record_sets",
        lambda s: changes(s, change(f"{RECORD}."))),
]  # fmt: skip
AUTO_SCALING = f"arn:aws:autoscaling:{HERE}:autoScalingGroup"
# The same with what is next to it; then the right that is missed, and the end of the resource.
DENIED: list[tuple[str, str, str, Callable[[Stage], Parameters], str, str]] = [
    ("worker", "s3", "get_object", lambda s: archive(s) | {"Key": "other"}, "s3:GetObject",
        '/other"'),
    ("worker", "s3", "get_object", lambda s: archive(s) | {"Key": "archive/none"},
        "s3:ListBucket", '"'),
    ("worker", "s3", "put_object", lambda s: archive(s) | {"Body": b"x"}, "s3:PutObject", '"'),
    ("worker", "s3", "get_object", thing("private", "x"), "s3:GetObject", ':::private/x"'),
    ("worker", "s3", "put_object", thing("public-data", "a/b", Body=b"x"), "s3:PutObject",
        ':::public-data/a/b"'),
    ("worker", "s3", "get_object", thing("results", "theirs"), "s3:GetObject", '/theirs"'),
    ("worker", "s3", "delete_object", thing("results", "theirs"), "s3:DeleteObject", '/theirs"'),
    ("worker", "s3", "delete_objects",
        lambda _: {"Bucket": "results",
                   "Delete": {"Objects": [{"Key": "ours/1"}, {"Key": "theirs"}]}},
        "s3:DeleteObject", '/theirs"'),
    ("worker", "s3", "copy_object",
        thing("results", "ours/c", CopySource={"Bucket": "private", "Key": "x"}),
        "s3:GetObject", ':::private/x"'),
    ("worker", "s3", "get_object", thing("results", "ours/a b", VersionId="v"),
        "s3:GetObjectVersion", '/ours/a b"'),
    ("worker", "s3", "put_object", thing("results", "ours/p", Body=b"", ACL="public-read"),
        "s3:PutObjectAcl", '/ours/p"'),
    ("worker", "s3", "list_objects_v2", lambda s: {"Bucket": s.bucket}, "s3:ListBucket", '"'),
    ("worker", "s3", "list_buckets", lambda _: {}, "s3:ListAllMyBuckets", ':::*"'),
    ("worker", "secretsmanager", "get_secret_value", secret("scheduler"),
        "secretsmanager:GetSecretValue", "-scheduler"),
    ("scheduler", "secretsmanager", "get_secret_value", secret("client"),
        "secretsmanager:GetSecretValue", "-client"),
    ("worker", "secretsmanager", "get_secret_value", lambda _: {"SecretId": "none"},
        "secretsmanager:GetSecretValue", "resource: none"),
    ("worker", "secretsmanager", "put_secret_value",
        lambda s: secret("worker")(s) | {"SecretString": "x"},
        "secretsmanager:PutSecretValue", "-worker"),
    ("worker", "ssm", "get_parameter", parameter(f"{PREFIX}/other"), "ssm:GetParameter",
        f"arn:aws:ssm:{HERE}:parameter{PREFIX}/other"),
    ("worker", "ssm", "put_parameter", written(f"{PREFIX}/scheduler/boot"), "ssm:PutParameter",
        f":parameter{PREFIX}/scheduler/boot"),
    ("worker", "ssm", "put_parameter", written(f"{PREFIX}/registered"), "ssm:PutParameter",
        f":parameter{PREFIX}/registered"),
    ("scheduler", "ssm", "get_parameter", parameter(f"{PREFIX}/registered"), "ssm:GetParameter",
        f":parameter{PREFIX}/registered"),
    ("scheduler", "ssm", "get_parameter", parameter(f"{PREFIX}/worker/boot:1"),
        "ssm:GetParameter", f":parameter{PREFIX}/worker/boot"),
    ("worker", "ssm", "delete_parameter", parameter(f"{PREFIX}/worker/boot"),
        "ssm:DeleteParameter", f":parameter{PREFIX}/worker/boot"),
    ("worker", "ssm", "get_parameters",
        lambda _: {"Names": [f"{PREFIX}/worker/boot"]}, "ssm:GetParameters",
        f":parameter{PREFIX}/worker/boot"),
    ("worker", "logs", "create_log_stream", lambda _: STREAM | {"logGroupName": "/other"},
        "logs:CreateLogStream", ":log-group:/other:log-stream:boot/i-1"),
    ("worker", "logs", "put_log_events", lambda s: events(s, "/other"), "logs:PutLogEvents",
        ":log-group:/other:log-stream:boot/i-1"),
    ("worker", "logs", "describe_log_streams", lambda _: {"logGroupName": "/other"},
        "logs:DescribeLogStreams", ":log-group:/other:log-stream:"),
    ("worker", "logs", "get_log_events", lambda _: STREAM, "logs:GetLogEvents",
        f":log-group:{PREFIX}:log-stream:boot/i-1"),
    ("worker", "autoscaling", "suspend_processes", on(f"{GROUP}-scheduler", **SUSPEND),
        "autoscaling:SuspendProcesses", f"/{GROUP}-scheduler"),
    ("worker", "autoscaling", "resume_processes", on(f"{GROUP}-worker", **SUSPEND),
        "autoscaling:ResumeProcesses", f"/{GROUP}-worker"),
    ("worker", "autoscaling", "set_instance_health", host(f"{GROUP}-scheduler", **HEALTHY),
        "autoscaling:SetInstanceHealth", f"/{GROUP}-scheduler"),
    ("scheduler", "autoscaling", "set_instance_health", host(f"{GROUP}-worker", **HEALTHY),
        "autoscaling:SetInstanceHealth", f"/{GROUP}-worker"),
    ("worker", "autoscaling", "set_desired_capacity", on(f"{GROUP}-worker", DesiredCapacity=9),
        "autoscaling:SetDesiredCapacity", f"/{GROUP}-worker"),
    ("scheduler", "autoscaling", "set_desired_capacity",
        on(f"{GROUP}-scheduler", DesiredCapacity=0),
        "autoscaling:SetDesiredCapacity", f"/{GROUP}-scheduler"),
    ("scheduler", "autoscaling", "terminate_instance_in_auto_scaling_group",
        terminated(OTHERS), "autoscaling:TerminateInstanceInAutoScalingGroup", f"/{OTHERS}"),
    ("scheduler", "autoscaling", "terminate_instance_in_auto_scaling_group",
        lambda s: terminated(f"{GROUP}-worker")(s) | {"InstanceIds": [s.hosts[OTHERS]]},
        "autoscaling:TerminateInstanceInAutoScalingGroup", f"/{OTHERS}"),
    ("scheduler", "autoscaling", "update_auto_scaling_group", on(f"{GROUP}-worker", MaxSize=99),
        "autoscaling:UpdateAutoScalingGroup", f"/{GROUP}-worker"),
    ("worker", "autoscaling", "complete_lifecycle_action",
        lambda s: {"AutoScalingGroupName": OTHERS, "LifecycleHookName": "boot",
                   "InstanceId": s.hosts[OTHERS], "LifecycleActionResult": "CONTINUE"},
        "autoscaling:CompleteLifecycleAction", f"/{OTHERS}"),
    ("worker", "autoscaling", "record_lifecycle_action_heartbeat",
        lambda s: {"AutoScalingGroupName": OTHERS, "LifecycleHookName": "boot",
                   "InstanceId": s.hosts[OTHERS]},
        "autoscaling:RecordLifecycleActionHeartbeat", f"/{OTHERS}"),
    ("worker", "autoscaling", "describe_auto_scaling_groups", lambda _: {},
        "autoscaling:DescribeAutoScalingGroups", ""),
    ("scheduler", "cloudwatch", "put_metric_data", metric("Other"), "cloudwatch:PutMetricData",
        ""),
    ("worker", "cloudwatch", "put_metric_data", metric("DaskCluster"),
        "cloudwatch:PutMetricData", ""),
    *(
        ("scheduler", "route53", "change_resource_record_sets",
            # As a default, or the next line would have the last of them.
            lambda s, rows=rows: changes(s, *rows), "route53:ChangeResourceRecordSets", "")
        for rows in (
            [change(f"other.{ZONE}")],
            [change(f"*.{ZONE}")],
            [change(kind="AAAA")],
            [change(action="DELETE")],
            [change(action="CREATE")],
            [change(), change(f"other.{ZONE}")],
        )
    ),
    ("scheduler", "route53", "change_resource_record_sets",
        lambda s: changes(s, change(), zone="Z0OTHER"), "route53:ChangeResourceRecordSets",
        ":::hostedzone/Z0OTHER"),
    ("worker", "route53", "change_resource_record_sets", lambda s: changes(s, change()),
        "route53:ChangeResourceRecordSets", ""),
    ("scheduler", "route53", "list_resource_record_sets", lambda s: {"HostedZoneId": s.zone},
        "route53:ListResourceRecordSets", ""),
]  # fmt: skip
