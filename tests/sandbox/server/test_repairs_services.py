"""Other services: names that are kept, things that can be changed, limits that count."""

from __future__ import annotations

import json

from tests.sandbox.server.account import ACCOUNT, Account, refused
from tests.sandbox.server.test_group_launch import TRUST

POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    }
)


def test_a_deleted_secret_keeps_its_name_unless_forced(account: Account) -> None:
    secrets = account.client("secretsmanager")
    secrets.create_secret(Name="a", SecretString="1")
    secrets.delete_secret(SecretId="a")
    again = {"Name": "a", "SecretString": "2"}
    words = refused("InvalidRequestException", secrets.create_secret, **again)
    assert "already scheduled for deletion" in words
    assert "secretsmanager:secret" in account.kinds()
    secrets.delete_secret(SecretId="a", ForceDeleteWithoutRecovery=True)
    assert "secretsmanager:secret" not in account.kinds()
    secrets.create_secret(**again)
    refused("ResourceExistsException", secrets.create_secret, **again)


def test_a_parameter_has_four_kilobytes(account: Account) -> None:
    ssm = account.client("ssm")
    ssm.put_parameter(Name="/a", Value="x" * 4096, Type="String")
    more = {"Name": "/a", "Value": "é" * 2049, "Overwrite": True}
    assert "4096" in refused("ValidationException", ssm.put_parameter, **more)
    assert ssm.get_parameter(Name="/a")["Parameter"]["Value"] == "x" * 4096


def test_roles_and_policies_in_use_stay(account: Account) -> None:
    iam = account.client("iam")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    arn = iam.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    refused("DeleteConflict", iam.delete_role, RoleName="r")
    refused("DeleteConflict", iam.delete_policy, PolicyArn=arn)
    iam.detach_role_policy(RoleName="r", PolicyArn=arn)
    version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=POLICY)["PolicyVersion"]
    refused("DeleteConflict", iam.delete_policy, PolicyArn=arn)
    iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    iam.delete_policy(PolicyArn=arn)
    managed = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    iam.attach_role_policy(RoleName="r", PolicyArn=managed)
    iam.detach_role_policy(RoleName="r", PolicyArn=managed)
    iam.put_role_policy(RoleName="r", PolicyName="inline", PolicyDocument=POLICY)
    refused("DeleteConflict", iam.delete_role, RoleName="r")
    iam.delete_role_policy(RoleName="r", PolicyName="inline")
    iam.delete_role(RoleName="r")
    assert account.contents() == []


def test_a_budget_can_be_changed(account: Account) -> None:
    budgets, own = account.client("budgets"), {"AccountId": ACCOUNT, "BudgetName": "b"}
    budget = {
        "BudgetName": "b",
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": "10", "Unit": "USD"},
    }
    notice = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80}
    mail = {"SubscriptionType": "EMAIL", "Address": "a@example.com"}
    budgets.create_budget(
        AccountId=ACCOUNT,
        Budget=budget,
        NotificationsWithSubscribers=[{"Notification": notice, "Subscribers": [mail]}],
        ResourceTags=[{"Key": "k", "Value": "v"}],
    )
    new = budget | {"BudgetLimit": {"Amount": "20", "Unit": "USD"}}
    budgets.update_budget(AccountId=ACCOUNT, NewBudget=new)
    limit = budgets.describe_budget(**own)["Budget"]["BudgetLimit"]
    assert limit == {"Amount": "20", "Unit": "USD"}
    found = budgets.describe_subscribers_for_notification(**own, Notification=notice)
    assert found["Subscribers"] == [mail]
    arn = f"arn:aws:budgets::{ACCOUNT}:budget/b"
    assert budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"][0]["Key"] == "k"
    other = new | {"BudgetName": "other"}
    refused("NotFoundException", budgets.update_budget, AccountId=ACCOUNT, NewBudget=other)


def test_efs_can_be_changed_and_holds_its_subnet(account: Account) -> None:
    efs, vpc = account.client("efs"), account.vpc()
    subnet, group = account.subnet(vpc), account.security_group(vpc)
    system = efs.create_file_system(CreationToken="t")["FileSystemId"]
    target = efs.create_mount_target(FileSystemId=system, SubnetId=subnet, SecurityGroups=[group])
    refused("DependencyViolation", account.ec2.delete_subnet, SubnetId=subnet)
    refused("DependencyViolation", account.ec2.delete_security_group, GroupId=group)
    refused("FileSystemInUse", efs.delete_file_system, FileSystemId=system)
    efs.update_file_system(FileSystemId=system, ThroughputMode="elastic")
    assert efs.describe_file_systems()["FileSystems"][0]["ThroughputMode"] == "elastic"
    refused("PolicyNotFound", efs.describe_backup_policy, FileSystemId=system)
    efs.put_backup_policy(FileSystemId=system, BackupPolicy={"Status": "DISABLED"})
    policy = efs.describe_backup_policy(FileSystemId=system)["BackupPolicy"]
    assert policy == {"Status": "DISABLED"}
    efs.delete_mount_target(MountTargetId=target["MountTargetId"])
    efs.delete_file_system(FileSystemId=system)
    account.ec2.delete_subnet(SubnetId=subnet)
    account.ec2.delete_security_group(GroupId=group)


def test_lustre_has_an_interface_a_mount_name_and_steps(account: Account) -> None:
    fsx, vpc = account.client("fsx"), account.vpc()
    subnet, group = account.subnet(vpc), account.security_group(vpc)
    wanted = {
        "FileSystemType": "LUSTRE",
        "SubnetIds": [subnet],
        "SecurityGroupIds": [group],
        "LustreConfiguration": {"DeploymentType": "SCRATCH_2"},
    }
    refused("BadRequest", fsx.create_file_system, **wanted, StorageCapacity=1300)
    made = fsx.create_file_system(**wanted, StorageCapacity=1200)["FileSystem"]
    assert made["Lifecycle"] == "AVAILABLE"
    assert made["VpcId"] == vpc
    assert made["LustreConfiguration"]["MountName"]
    refused("DependencyViolation", account.ec2.delete_subnet, SubnetId=subnet)
    own = made["FileSystemId"]
    grown = fsx.update_file_system(FileSystemId=own, StorageCapacity=2400)["FileSystem"]
    assert grown["StorageCapacity"] == 2400
    refused("BadRequest", fsx.update_file_system, FileSystemId=own, StorageCapacity=1200)
    fsx.delete_file_system(FileSystemId=own)
    refused("FileSystemNotFound", fsx.describe_file_systems, FileSystemIds=[own])
    account.ec2.delete_subnet(SubnetId=subnet)


def test_a_record_is_deleted_by_its_values(account: Account) -> None:
    dns, vpc = account.client("route53"), account.vpc()
    zone = dns.create_hosted_zone(
        Name="a.internal", CallerReference="1", VPC={"VPCRegion": "us-east-1", "VPCId": vpc}
    )["HostedZone"]["Id"]

    def change(action: str, value: str, name: str = "s.a.internal") -> dict[str, object]:
        record = {"Name": name, "Type": "A", "TTL": 10, "ResourceRecords": [{"Value": value}]}
        changes = [{"Action": action, "ResourceRecordSet": record}]
        return {"HostedZoneId": zone, "ChangeBatch": {"Changes": changes}}

    send = dns.change_resource_record_sets
    send(**change("CREATE", "127.0.0.1"))
    send(**change("UPSERT", "10.0.0.5"))
    assert "already exists" in refused("InvalidChangeBatch", send, **change("CREATE", "10.0.0.5"))
    assert "do not match" in refused("InvalidChangeBatch", send, **change("DELETE", "127.0.0.1"))
    gone = change("DELETE", "10.0.0.5", "t.a.internal")
    assert "was not found" in refused("InvalidChangeBatch", send, **gone)
    refused("HostedZoneNotEmpty", dns.delete_hosted_zone, Id=zone)
    send(**change("DELETE", "10.0.0.5"))
    dns.delete_hosted_zone(Id=zone)
    assert "route53:hosted-zone" not in account.kinds()


def test_buckets(account: Account) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="a-bucket")
    block = s3.get_public_access_block(Bucket="a-bucket")["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    rules = s3.get_bucket_encryption(Bucket="a-bucket")["ServerSideEncryptionConfiguration"][
        "Rules"
    ]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    s3.put_object(Bucket="a-bucket", Key="k", Body=b"x")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket="a-bucket")
    s3.delete_object(Bucket="a-bucket", Key="k")
    s3.delete_bucket(Bucket="a-bucket")


def test_names_that_are_taken(account: Account) -> None:
    logs = account.client("logs")
    logs.create_log_group(logGroupName="/a")
    refused("ResourceAlreadyExistsException", logs.create_log_group, logGroupName="/a")
    assert account.kinds() == {"logs:log-group"}
