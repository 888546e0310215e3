"""Accounts on this machine with things of clusters in them, for the tests of `sweep`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3

from operations import sweep
from operations.sweep.kinds import Scope
from sandbox.aws import server
from sandbox.aws.server.starter import request

if TYPE_CHECKING:
    from operations.sweeping import Left
    from tests.sandbox.rehearsed import Rehearsed

REGION = "us-east-2"
TAG = {"Key": "dask-cluster", "Value": "prod"}
OTHERS = {"Key": "dask-cluster", "Value": "prod-eu"}
SCOPE = Scope("prod", REGION, "123456789012")

POLICY = (
    '{"Version": "2012-10-17", "Statement": '
    '[{"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}]}'
)
ALARM: dict[str, Any] = {
    "AlarmName": "dask-prod-eu-silent",
    "ComparisonOperator": "LessThanThreshold",
    "EvaluationPeriods": 1,
    "MetricName": "Heartbeat",
    "Namespace": "DaskCluster",
    "Period": 60,
    "Statistic": "Sum",
    "Threshold": 1,
}
BUDGET: dict[str, Any] = {
    "BudgetName": "dask-prod-eu-1234567",
    "BudgetType": "COST",
    "TimeUnit": "MONTHLY",
    "BudgetLimit": {"Amount": "5", "Unit": "USD"},
}


class Cloud:
    """An account on this machine."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.region = REGION
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, /) -> Any:  # noqa: ANN401
        key = (service, self.region)
        if key not in self._clients:
            self._clients[key] = boto3.client(
                service,
                region_name=self.region,
                endpoint_url=self.endpoint,
                aws_access_key_id="test",
                aws_secret_access_key="test",  # noqa: S106
            )
        return self._clients[key]

    def session(self, region: str) -> Cloud:
        other = Cloud(self.endpoint)
        other.region = region
        return other

    def contents(self) -> list[server.Item]:
        return server.contents(self.endpoint)

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        return request(self.endpoint, method, f"/_sandbox/{path}", body)

    def found(self) -> list[tuple[str, str]]:
        left, refused = sweep.find(SCOPE, self)
        assert refused == []
        return [(each.kind, each.id) for each in left]

    def sweep(self, seconds: float = 30, quiet: float = 5) -> tuple[list[Left], list[Any]]:
        gone: list[Left] = []
        left = sweep.delete(SCOPE, self, deleted=gone.append, seconds=seconds, quiet=quiet)
        return gone, list(left)


def tags_of(kind: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [TAG]}]


def create_bucket(s3: Any, name: str, tag: dict[str, str]) -> None:  # noqa: ANN401
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [tag]})
    s3.put_object(Bucket=name, Key="data", Body=b"x")


def create_lustre(cloud: Cloud, tags: list[dict[str, str]]) -> None:
    subnet = cloud.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    cloud.client("fsx").create_file_system(
        FileSystemType="LUSTRE",
        StorageCapacity=1200,
        SubnetIds=[subnet],
        LustreConfiguration={"DeploymentType": "SCRATCH_2"},
        Tags=tags,
    )


def create_group(ec2: Any, vpc: str, name: str) -> str:  # noqa: ANN401
    made = ec2.create_security_group(
        GroupName=name,
        Description=name,
        VpcId=vpc,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": [TAG]}],
    )
    return str(made["GroupId"])


def tagging(stack: Rehearsed) -> dict[str, int]:
    """How often something got tags after the call that made it, by service and call."""
    return {
        f"{service} {operation}": number
        for service, operations in stack.sandbox("GET", "calls").items()
        for operation, number in operations.items()
        if "Tag" in operation and not operation.startswith(("Get", "List", "Describe"))
    }


def everything(stack: Rehearsed) -> list[list[Any]]:
    """What there is, and the rules and routes, which no listing names."""
    ec2 = stack.client("ec2")
    rules = ec2.describe_security_group_rules()["SecurityGroupRules"]
    routes = [table["Routes"] for table in ec2.describe_route_tables()["RouteTables"]]
    roles = stack.client("iam").list_roles()["Roles"]
    policies = [
        stack.client("iam").list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
        for role in roles
    ]
    return [stack.contents(), rules, routes, policies]
