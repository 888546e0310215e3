"""What a group launches: by its template's version, in its subnets, with all that is said there."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.sandbox.server.account import Account, Value, encoded, refused, until

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def launched(account: Account, template: str, version: str) -> dict[str, Any]:
    vpc = account.ec2.describe_vpcs(Filters=[{"Name": "isDefault", "Values": ["true"]}])
    subnets = account.ec2.describe_subnets(
        Filters=[{"Name": "vpc-id", "Values": [vpc["Vpcs"][0]["VpcId"]]}]
    )["Subnets"]
    group = account.group(
        1,
        name=f"of-{version}",
        VPCZoneIdentifier=subnets[0]["SubnetId"],
        LaunchTemplate={"LaunchTemplateId": template, "Version": version},
    )
    return group.settle(1).instances()[0]


def test_the_version_of_the_group_counts(account: Account) -> None:
    template = account.template(UserData=encoded("one"))
    account.template_version(template, UserData=encoded("two"), InstanceType="m7i.xlarge")
    account.template_version(template, UserData=encoded("three"), InstanceType="m7i.2xlarge")
    types = {
        version: launched(account, template, version)["InstanceType"]
        for version in ("2", "$Default", "$Latest")
    }
    assert types == {"2": "m7i.xlarge", "$Default": "m7i.large", "$Latest": "m7i.2xlarge"}


def test_a_second_version_keeps_its_user_data(account: Account) -> None:
    template = account.template(UserData=encoded("one"))
    account.template_version(template, UserData=encoded("two"))
    instance = launched(account, template, "2")
    data = account.ec2.describe_instance_attribute(
        InstanceId=instance["InstanceId"], Attribute="userData"
    )
    assert data["UserData"]["Value"] == encoded("two")
    tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
    assert tags["aws:ec2launchtemplate:version"] == "2"


def test_an_instance_is_what_the_template_says(account: Account) -> None:
    iam = account.client("iam")
    iam.create_role(RoleName="host", AssumeRolePolicyDocument=TRUST)
    profile = iam.create_instance_profile(InstanceProfileName="host")["InstanceProfile"]["Arn"]
    vpc = account.vpc()
    subnet, group = account.subnet(vpc), account.security_group(vpc)
    tags = [{"Key": "k", "Value": "v"}]
    kinds = ("instance", "volume", "network-interface")
    template = account.template(
        IamInstanceProfile={"Arn": profile},
        SecurityGroupIds=[group],
        MetadataOptions={
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
            "InstanceMetadataTags": "enabled",
        },
        CpuOptions={"CoreCount": 1, "ThreadsPerCore": 1},
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 50, "Encrypted": True}}
        ],
        TagSpecifications=[{"ResourceType": kind, "Tags": tags} for kind in kinds],
    )
    workers = account.group(
        1,
        VPCZoneIdentifier=subnet,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
        Tags=[{"Key": "p", "Value": "q", "PropagateAtLaunch": True}, {"Key": "own", "Value": "x"}],
    ).settle(1)
    instance = workers.instances()[0]
    assert instance["IamInstanceProfile"]["Arn"] == profile
    assert [one["GroupId"] for one in instance["SecurityGroups"]] == [group]
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert instance["MetadataOptions"]["InstanceMetadataTags"] == "enabled"
    assert instance["CpuOptions"] == {"CoreCount": 1, "ThreadsPerCore": 1}
    named = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
    assert named["k"] == "v"
    assert named["p"] == "q"
    assert named["aws:autoscaling:groupName"] == "workers"
    assert "own" not in named
    volume = account.ec2.describe_volumes()["Volumes"][0]
    assert (volume["Size"], volume["Encrypted"], volume["Tags"]) == (50, True, tags)
    (interface,) = instance["NetworkInterfaces"]
    found = account.ec2.describe_network_interfaces(
        NetworkInterfaceIds=[interface["NetworkInterfaceId"]]
    )
    assert found["NetworkInterfaces"][0]["TagSet"] == tags
    assert interface["PrivateIpAddress"].startswith("10.0.")


def test_interfaces_of_network_cards(account: Account) -> None:
    vpc = account.vpc()
    subnet, group = account.subnet(vpc), account.security_group(vpc)
    cards = [
        {"NetworkCardIndex": 0, "DeviceIndex": 0, "InterfaceType": "interface"},
        {"NetworkCardIndex": 0, "DeviceIndex": 1, "InterfaceType": "efa-only"},
        {"NetworkCardIndex": 1, "DeviceIndex": 1, "InterfaceType": "efa-only"},
    ]
    interfaces = [card | {"Groups": [group], "DeleteOnTermination": True} for card in cards]
    account.ec2.create_placement_group(GroupName="near", Strategy="cluster")
    template = account.template(
        InstanceType="m6in.32xlarge",
        NetworkInterfaces=interfaces,
        Placement={"GroupName": "near"},
    )
    workers = account.group(
        2,
        VPCZoneIdentifier=account.subnet(vpc, 1, "b"),
        LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
    ).settle(2)
    assert subnet
    for instance in workers.instances():
        assert instance["Placement"]["GroupName"] == "near"
        assert instance["SecurityGroups"] == [{"GroupId": group, "GroupName": "hosts"}]
        seen = {
            (
                one["Attachment"]["NetworkCardIndex"],
                one["Attachment"]["DeviceIndex"],
                one["InterfaceType"],
            )
            for one in instance["NetworkInterfaces"]
        }
        assert seen == {(0, 0, "interface"), (0, 1, "efa-only"), (1, 1, "efa-only")}
    workers.call("set_desired_capacity", DesiredCapacity=0)
    workers.settle(0)
    assert "ec2:network-interface" not in account.kinds()
    assert "ec2:volume" not in account.kinds()


def test_zones_and_addresses_are_even(account: Account) -> None:
    workers = account.group(6, zones="abc").settle(6)
    instances = workers.instances()
    zones = Counter(one["Placement"]["AvailabilityZone"] for one in instances)
    assert set(zones.values()) == {2}
    assert len(zones) == 3
    assert len({one["PrivateIpAddress"] for one in instances}) == 6
    subnets = {row["SubnetId"]: row for row in account.ec2.describe_subnets()["Subnets"]}
    for one in instances:
        start = subnets[one["SubnetId"]]["CidrBlock"].split(".")[:2]
        assert one["PrivateIpAddress"].split(".")[:2] == start


def test_templates_that_could_never_launch_are_refused(account: Account) -> None:
    def of(template: str, version: str = "1") -> str:
        wanted = {"LaunchTemplateId": template, "Version": version}
        return refused("ValidationError", account.group, LaunchTemplate=wanted)

    arm = account.image("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64")
    assert "architecture 'arm64'" in of(account.template("a", ImageId=arm))
    assert "does not exist" in of(account.template("b", ImageId="ami-00000000000000000"))
    assert "security group 'sg-0'" in of(account.template("c", SecurityGroupIds=["sg-0"]))
    assert "iamInstanceProfile" in of(account.template("d", IamInstanceProfile={"Name": "no"}))
    assert "'m7i.tiny'" in of(account.template("e", InstanceType="m7i.tiny"))
    assert "version 7" in of(account.template("f"), "7")
    assert "does not exist" in of("lt-0")
    other = account.security_group(account.vpc())
    assert "different networks" in of(account.template("g", SecurityGroupIds=[other]))


def test_failed_launches_are_said_and_tried_again(account: Account) -> None:
    account.dry(type="m7i.large")
    workers = account.group(2)
    until(lambda: bool(workers.activities()))
    activity = workers.activities()[0]
    assert activity["StatusCode"] == "Failed"
    assert "do not have sufficient m7i.large capacity" in activity["StatusMessage"]
    assert "Launching EC2 instance failed" in activity["StatusMessage"]
    assert workers.ids() == []
    account.ask("DELETE", "dry")
    workers.settle(2)


def test_what_ec2_refuses_at_the_launch(account: Account) -> None:
    def message(name: str, **data: Value) -> str:
        wanted = {"LaunchTemplateId": account.template(name, **data), "Version": "1"}
        group = account.group(1, name=name, LaunchTemplate=wanted)
        until(lambda: bool(group.activities()))
        return str(group.activities()[0]["StatusMessage"])

    efa = [{"DeviceIndex": 0, "InterfaceType": "efa"}]
    assert "EFA interfaces are not supported" in message("a", NetworkInterfaces=efa)
    assert "CPU options are not valid" in message(
        "b", CpuOptions={"CoreCount": 1, "ThreadsPerCore": 4}
    )
    assert "'near' is unknown" in message("c", Placement={"GroupName": "near"})
    assert "not supported in your requested Availability Zone" in message(
        "d", InstanceType="hpc7a.12xlarge"
    )


def test_a_fault_of_run_instances_strikes_groups_too(account: Account) -> None:
    row = {"service": "ec2", "operation": "RunInstances", "error": "quota", "nth": 2}
    account.ask("POST", "faults", [row])
    workers = account.group(3)
    until(lambda: any(one["StatusCode"] == "Failed" for one in workers.activities()))
    failed = [one for one in workers.activities() if one["StatusCode"] == "Failed"]
    assert "vCPU limit" in failed[0]["StatusMessage"]
    workers.settle(3)
