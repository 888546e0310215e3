"""What is read of a cluster on AWS, and by how many calls."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from operations import machines
from operations.stacks import CommandError
from tests.operations.project import IDENTITY, OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.operations.conftest import Account

NOW = dt.datetime.now(dt.UTC)
WORKER = "dask-cluster-dev-worker"


def test_a_cluster_as_aws_has_it(account: Account) -> None:
    scheduler = account.create_cluster(workers=3)
    view = machines.look(OUTPUTS, account)
    assert view.reporter == scheduler
    assert view.reported
    assert (view.environment, view.expected) == (IDENTITY, IDENTITY)
    assert view.since == "2026-11-21T18:00:00+00:00"
    assert view.scheduler.in_service == (scheduler,)
    assert view.scheduler.registered == 1
    (worker,) = view.groups
    assert (worker.name, worker.autoscaling_group) == ("worker", WORKER)
    assert (worker.workers, worker.wanted, worker.ceiling, worker.registered) == (3, 3, 3, 3)
    assert list(worker.in_service) == account.instances(WORKER)
    assert (worker.starting, worker.ending, worker.missing, worker.silent) == (0, 0, 0, 0)
    assert not worker.suspended
    assert worker.failed_boot is None
    assert not view.stopped


def test_suspended_and_failed_boots(account: Account) -> None:
    account.create_cluster()
    account.client("autoscaling").suspend_processes(
        AutoScalingGroupName=WORKER, ScalingProcesses=["Launch"]
    )
    said = {"instance": "i-1", "ok": False, "failures": 3, "reason": "no disk", "log": "a\nb"}
    account.write("worker/boot", **said, at="2026-11-21T18:00:00Z")
    (worker,) = machines.look(OUTPUTS, account).groups
    assert worker.suspended
    assert worker.failed_boot == machines.FailedBoot(
        "i-1", 3, "no disk", "a\nb", "2026-11-21T18:00:00Z"
    )


def test_how_machines_are_bought(account: Account) -> None:
    for number, (floor, share, said) in enumerate(
        ((0, 0, "spot"), (2, 0, "spot above 2"), (0, 100, "on demand"))
    ):
        name = f"group-{number}"
        account.create_group(f"{name}-template", 0)
        template = {"LaunchTemplateName": f"{name}-template", "Version": "1"}
        policy = {
            "LaunchTemplate": {"LaunchTemplateSpecification": template},
            "InstancesDistribution": {
                "OnDemandBaseCapacity": floor,
                "OnDemandPercentageAboveBaseCapacity": share,
            },
        }
        account.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=0,
            MaxSize=0,
            VPCZoneIdentifier=account.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"],
            MixedInstancesPolicy=policy,
        )
        outputs = OUTPUTS | {"groups": {"scheduler": name}}
        assert machines.look(outputs, account).scheduler.bought == said


def test_nothing_is_there(account: Account) -> None:
    view = machines.look(OUTPUTS, account)
    assert not view.scheduler.exists
    assert [group.exists for group in view.groups] == [False]
    assert not view.reported
    assert not view.stopped


def test_the_machine_of_the_scheduler(account: Account) -> None:
    scheduler = account.create_cluster()
    assert machines.scheduler_machine(OUTPUTS, account, "dask-cluster status dev") == scheduler
    account.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName="dask-cluster-dev-scheduler", DesiredCapacity=0
    )
    with pytest.raises(
        CommandError, match=r"^no scheduler of `dev` is in service\. See: .* status dev$"
    ):
        machines.scheduler_machine(OUTPUTS, account, "dask-cluster status dev")


class Said:
    """Clients that give prepared answers, each checked by botocore's model, and no others."""

    def __init__(self) -> None:
        self.clients = {
            service: boto3.client(
                service,
                region_name="us-east-2",
                aws_access_key_id="someone",
                aws_secret_access_key="something",  # noqa: S106
            )
            for service in ("autoscaling", "ssm")
        }
        self.stubs = {service: Stubber(each) for service, each in self.clients.items()}
        for stub in self.stubs.values():
            stub.activate()

    def client(self, service_name: str, /) -> Any:  # noqa: ANN401
        return self.clients[service_name]

    def groups(self, *groups: dict[str, Any]) -> None:
        names = {"AutoScalingGroupNames": list(OUTPUTS["groups"].values())}
        answer = {"AutoScalingGroups": list(groups)}
        self.stubs["autoscaling"].add_response("describe_auto_scaling_groups", answer, names)

    def registered(self, **told: Any) -> None:  # noqa: ANN401
        names = [f"/dask-cluster/dev/{n}" for n in ("registered", "scheduler/boot", "worker/boot")]
        text = [told, {}, {}]
        values = [
            {"Name": name, "Value": json.dumps(value)}
            for name, value in zip(names, text, strict=True)
        ]
        self.stubs["ssm"].add_response("get_parameters", {"Parameters": values}, {"Names": names})

    def activities(self, *activities: dict[str, Any]) -> None:
        self.stubs["autoscaling"].add_response(
            "describe_scaling_activities",
            {"Activities": list(activities)},
            {"AutoScalingGroupName": WORKER},
        )

    def look(self) -> machines.View:
        found = machines.look(OUTPUTS, self)
        for stub in self.stubs.values():
            stub.assert_no_pending_responses()
        return found


def group(name: str, wanted: int, *states: str, workers: int | None = None) -> dict[str, Any]:
    """One Auto Scaling group as AWS describes it, with machines in these states."""
    return {
        "AutoScalingGroupName": f"dask-cluster-dev-{name}",
        "MinSize": 0,
        "MaxSize": 40,
        "DesiredCapacity": wanted,
        "DefaultCooldown": 300,
        "AvailabilityZones": ["us-east-2a"],
        "HealthCheckType": "EC2",
        "CreatedTime": NOW,
        "Instances": [
            {
                "InstanceId": f"i-{name}-{number:04}",
                "AvailabilityZone": "us-east-2a",
                "LifecycleState": state,
                "HealthStatus": "Healthy",
                "ProtectedFromScaleIn": False,
            }
            for number, state in enumerate(states)
        ],
        "Tags": [
            {"Key": "dask-cluster:workers", "Value": str(wanted if workers is None else workers)}
        ]
        if name != "scheduler"
        else [],
    }


def launch(minutes: float, status: str = "Successful", message: str = "") -> dict[str, Any]:
    """The launch of a machine so many minutes ago."""
    said = {"StatusMessage": message} if message else {}
    return {
        "ActivityId": "a",
        "AutoScalingGroupName": WORKER,
        "Cause": "c",
        "Description": "Launching a new EC2 instance: i-1",
        "StartTime": dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes),
        "StatusCode": status,
        **said,
    }


ENDING = launch(0) | {"Description": "Terminating EC2 instance: i-1"}


@pytest.fixture
def said() -> Callable[..., Said]:
    """Return what gives answers about a sound scheduler and this group of workers."""

    def prepare(workers: dict[str, Any], registered: int) -> Said:
        made = Said()
        made.groups(group("scheduler", 1, "InService"), workers)
        told = {"scheduler": "i-scheduler-0000", "environment": IDENTITY, "started": "2026-11-21"}
        made.registered(**told, workers={"worker": registered})
        return made

    return prepare


def test_two_thousand_machines_are_two_calls(said: Callable[..., Said]) -> None:
    (worker,) = said(group("worker", 2000, *["InService"] * 2000), 2000).look().groups
    assert len(worker.in_service) == worker.registered == 2000


def test_machines_by_what_they_do(said: Callable[..., Said]) -> None:
    states = ("InService", "Pending:Wait", "Pending", "Terminating:Wait", "Terminating", "Standby")
    (worker,) = said(group("worker", 3, *states), 1).look().groups
    assert worker.in_service == ("i-worker-0000",)
    assert (worker.starting, worker.ending, worker.missing) == (2, 2, 0)


def test_a_group_that_is_being_deleted_is_gone(said: Callable[..., Said]) -> None:
    deleted = group("worker", 0) | {"Status": "Delete in progress"}
    (worker,) = said(deleted, 0).look().groups
    assert not worker.exists


def test_why_machines_are_missing(said: Callable[..., Said]) -> None:
    answers = said(group("worker", 3, "InService"), 1)
    answers.activities(
        ENDING, launch(1), launch(5, "Failed", "no spare m7i.large"), launch(9, "Failed", "old")
    )
    (worker,) = answers.look().groups
    assert worker.missing == 2
    assert worker.failed_activity == "no spare m7i.large"
    assert worker.launched is not None
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(worker.launched)
    assert dt.timedelta(minutes=1) <= age < dt.timedelta(minutes=4)


def test_a_failure_of_long_ago_says_nothing(said: Callable[..., Said]) -> None:
    answers = said(group("worker", 3, "InService"), 1)
    answers.activities(
        launch(61, "Failed", "no spare m7i.large"), ENDING | {"StatusCode": "Failed"}
    )
    (worker,) = answers.look().groups
    assert worker.failed_activity is None


@pytest.mark.parametrize(("minutes", "booting"), [(1, True), (6, True), (11, False)])
def test_how_long_a_machine_may_boot(
    said: Callable[..., Said], minutes: float, *, booting: bool
) -> None:
    answers = said(group("worker", 2, "InService", "InService"), 1)
    answers.activities(ENDING, launch(minutes), launch(600))
    view = answers.look()
    assert view.groups[0].silent == 1
    assert view.groups[0].booting(view.at) is booting


def test_a_stopped_fleet(said: Callable[..., Said]) -> None:
    answers = said(group("worker", 0, "Terminating:Wait", workers=4), 0)
    answers.activities()
    view = answers.look()
    assert view.groups[0].stopped
    assert view.stopped
    assert not said(group("worker", 0, workers=0), 0).look().stopped


def test_more_groups_than_one_call_for_parameters(account: Account) -> None:
    names = ["scheduler", *(f"group{number}" for number in range(12))]
    for name in names:
        account.create_group(f"on-aws-{name}", 0)
        account.write(f"{name}/boot", failures=1, instance=f"i-{name}", reason="r")
    view = machines.look(OUTPUTS | {"groups": {name: f"on-aws-{name}" for name in names}}, account)
    boots = [each.failed_boot for each in (view.scheduler, *view.groups)]
    assert [boot and boot.instance for boot in boots] == [f"i-{name}" for name in names]


def test_a_refusal_of_aws(account: Account) -> None:
    with pytest.raises(CommandError) as refused:
        machines.look(OUTPUTS | {"groups": {"scheduler": ""}}, account)
    assert str(refused.value).startswith("AWS, ")


def test_a_view_as_data(said: Callable[..., Said]) -> None:
    found = said(group("worker", 1, "InService"), 1).look().as_json()
    assert json.loads(json.dumps(found))["groups"][0]["in_service"] == ["i-worker-0000"]
