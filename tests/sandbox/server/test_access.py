"""Each call of a host is allowed by its role's own policy, and each that is next to it is not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.server.starter import request
from tests.graph.variations import STACK
from tests.sandbox.server.access_calls import (
    ALLOWED,
    AUTO_SCALING,
    DENIED,
    GROUP,
    Parameters,
    archive,
    change,
    changes,
    metric,
    terminated,
)
from tests.sandbox.server.access_server import KEYS
from tests.sandbox.server.access_stage import PREFIX, RECORD, Stage, serving
from tests.sandbox.server.account import refused
from tests.sandbox.server.test_group_launch import TRUST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    for endpoint in serving():
        yield Stage.build(endpoint)


NOBODY = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
CODES = {"s3": "AccessDenied", "autoscaling": "AccessDenied", "route53": "AccessDenied",
         # Of a service that has left the query protocol, boto3 shows the code that it had there.
         "cloudwatch": "AccessDenied"}  # fmt: skip


def label(value: object) -> str | None:
    return value if isinstance(value, str) else None


@pytest.mark.parametrize(("role", "service", "method", "parameters"), ALLOWED, ids=label)
def test_a_host_may_make_its_calls(
    stage: Stage, role: str, service: str, method: str, parameters: Callable[[Stage], Parameters]
) -> None:
    assert getattr(stage.client(role, service), method)(**parameters(stage))


@pytest.mark.parametrize(
    ("role", "service", "method", "parameters", "right", "resource"), DENIED, ids=label
)
def test_a_host_may_do_nothing_else(
    stage: Stage,
    role: str,
    service: str,
    method: str,
    parameters: Callable[[Stage], Parameters],
    right: str,
    resource: str,
) -> None:
    call = getattr(stage.client(role, service), method)
    words = refused(CODES.get(service, "AccessDeniedException"), call, **parameters(stage))
    begin = f"User: {stage.who(role)} is not authorized to perform: {right}"
    end = f" because no identity-based policy allows the {right} action"
    assert words.startswith(begin)
    assert words.endswith(end)
    between = words.removeprefix(begin).removesuffix(end)
    if right in {"autoscaling:DescribeAutoScalingGroups", "cloudwatch:PutMetricData"}:
        assert between == ""
    else:
        assert between.startswith(" on resource: ")
        # The ARN of a secret ends with six characters of AWS's.
        assert between[: -7 if service == "secretsmanager" and ":" in between[14:] else None
                       ].endswith(resource)  # fmt: skip


def test_a_denied_head_says_nothing(stage: Stage) -> None:
    head = stage.client("worker", "s3").head_object
    with pytest.raises(ClientError, match=r"403.*Forbidden") as caught:
        head(Bucket="private", Key="x")
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["content-length"] == "0"
    # There is no such object: who may list the bucket is told so.
    refused("404", head, Bucket="results", Key="ours/none")
    refused("403", head, Bucket=stage.bucket, Key="archive/none")
    refused("NoSuchBucket", stage.client("worker", "s3").get_object, Bucket="no-such", Key="x")


def test_parts_of_large_objects(stage: Stage) -> None:
    s3 = stage.client("worker", "s3")
    whole = {"Bucket": "results", "Key": "ours/large"}
    upload = {**whole, "UploadId": s3.create_multipart_upload(**whole)["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    assert s3.get_object(**whole)["Body"].read() == b"x"
    other = {**whole, "UploadId": s3.create_multipart_upload(**whole)["UploadId"]}
    s3.abort_multipart_upload(**other)
    s3.delete_objects(Bucket="results", Delete={"Objects": [{"Key": "ours/large"}]})
    refused("AccessDenied", s3.create_multipart_upload, Bucket="results", Key="theirs")


def test_the_hook_of_an_own_group(stage: Stage) -> None:
    name = f"{GROUP}-scheduler"
    wait = {
        "AutoScalingGroupName": name,
        "LifecycleHookName": "boot",
        "InstanceId": stage.hosts[name],
    }
    scaling = stage.client("scheduler", "autoscaling")
    scaling.record_lifecycle_action_heartbeat(**wait)
    scaling.complete_lifecycle_action(**wait, LifecycleActionResult="CONTINUE")
    # The right does not end with the group: what is missing is no group of this cluster.
    gone = wait | {"AutoScalingGroupName": f"{GROUP}-gone"}
    words = refused("AccessDenied", scaling.record_lifecycle_action_heartbeat, **gone)
    assert f"{AUTO_SCALING}:*:autoScalingGroupName/{GROUP}-gone" in words


def test_instances_of_an_own_group(stage: Stage) -> None:
    scaling = stage.client("scheduler", "autoscaling")
    end = scaling.terminate_instance_in_auto_scaling_group
    missing = {"InstanceId": "i-none", "ShouldDecrementDesiredCapacity": True}
    assert "autoScalingGroupName/*" in refused("AccessDenied", end, **missing)
    group = f"{GROUP}-worker"
    end(**{**terminated(group)(stage), "InstanceIds": [stage.hosts[group]]})


def test_cloudwatch_in_each_of_its_protocols(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.loaders import Loader  # noqa: PLC0415

    load = Loader.load_service_model
    for protocol in ("smithy-rpc-v2-cbor", "json", "query"):

        def only(self: Loader, *args: Any, protocol: str = protocol, **kwargs: Any) -> Any:  # noqa: ANN401
            model = load(self, *args, **kwargs)
            told = {"protocol": protocol, "protocols": [protocol]}
            return model | {"metadata": model["metadata"] | told} if "metadata" in model else model

        monkeypatch.setattr(Loader, "load_service_model", only)
        client = stage.client("scheduler", "cloudwatch")
        assert client.meta.service_model.resolved_protocol == protocol
        call = client.put_metric_data
        words = refused("AccessDenied", call, **metric("Other")(stage))
        assert words.endswith("policy allows the cloudwatch:PutMetricData action")
        nobody = stage.client("scheduler", "cloudwatch", keys=NOBODY).put_metric_data
        refused("InvalidClientTokenId", nobody, **metric("DaskCluster")(stage))
        if protocol != "smithy-rpc-v2-cbor":  # which moto does not know
            call(**metric("DaskCluster")(stage))


def test_keys_are_of_one_instance(stage: Stage) -> None:
    worker, scheduler = (stage.hosts[f"{GROUP}-{role}"] for role in ("worker", "scheduler"))
    keys = stage.keys(worker, "worker")
    assert keys["aws_access_key_id"].startswith("ASIA")
    assert stage.keys(worker, "worker") == keys
    assert stage.keys(scheduler, "scheduler") != keys
    who = stage.client("worker", "sts").get_caller_identity()
    assert who["Arn"] == stage.who("worker")
    assert who["UserId"].endswith(f":{worker}")
    for service, method, parameters, code in (
        ("sts", "get_caller_identity", {}, "InvalidClientTokenId"),
        ("s3", "get_object", archive(stage), "InvalidAccessKeyId"),
        ("ssm", "get_parameter", {"Name": "/x"}, "UnrecognizedClientException"),
        ("cloudwatch", "put_metric_data", metric("DaskCluster")(stage), "InvalidClientTokenId"),
    ):
        for wrong in (
            {"keys": keys, "instance": scheduler},
            {"keys": keys | {"aws_session_token": "other"}},
            {"keys": NOBODY},
        ):
            call = getattr(stage.client("worker", service, **wrong), method)
            refused(code, call, **parameters)


def test_no_signature(stage: Stage) -> None:
    from botocore import UNSIGNED  # noqa: PLC0415

    s3 = stage.client("worker", "s3", signature_version=UNSIGNED)
    refused("AccessDenied", s3.get_object, **archive(stage))


def test_forgotten_keys(stage: Stage) -> None:
    instance = stage.hosts[f"{GROUP}-worker"]
    old = stage.keys(instance, "worker")
    request(stage.account.endpoint, "POST", KEYS, {"forget": instance})
    ssm = stage.client("worker", "ssm", keys=old)
    refused("UnrecognizedClientException", ssm.get_parameter, Name=f"{PREFIX}/worker/boot")
    assert stage.keys(instance, "worker") != old


def test_names_of_records_are_compared_in_lower_case(stage: Stage) -> None:
    call = stage.client("scheduler", "route53").change_resource_record_sets
    # moto compares them otherwise, but it has been asked.
    refused("InvalidChangeBatch", call, **changes(stage, change(RECORD.upper())))


def test_a_call_that_is_not_known(stage: Stage) -> None:
    for service, method, code in (
        ("ec2", "describe_instances", "UnauthorizedOperation"),
        ("iam", "list_roles", "AccessDenied"),
        ("ssm", "describe_parameters", "AccessDeniedException"),
    ):
        words = refused(code, getattr(stage.client("worker", service), method))
        assert "does not know which rights of a host this call needs" in words


def test_calls_of_hosts_are_not_counted_and_not_struck(stage: Stage) -> None:
    stage.account.ask("DELETE", "calls")
    fault = {"service": "ssm", "operation": "*", "error": "throttle"}
    stage.account.ask("POST", "faults", [fault])
    stage.client("worker", "ssm").get_parameter(Name=f"{PREFIX}/worker/boot")
    assert stage.account.ask("GET", "calls") == {}
    assert stage.account.ask("GET", "faults")[0]["seen"] == 0
    stage.account.ask("DELETE", "faults")


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}, "operator DateLessThan"),
        ({"StringEquals": {"aws:SourceIp": "10.0.0.1"}}, "key aws:SourceIp for ssm:GetParameter"),
        ({"StringEquals": {"aws:ResourceTag/a": "b"}}, "key aws:ResourceTag/a"),
    ],
)
def test_what_is_not_known_is_said(stage: Stage, condition: Parameters, words: str) -> None:
    row = {"Effect": "Allow", "Action": "ssm:Get*", "Resource": "*", "Condition": condition}
    stage.put_policy("worker", json.dumps({"Version": "2012-10-17", "Statement": [row]}))
    call = stage.client("worker", "ssm").get_parameter
    try:
        assert words in refused("NotImplemented", call, Name=f"{PREFIX}/worker/boot")
    finally:
        stage.drop_policy("worker")


def test_attached_policies_and_denials(stage: Stage) -> None:
    one = f"{PREFIX}/registered"
    rows = [
        {"Effect": "Allow", "Action": "ssm:*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": "*",
            "Resource": f"arn:aws:ssm:*:*:parameter{PREFIX}/registered",
        },
    ]
    iam = stage.account.client("iam")
    text = json.dumps({"Version": "2012-10-17", "Statement": rows})
    policy = {"PolicyArn": iam.create_policy(PolicyName="p", PolicyDocument=text)["Policy"]["Arn"]}
    ssm = stage.client("worker", "ssm")
    refused("AccessDeniedException", ssm.get_parameter, Name=f"{PREFIX}/other")
    role = {"RoleName": f"dask-{STACK}-worker"}
    iam.attach_role_policy(**policy, **role)
    try:
        ssm.get_parameter(Name=f"{PREFIX}/other")
        words = refused("AccessDeniedException", ssm.get_parameter, Name=one)
        assert words.endswith("/registered with an explicit deny in an identity-based policy")
    finally:
        iam.detach_role_policy(**policy, **role)


def test_policies_of_buckets(stage: Stage) -> None:
    s3 = stage.account.client("s3")
    row = {
        "Principal": "*",
        "Resource": "arn:aws:s3:::private/*",
    }
    allow = row | {"Effect": "Allow", "Action": "s3:GetObject"}
    deny = row | {"Effect": "Deny", "Action": "s3:PutObject"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [allow, deny]})
    s3.put_bucket_policy(Bucket="private", Policy=text)
    ours = stage.client("worker", "s3")
    try:
        ours.get_object(Bucket="private", Key="x")
        words = refused("AccessDenied", ours.put_object, Bucket="private", Key="x", Body=b"")
        assert words.endswith("with an explicit deny in a resource-based policy")
    finally:
        s3.delete_bucket_policy(Bucket="private")


def test_the_program_itself_is_not_weighed(stage: Stage) -> None:
    refused("ParameterNotFound", stage.account.client("ssm").get_parameter, Name="/none")


def test_keys_end_with_their_role(stage: Stage) -> None:
    iam = stage.account.client("iam")
    iam.create_role(RoleName=f"dask-{STACK}-brief", AssumeRolePolicyDocument=TRUST)
    instance = stage.hosts[f"{GROUP}-worker"]
    ssm = stage.client("worker", "ssm", keys=stage.keys(instance, "brief"))
    refused("AccessDeniedException", ssm.get_parameter, Name="/x")
    iam.delete_role(RoleName=f"dask-{STACK}-brief")
    refused("UnrecognizedClientException", ssm.get_parameter, Name="/x")
