"""An account of the rehearsal's AWS, as a test uses it: through boto3, over HTTP."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any, TypeAlias

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.aws.server import Item, contents
from sandbox.aws.server.starter import request

if TYPE_CHECKING:
    from collections.abc import Callable

# boto3 makes its clients, and what they take and give, from data: it has no types.
Client: TypeAlias = Any
Value: TypeAlias = Any

REGION = "us-east-1"
ACCOUNT = "123456789012"
AMI = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
# Session-wide: reading botocore's models is what takes the time.
_CLIENTS: dict[tuple[str, str, str], Any] = {}


class Account:
    """One account, emptied before each test."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        request(endpoint, "POST", "/_sandbox/reset")

    def client(self, service: str, region: str = REGION) -> Client:
        key = (self.endpoint, service, region)
        if key not in _CLIENTS:
            _CLIENTS[key] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=region,
                aws_access_key_id="a",
                aws_secret_access_key="b",  # noqa: S106
                config=Config(retries={"total_max_attempts": 1}),
            )
        return _CLIENTS[key]

    @property
    def ec2(self) -> Client:
        return self.client("ec2")

    @property
    def scaling(self) -> Client:
        return self.client("autoscaling")

    def ask(self, method: str, path: str, body: object = None) -> Value:
        return request(self.endpoint, method, f"/_sandbox/{path}", body)

    def contents(self) -> list[Item]:
        return contents(self.endpoint)

    def kinds(self) -> set[str]:
        return {f"{item.service}:{item.type}" for item in self.contents()}

    def dry(self, **pool: str) -> None:
        self.ask("POST", "dry", [pool])

    def image(self, name: str = AMI) -> str:
        return str(self.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])

    def vpc(self) -> str:
        return str(self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])

    def subnet(self, vpc: str, number: int = 0, zone: str = "a") -> str:
        made = self.ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.0.{16 * number}.0/20", AvailabilityZone=f"{REGION}{zone}"
        )
        return str(made["Subnet"]["SubnetId"])

    def security_group(self, vpc: str, name: str = "hosts") -> str:
        made = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)
        return str(made["GroupId"])

    def template(self, name: str = "hosts", **data: Value) -> str:
        full = {"ImageId": self.image(), "InstanceType": "m7i.large"} | data
        made = self.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=full)
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    def template_version(self, template: str, **data: Value) -> int:
        full = {"ImageId": self.image(), "InstanceType": "m7i.large"} | data
        made = self.ec2.create_launch_template_version(
            LaunchTemplateId=template, LaunchTemplateData=full
        )
        return int(made["LaunchTemplateVersion"]["VersionNumber"])

    def group(self, count: int = 0, *, zones: str = "a", **settings: Value) -> Group:
        """Make a group of its own network, with `count` instances wanted."""
        if "VPCZoneIdentifier" not in settings:
            vpc = self.vpc()
            subnets = [self.subnet(vpc, number, zone) for number, zone in enumerate(zones)]
            settings["VPCZoneIdentifier"] = ",".join(subnets)
        if not {"LaunchTemplate", "MixedInstancesPolicy"} & settings.keys():
            settings["LaunchTemplate"] = {"LaunchTemplateId": self.template(), "Version": "1"}
        name = settings.pop("name", "workers")
        self.scaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            **{"MinSize": 0, "MaxSize": max(count, 10), "DesiredCapacity": count} | settings,
        )
        return Group(self, name)


class Group:
    """A group of an account."""

    def __init__(self, account: Account, name: str) -> None:
        self.account = account
        self.name = name

    def call(self, operation: str, **parameters: Value) -> Value:
        method = getattr(self.account.scaling, operation)
        return method(AutoScalingGroupName=self.name, **parameters)

    def describe(self) -> dict[str, Any]:
        found = self.account.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])
        groups: list[dict[str, Any]] = found["AutoScalingGroups"]
        return groups[0] if groups else {"Instances": []}

    def states(self) -> list[str]:
        return sorted(one["LifecycleState"] for one in self.describe()["Instances"])

    def ids(self) -> list[str]:
        return [one["InstanceId"] for one in self.describe()["Instances"]]

    def instances(self) -> list[dict[str, Any]]:
        """What EC2 knows of the group's instances."""
        found = self.account.ec2.describe_instances(InstanceIds=self.ids())
        return [one for row in found["Reservations"] for one in row["Instances"]]

    def settle(self, count: int) -> Group:
        """Wait until exactly so many are in service and nothing else is left."""
        until(lambda: self.states() == ["InService"] * count, self.states)
        return self

    def reach(self, *states: str) -> Group:
        until(lambda: self.states() == sorted(states), self.states)
        return self

    def activities(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("describe_scaling_activities")["Activities"]
        return found


def until(
    holds: Callable[[], bool],
    seen: Callable[[], Any] = lambda: "",
    seconds: float = 12.0,
    pause: float = 0.05,
) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s; seen last: {seen()}"
        time.sleep(pause)


def refused(code: str, method: Callable[..., Any], /, **parameters: Value) -> str:
    """Make a call that must be refused with a code; returns the message."""
    with pytest.raises(ClientError) as caught:
        method(**parameters)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def hook(name: str, *, launching: bool, heartbeat: int = 300, result: str = "") -> dict[str, Any]:
    row: dict[str, Any] = {
        "LifecycleHookName": name,
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_"
        + ("LAUNCHING" if launching else "TERMINATING"),
        "HeartbeatTimeout": heartbeat,
    }
    return row | ({"DefaultResult": result} if result else {})
