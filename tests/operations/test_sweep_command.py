"""What the command `sweep` prints, asks and refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from operations.stacks import CommandError
from operations.sweep import command
from tests.operations.project import COMMAND
from tests.operations.sweeping import POLICY, REGION, SCOPE, TAG, Cloud

if TYPE_CHECKING:
    from tests.operations.project import Project

DENIED = {"service": "*", "error": "denied", "times": 1000}


def test_the_command(cloud: Cloud) -> None:
    console = Console(record=True, width=120)
    asked: list[str] = []
    cloud.client("sns").create_topic(Name="dask-prod-1234567", Tags=[TAG])
    assert command.run(console, "prod", REGION, ask=asked.append, session=lambda _: cloud)
    where = f"prod in account {SCOPE.account}, {REGION}"
    topic = f"topic                arn:aws:sns:{REGION}:{SCOPE.account}:dask-prod-1234567"
    assert console.export_text() == f"    {topic}\n\n -  {topic}\n\nNothing is left of {where}.\n"
    assert asked == [f"Delete 1 thing of {where}, data and all?"]
    cloud.client("secretsmanager").create_secret(
        Name="dask-prod-client", SecretString="x", Tags=[TAG]
    )
    assert command.run(console, "prod", REGION, ask=asked.append, session=lambda _: cloud)
    assert f":{SCOPE.account}:secret:dask-prod-client" in console.export_text()
    assert cloud.contents() == []
    assert command.run(console, "prod", REGION, ask=asked.append, session=cloud.session)
    assert console.export_text() == f"Nothing bears the tag of {where}.\n"
    assert len(asked) == 2


def test_the_command_names_what_is_left(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    arn = iam.create_policy(PolicyName="dask-prod-connect-1", PolicyDocument=POLICY, Tags=[TAG])
    cloud.ask("POST", "faults", [{**DENIED, "operation": "DeletePolicy"}])
    console = Console(record=True, width=200)
    assert not command.run(
        console, "prod", REGION, ask=lambda _: None, session=cloud.session, quiet=0.5
    )
    said = console.export_text()
    assert f"Left, 1 in all:\n !  policy               {arn['Policy']['Arn']}\n" in said
    assert "(AccessDenied) when calling the DeletePolicy operation" in said


def test_a_no_deletes_nothing(cloud: Cloud) -> None:
    cloud.client("sns").create_topic(Name="dask-prod-1234567", Tags=[TAG])
    before = cloud.contents()

    def refuse(_question: str) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        command.run(Console(quiet=True), "prod", REGION, ask=refuse, session=cloud.session)
    assert cloud.contents() == before


def test_a_namesake_in_another_region(cloud: Cloud) -> None:
    """Its roles bear the same tag, and belong to no region."""
    role = {"RoleName": "dask-prod-worker-1", "AssumeRolePolicyDocument": "{}", "Tags": [TAG]}
    cloud.client("iam").create_role(**role)
    other = cloud.session("eu-west-1")
    ec2 = other.client("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    ec2.create_launch_template(
        LaunchTemplateName="template",
        LaunchTemplateData={"ImageId": image, "InstanceType": "m7i.large"},
    )
    other.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="dask-cluster-prod-worker",
        MinSize=0,
        MaxSize=0,
        LaunchTemplate={"LaunchTemplateName": "template", "Version": "1"},
        AvailabilityZones=["eu-west-1a"],
        Tags=[{**TAG, "PropagateAtLaunch": True}],
    )
    before = cloud.contents()
    with pytest.raises(CommandError, match="`prod` is up in eu-west-1 of this account too"):
        command.run(Console(quiet=True), "prod", REGION, ask=lambda _: None, session=cloud.session)
    assert cloud.contents() == before


def test_from_the_shell(project: Project, cloud: Cloud) -> None:
    project.environ["AWS_ENDPOINT_URL"] = cloud.endpoint
    printed, _ = project.command("sweep", "dev", "--yes")
    assert printed == f"Nothing bears the tag of dev in account {SCOPE.account}, {REGION}.\n"
    assert not (project.outside / "pulumi.json").exists()
    project.edit(platform="local", workers=1)
    assert project.refused("sweep", "dev", code=2) == (
        f"stack `dev` runs on this machine, where `{COMMAND} destroy dev` leaves nothing."
    )
