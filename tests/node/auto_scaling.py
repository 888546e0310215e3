"""Auto Scaling groups in this process, behind a real client of botocore, which checks each call."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tests.node.aws_calls import REGION, answered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dask_node.fleet import Group

CLUSTER = "dev"


@dataclass
class FakeGroup:
    """One Auto Scaling group.

    Attributes:
        room: How many instances can be had; None: any number.
        instances: Their states by id.
    """

    name: str
    desired: int
    most: int
    tags: dict[str, str]
    room: int | None = None
    suspended: tuple[str, ...] = ()
    status: str | None = None
    instances: dict[str, str] = field(default_factory=dict)

    def alive(self) -> list[str]:
        return sorted(i for i, state in self.instances.items() if "Terminating" not in state)

    def described(self) -> dict[str, Any]:
        more = {"Status": self.status} if self.status else {}
        return {
            "AutoScalingGroupName": self.name,
            "MinSize": 0,
            "MaxSize": self.most,
            "DesiredCapacity": self.desired,
            "DefaultCooldown": 300,
            "AvailabilityZones": ["us-east-1a"],
            "HealthCheckType": "EC2",
            "CreatedTime": 0,
            "Instances": [
                {
                    "InstanceId": instance,
                    "LifecycleState": state,
                    "AvailabilityZone": "us-east-1a",
                    "HealthStatus": "Healthy",
                    "ProtectedFromScaleIn": False,
                }
                for instance, state in self.instances.items()
            ],
            "SuspendedProcesses": [{"ProcessName": name} for name in self.suspended],
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
            **more,
        }


class FakeAutoScaling:
    """The groups of an account.

    Attributes:
        calls: What was asked for, but for Describe: the operation and its parameters.
        broken: Raised at the next calls.
    """

    def __init__(self, *groups: FakeGroup, page: int = 100) -> None:
        self.groups = {group.name: group for group in groups}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.looks = 0
        self.page = page
        self.broken: Exception | None = None
        self._ids = (f"i-{number:017x}" for number in count())

    def client(self, service: str, region: str) -> Any:  # noqa: ANN401
        """Stand in for `dask_node.aws.clients.client`."""
        assert (service, region) == ("autoscaling", REGION)
        return answered(service, self._answer)

    def _answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        if self.broken:
            raise self.broken
        if operation == "DescribeAutoScalingGroups":
            return self._describe(given)
        self.calls.append((operation, given))
        group = self.groups[given["AutoScalingGroupName"]]
        if operation == "SetDesiredCapacity":
            if not 0 <= given["DesiredCapacity"] <= group.most:
                raise error(operation, "New SetDesiredCapacity value is above max value")
            group.desired = given["DesiredCapacity"]
            return {}
        assert operation == "TerminateInstanceInAutoScalingGroup"
        for instance in given["InstanceIds"]:
            assert instance in group.alive()
            group.instances[instance] = "Terminating:Wait"
            group.desired -= given["ShouldDecrementDesiredCapacity"]
        return {"Activities": []}

    def _describe(self, given: dict[str, Any]) -> dict[str, Any]:
        [filtered] = given["Filters"]
        assert filtered["Name"] == "tag:dask-cluster"
        first = int(given.get("NextToken", 0))
        self.looks += first == 0
        ours = [g for g in self.groups.values() if g.tags["dask-cluster"] in filtered["Values"]]
        page = [group.described() for group in ours[first : first + self.page]]
        rest = len(ours) > first + self.page
        return {
            "AutoScalingGroups": page,
            **({"NextToken": f"{first + self.page}"} if rest else {}),
        }

    def turn(self) -> None:
        """Let every group do what AWS does in a while: launch, end who is too many, let go."""
        for group in self.groups.values():
            for instance, state in list(group.instances.items()):
                if state == "Terminating:Wait":
                    del group.instances[instance]
                elif state == "Pending":
                    group.instances[instance] = "InService"
            alive = group.alive()
            for instance in alive[group.desired :]:
                group.instances[instance] = "Terminating:Wait"
            launched = group.desired - len(alive)
            if group.room is not None:
                launched = min(launched, group.room - len(alive))
            if "Launch" not in group.suspended:
                group.instances |= {next(self._ids): "Pending" for _ in range(launched)}


def error(operation: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": "ValidationError", "Message": message}}, operation)


def tags(facts: Group, **more: str) -> dict[str, str]:
    """Return the tags of a group, as the program writes them."""
    layout: Mapping[str, Any] = {
        "processes": facts.processes,
        "threads": facts.threads,
        "memory": facts.memory,
        "resources": dict(facts.resources),
    }
    return {
        "dask-cluster": CLUSTER,
        "dask-cluster:group": facts.name,
        "dask-cluster:workers": str(facts.workers),
        "dask-cluster:max-workers": "" if facts.max_workers is None else str(facts.max_workers),
        "dask-cluster:layout": json.dumps(layout),
        **{f"dask-cluster:{name.replace('_', '-')}": value for name, value in more.items()},
    }


def fake(facts: Group, desired: int | None = None, **more: str) -> FakeGroup:
    """Return the Auto Scaling group of a group of ours."""
    wanted = facts.workers if desired is None else desired
    return FakeGroup(f"{CLUSTER}-{facts.name}", wanted, facts.limit, tags(facts, **more))
