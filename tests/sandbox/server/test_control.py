"""What a rehearsal asks of its AWS: counts, faults, dry pools, contents."""

from __future__ import annotations

import http.client

import pytest

from sandbox.aws.server import Item, ServerError, contents
from tests.sandbox.server.account import REGION, Account, refused

CALLS = {
    "ec2": "describe_vpcs",
    "autoscaling": "describe_auto_scaling_groups",
    "s3": "list_buckets",
    "ssm": "describe_parameters",
    "cloudwatch": "describe_alarms",
    "route53": "list_hosted_zones",
    "efs": "describe_file_systems",
    "iam": "list_roles",
    "secretsmanager": "list_secrets",
    "logs": "describe_log_groups",
    "sns": "list_topics",
    "fsx": "describe_file_systems",
}
CODES = {
    "throttle": {
        "ec2": "RequestLimitExceeded",
        "autoscaling": "Throttling",
        "s3": "SlowDown",
        "route53": "Throttling",
        "iam": "Throttling",
        "sns": "Throttled",
    },
    "denied": {
        "ec2": "UnauthorizedOperation",
        "autoscaling": "AccessDenied",
        "s3": "AccessDenied",
        "route53": "AccessDenied",
        "iam": "AccessDenied",
        "sns": "AuthorizationError",
    },
}


def fault(account: Account, service: str, error: str, **when: int) -> None:
    row = {"service": service, "operation": "*", "error": error} | when
    account.ask("POST", "faults", [row])


@pytest.mark.parametrize("service", CALLS)
def test_faults_are_errors_of_the_service(account: Account, service: str) -> None:
    call = getattr(account.client(service), CALLS[service])
    for kind, others in (("throttle", "ThrottlingException"), ("denied", "AccessDeniedException")):
        account.ask("DELETE", "faults")
        fault(account, service, kind)
        refused(CODES[kind].get(service, others), call)
        assert call()


def test_quota_capacity_and_server_faults(account: Account) -> None:
    fault(account, "ec2", "quota")
    assert refused("VpcLimitExceeded", account.ec2.create_vpc, CidrBlock="10.0.0.0/16")
    fault(account, "ec2", "capacity")
    template = account.image()
    run = {"ImageId": template, "InstanceType": "m7i.large", "MinCount": 1, "MaxCount": 1}
    assert refused("InsufficientInstanceCapacity", account.ec2.run_instances, **run)
    fault(account, "efs", "server")
    assert refused("InternalServerError", account.client("efs").describe_file_systems)


def test_a_fault_at_the_nth_call(account: Account) -> None:
    fault(account, "sns", "denied", nth=2)
    topics = account.client("sns").list_topics
    topics()
    refused("AuthorizationError", topics)
    topics()
    (row,) = account.ask("GET", "faults")
    assert (row["seen"], row["hits"]) == (3, 1)


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("faults", [{"service": "ec2"}], "lacks"),
        ("faults", [{"service": "a", "operation": "b", "error": "odd"}], "throttle, quota"),
        ("faults", [{"service": "a", "operation": "b", "error": "quota", "nth": 0}], "from 1"),
        ("faults", {}, "a list"),
        ("dry", [{"zome": "a"}], "type, zone and market"),
        ("images", [{"id": "ami-1"}], "architecture"),
        ("clock", {"speed": 0}, "above 0"),
        ("guests", {"fail": {"group": "worker", "reason": "x"}}, "no guests"),
        ("other", {}, "there are only"),
    ],
)
def test_wrong_requests_are_refused(account: Account, path: str, body: object, words: str) -> None:
    with pytest.raises(ServerError, match=words):
        account.ask("POST", path, body)


def test_calls_are_counted(account: Account) -> None:
    account.ec2.describe_vpcs()
    account.client("s3").create_bucket(Bucket="a-bucket")
    account.client("s3").put_object(Bucket="a-bucket", Key="a/b", Body=b"x")
    account.client("ssm").describe_parameters()
    account.client("cloudwatch").describe_alarms()
    account.client("route53").list_hosted_zones()
    account.client("efs").describe_file_systems()
    assert account.ask("GET", "calls") == {
        "ec2": {"DescribeVpcs": 1},
        "s3": {"CreateBucket": 1, "PutObject": 1},
        "ssm": {"DescribeParameters": 1},
        "cloudwatch": {"DescribeAlarms": 1},
        "route53": {"ListHostedZones": 1},
        "efs": {"DescribeFileSystems": 1},
    }
    account.ask("DELETE", "calls")
    assert account.ask("GET", "calls") == {}


def test_contents_are_what_was_made(account: Account) -> None:
    account.ec2.describe_vpcs()
    assert account.contents() == []
    whole = contents(account.endpoint, baseline=True)
    assert {"vpc", "subnet", "security-group"} <= {item.type for item in whole}
    vpc = account.vpc()
    assert Item("ec2", "vpc", REGION, vpc) in account.contents()
    account.client("ssm").put_parameter(Name="/a", Value="x", Type="String")
    account.client("sns").create_topic(Name="t")
    assert {"ssm:parameter", "sns:topic"} <= account.kinds()
    account.client("sns").delete_topic(
        TopicArn=account.client("sns").list_topics()["Topics"][0]["TopicArn"]
    )
    account.client("ssm").delete_parameter(Name="/a")
    account.ec2.delete_vpc(VpcId=vpc)
    assert account.contents() == []


def test_what_moto_fails_at_is_said(account: Account) -> None:
    words = refused("NotImplemented", account.ec2.describe_network_insights_paths)
    assert "ec2:DescribeNetworkInsightsPaths" in words


def test_other_hosts_are_refused(account: Account) -> None:
    connection = http.client.HTTPConnection(account.endpoint.removeprefix("http://"))
    connection.request("GET", "/_sandbox/contents", headers={"Host": "evil.example"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 403
    connection.close()


def test_a_named_image_can_be_launched(account: Account) -> None:
    row = {"id": "ami-0123456789abcdef0", "architecture": "x86_64", "region": REGION}
    account.ask("POST", "images", [row])
    template = account.template(ImageId=row["id"])
    account.group(1, LaunchTemplate={"LaunchTemplateId": template, "Version": "1"}).settle(1)


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "ap-southeast-7", "us-gov-west-1"])
def test_amazon_linux_is_in_every_region(account: Account, region: str) -> None:
    for architecture in ("x86_64", "arm64"):
        name = f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"
        found = account.client("ssm", region).get_parameter(Name=name)["Parameter"]["Value"]
        images = account.client("ec2", region).describe_images(ImageIds=[found])["Images"]
        assert images[0]["Architecture"] == architecture
