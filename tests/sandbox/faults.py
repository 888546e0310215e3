"""Calls that AWS refuses, and what the person reads of it."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal


@dataclasses.dataclass(frozen=True)
class Case:
    """A refusal.

    Attributes:
        during: What is done meanwhile.
        service: As boto3 names it.
        operation: As AWS names it.
        error: The sandbox's word for what goes wrong.
        code: AWS's code, which the error names; None where trying again is enough.
        type: The resource that the error names.
        name: Its name.
        which: Which calls; by default all.
        edit: What an update changes.
    """

    during: Literal["create", "update", "delete"]
    service: str
    operation: str
    error: str
    code: str | None = None
    type: str = ""
    name: str = ""
    which: dict[str, int] = dataclasses.field(default_factory=lambda: {"times": 1000})
    edit: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def again(self) -> bool:
        """Whether an `up` comes after it, else a `destroy`: half of them each."""
        return self.during == "update" or (self.during == "create" and len(self.operation) % 2 == 0)

    def __str__(self) -> str:
        return f"{self.during}-{self.operation}-{self.error}"


_TWICE = {"times": 2}
_GROUP = "aws:autoscaling/group:Group"

FAULTS = (
    Case("create", "ec2", "CreateVpc", "quota", "VpcLimitExceeded", "aws:ec2/vpc:Vpc", "dask-dev"),
    Case("create", "ec2", "CreateNatGateway", "throttle", which=_TWICE),
    # Cut off before it could be tagged.
    Case(
        "create", "s3", "PutBucketTagging", "denied", "AccessDenied", "aws:s3/bucket:Bucket",
        "dask-dev",
    ),
    Case(
        "create", "ec2", "AuthorizeSecurityGroupIngress", "denied", "UnauthorizedOperation",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "*",
    ),
    Case(
        "create", "ec2", "CreateLaunchTemplate", "server", "InternalError",
        "aws:ec2/launchTemplate:LaunchTemplate", "dask-dev-scheduler",
    ),
    Case(
        "create", "ec2", "AllocateAddress", "quota", "AddressLimitExceeded", "aws:ec2/eip:Eip",
        "dask-dev-nat-us-east-2a",
    ),
    Case(
        "create", "autoscaling", "CreateAutoScalingGroup", "capacity", "ServiceUnavailable", _GROUP,
        "dask-dev-scheduler",
    ),
    Case(
        "create", "autoscaling", "PutScalingPolicy", "denied", "AccessDenied",
        "aws:autoscaling/policy:Policy", "dask-dev-worker-stop",
    ),
    Case("create", "iam", "CreateRole", "quota", "LimitExceeded", "aws:iam/role:Role", "*"),
    Case(
        "create", "iam", "AddRoleToInstanceProfile", "denied", "AccessDenied",
        "aws:iam/instanceProfile:InstanceProfile", "*",
    ),
    Case(
        "create", "secretsmanager", "PutSecretValue", "server", "InternalServiceError",
        "aws:secretsmanager/secretVersion:SecretVersion", "*",
    ),
    Case(
        "create", "route53", "ChangeTagsForResource", "denied", "AccessDenied",
        "aws:route53/zone:Zone", "dask-dev",
    ),
    Case(
        "create", "logs", "PutRetentionPolicy", "denied", "AccessDeniedException",
        "aws:cloudwatch/logGroup:LogGroup", "dask-dev",
    ),
    Case(
        "create", "ssm", "PutParameter", "quota", "ParameterLimitExceeded",
        "aws:ssm/parameter:Parameter", "*",
    ),
    # botocore does not know that this word of SNS means a throttle, and does not try again.
    Case(
        "create", "sns", "SetTopicAttributes", "throttle", "Throttled",
        "aws:sns/topicPolicy:TopicPolicy", "dask-dev",
    ),
    Case(
        "update", "autoscaling", "UpdateAutoScalingGroup", "denied", "AccessDenied", _GROUP,
        "dask-dev-worker", edit={"workers": 3},
    ),
    Case(
        "update", "ec2", "CreateLaunchTemplateVersion", "throttle", "RequestLimitExceeded",
        "aws:ec2/launchTemplate:LaunchTemplate", "dask-dev-worker",
        edit={"rootVolume": "60 GiB"},
    ),
    Case(
        "delete", "ec2", "DeleteVpc", "denied", "UnauthorizedOperation", "aws:ec2/vpc:Vpc",
        "dask-dev",
    ),
    Case(
        "delete", "cloudwatch", "DeleteAlarms", "server", "InternalFailure",
        "aws:cloudwatch/metricAlarm:MetricAlarm", "*",
    ),
    Case("delete", "ec2", "DeleteSecurityGroup", "server", which=_TWICE),
)  # fmt: skip
