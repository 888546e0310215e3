"""Guests: instances that pretend to boot, drain, and fail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.aws import server
from tests.sandbox.server.account import Account, Group, encoded, hook, until
from tests.sandbox.server.conftest import SPEED

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def guest_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("guests")
    yield server.start(folder, speed=SPEED, instances="guests").endpoint
    assert server.stop(folder)


@pytest.fixture
def cluster(guest_endpoint: str) -> Iterator[Cluster]:
    made = Cluster(Account(guest_endpoint))
    yield made
    assert made.account.ask("GET", "health")["failed"] == 0


class Cluster:
    """What Pulumi would have made before the groups."""

    def __init__(self, account: Account) -> None:
        self.account = account
        vpc = account.vpc()
        self.subnet = account.subnet(vpc)
        self.zone = account.client("route53").create_hosted_zone(
            Name="dev.dask-cluster.internal",
            CallerReference="1",
            VPC={"VPCRegion": "us-east-1", "VPCId": vpc},
        )["HostedZone"]["Id"]
        for name in ("registered", "scheduler/boot", "worker/boot", "gpu/boot"):
            account.client("ssm").put_parameter(
                Name=f"/dask-cluster/dev/{name}", Value="{}", Type="String"
            )

    def group(self, name: str, count: int, **settings: str) -> Group:
        hooks = [hook("drain", launching=False, heartbeat=7200, result="CONTINUE")]
        if name == "scheduler":
            hooks.append(hook("boot", launching=True, heartbeat=600))
            settings |= {"ZONE": self.zone.rpartition("/")[2], "ENVIRONMENT": "abc123"}
        lines = "\n".join(f"{key}={value}" for key, value in settings.items())
        template = self.account.template(name, UserData=encoded(f"#!/bin/bash\n{lines}\n"))
        tags = {"dask-cluster": "dev", "dask-cluster:group": name}
        return self.account.group(
            count,
            name=name,
            VPCZoneIdentifier=self.subnet,
            LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
            LifecycleHookSpecificationList=hooks,
            HealthCheckGracePeriod=7200,
            Tags=[
                {"Key": key, "Value": value, "PropagateAtLaunch": True}
                for key, value in tags.items()
            ],
        )

    def told(self, name: str) -> dict[str, Any]:
        found = self.account.client("ssm").get_parameter(Name=f"/dask-cluster/dev/{name}")
        value: dict[str, Any] = json.loads(found["Parameter"]["Value"])
        return value

    def workers(self) -> Any:  # noqa: ANN401
        return self.told("registered").get("workers")

    def fail(self, group: str, reason: str | None) -> None:
        self.account.ask("POST", "guests", {"fail": {"group": group, "reason": reason}})


def test_a_cluster_boots_grows_and_shrinks(cluster: Cluster) -> None:
    scheduler = cluster.group("scheduler", 1).settle(1)
    registered = cluster.told("registered")
    assert registered["scheduler"] == scheduler.ids()[0]
    assert registered["environment"] == "abc123"
    records = cluster.account.client("route53").list_resource_record_sets(HostedZoneId=cluster.zone)
    named = [one for one in records["ResourceRecordSets"] if one["Type"] == "A"]
    assert named[0]["Name"] == "scheduler.dev.dask-cluster.internal."
    address = scheduler.instances()[0]["PrivateIpAddress"]
    assert named[0]["ResourceRecords"] == [{"Value": address}]
    workers = cluster.group("worker", 3).settle(3)
    cluster.group("gpu", 1).settle(1)
    until(lambda: cluster.workers() == {"gpu": 1, "worker": 3}, cluster.workers)
    workers.call("set_desired_capacity", DesiredCapacity=1)
    workers.settle(1)
    until(lambda: cluster.workers() == {"gpu": 1, "worker": 1}, cluster.workers)
    assert cluster.told("worker/boot") == {}
    calls = cluster.account.ask("GET", "calls")
    assert "CompleteLifecycleAction" not in calls["autoscaling"]
    metrics = cluster.account.client("cloudwatch").list_metrics(Namespace="DaskCluster")
    assert metrics["Metrics"][0]["MetricName"] == "Heartbeat"


def test_many_changes_are_few_writes(cluster: Cluster) -> None:
    cluster.group("scheduler", 1).settle(1)
    name = "/dask-cluster/dev/registered"
    ssm = cluster.account.client("ssm")
    before = ssm.get_parameter(Name=name)["Parameter"]["Version"]
    cluster.group("worker", 10).settle(10)
    until(lambda: cluster.workers() == {"worker": 10}, cluster.workers)
    assert ssm.get_parameter(Name=name)["Parameter"]["Version"] - before <= 3


def test_a_worker_that_fails_says_why_and_three_stop_the_launches(cluster: Cluster) -> None:
    cluster.fail("worker", "no room")
    workers = cluster.group("worker", 1)
    until(lambda: cluster.told("worker/boot").get("failures", 0) >= 3)
    told = cluster.told("worker/boot")
    assert (told["ok"], told["reason"]) == (False, "no room")
    assert "no room" in told["log"]

    def launches() -> list[str]:
        return [one["ProcessName"] for one in workers.describe()["SuspendedProcesses"]]

    until(lambda: launches() == ["Launch"])
    workers.settle(0)
    cluster.fail("worker", None)
    workers.call("resume_processes")
    workers.settle(1)
    until(lambda: cluster.told("worker/boot").get("ok") is True)


def test_a_scheduler_that_fails_abandons_its_launch(cluster: Cluster) -> None:
    cluster.fail("scheduler", "wrong environment")
    scheduler = cluster.group("scheduler", 1)
    until(lambda: any(one["StatusCode"] == "Cancelled" for one in scheduler.activities()))
    assert cluster.told("scheduler/boot")["reason"] == "wrong environment"
    assert cluster.told("registered") == {}


def test_a_host_that_comes_too_early_fails(cluster: Cluster) -> None:
    cluster.group("worker", 1, ARCHIVE="s3://no-such-bucket/archive/abc.tar")
    until(lambda: bool(cluster.told("worker/boot")))
    assert "what the host needs is not there" in cluster.told("worker/boot")["reason"]
