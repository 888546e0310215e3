"""Roles, policies, secrets and parameters."""

from __future__ import annotations

import json

from tests.sandbox.provider.cases.case import Call, Case, Json

TAG = {"Key": "dask-cluster", "Value": "dev"}
A = {"Key": "a", "Value": "b"}


def trust(service: str) -> Json:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sts:AssumeRole",
            }
        ],
    }


def allow(action: str) -> Json:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": [action], "Resource": "*"}],
    }


CASES = [
    Case(
        "role",
        "iam.Role",
        {
            "assume_role_policy": json.dumps(trust("ec2.amazonaws.com")),
            "description": "hosts",
            "path": "/dask/",
        },
        Call(
            "iam",
            "get_role",
            {"RoleName": "${role.name}"},
            "Role.{path: Path, trust: AssumeRolePolicyDocument, why: Description, "
            "seconds: MaxSessionDuration, tags: sort_by(Tags, &Key)}",
        ),
        {
            "path": "/dask/",
            "trust": trust("ec2.amazonaws.com"),
            "why": "hosts",
            "seconds": 3600,
            "tags": [TAG],
        },
        then={
            "assume_role_policy": json.dumps(trust("vpc-flow-logs.amazonaws.com")),
            "description": None,
            "max_session_duration": 7200,
            "tags": {"a": "b"},
        },
        had={
            "trust": trust("vpc-flow-logs.amazonaws.com"),
            "why": "",
            "seconds": 7200,
            "tags": [A, TAG],
        },
        by_hand=(
            Call(
                "iam",
                "update_assume_role_policy",
                {
                    "RoleName": "${role.name}",
                    "PolicyDocument": json.dumps(trust("lambda.amazonaws.com")),
                },
            ),
        ),
        seen=("assumeRolePolicy",),
        replacing={"name": "other", "namePrefix": "other", "path": "/"},
        by_others=("managedPolicyArns", "inlinePolicies"),
    ),
    Case(
        "inside",
        "iam.RolePolicy",
        {"role": "${role.name}", "policy": json.dumps(allow("ssm:PutParameter"))},
        Call(
            "iam",
            "get_role_policy",
            {"RoleName": "${role.name}", "PolicyName": "${inside.name}"},
            "{document: PolicyDocument}",
        ),
        {"document": allow("ssm:PutParameter")},
        then={"policy": json.dumps(allow("ssm:GetParameter"))},
        had={"document": allow("ssm:GetParameter")},
        by_hand=(
            Call(
                "iam",
                "put_role_policy",
                {
                    "RoleName": "${role.name}",
                    "PolicyName": "${inside.name}",
                    "PolicyDocument": json.dumps(allow("*")),
                },
            ),
        ),
        seen=("policy",),
        replacing={"role": "other", "name": "other", "namePrefix": "other"},
    ),
    Case(
        "policy",
        "iam.Policy",
        {"policy": json.dumps(allow("s3:GetObject")), "description": "reads"},
        Call(
            "iam",
            "get_policy",
            {"PolicyArn": "${policy.arn}"},
            "Policy.{name: PolicyName, why: Description, version: DefaultVersionId, "
            "tags: sort_by(Tags, &Key)}",
        ),
        {"name": "${policy.name}", "why": "reads", "version": "v1", "tags": [TAG]},
        then={"policy": json.dumps(allow("s3:PutObject")), "tags": {"a": "b"}},
        had={"version": "v2", "tags": [A, TAG]},
        by_hand=(
            Call(
                "iam",
                "create_policy_version",
                {
                    "PolicyArn": "${policy.arn}",
                    "PolicyDocument": json.dumps(allow("*")),
                    "SetAsDefault": True,
                },
            ),
        ),
        seen=("policy",),
        replacing={"name": "other", "namePrefix": "other", "path": "/x/", "description": "?"},
        by_others=("attachmentCount",),
    ),
    Case(
        "attachment",
        "iam.RolePolicyAttachment",
        {"role": "${role.name}", "policy_arn": "${policy.arn}"},
        Call(
            "iam",
            "list_attached_role_policies",
            {"RoleName": "${role.name}"},
            "AttachedPolicies[].PolicyArn",
        ),
        ["${policy.arn}"],
        replacing={"role": "other", "policyArn": "arn:aws:iam::1:policy/x"},
    ),
    Case(
        "profile",
        "iam.InstanceProfile",
        {"role": "${role.name}"},
        Call(
            "iam",
            "get_instance_profile",
            {"InstanceProfileName": "${profile.name}"},
            "InstanceProfile.{roles: Roles[].RoleName, path: Path, tags: sort_by(Tags, &Key)}",
        ),
        {"roles": ["${role.name}"], "path": "/", "tags": [TAG]},
        then={"tags": {"a": "b"}},
        had={"tags": [A, TAG]},
        by_hand=(
            Call(
                "iam",
                "remove_role_from_instance_profile",
                {"InstanceProfileName": "${profile.name}", "RoleName": "${role.name}"},
            ),
        ),
        seen=("role",),
        replacing={"name": "other", "namePrefix": "other", "path": "/x/"},
    ),
    Case(
        "secret",
        "secretsmanager.Secret",
        {"recovery_window_in_days": 0, "description": "keys"},
        Call(
            "secretsmanager",
            "describe_secret",
            {"SecretId": "${secret.id}"},
            "{name: Name, why: Description, tags: sort_by(Tags, &Key)}",
        ),
        {"name": "${secret.name}", "why": "keys", "tags": [TAG]},
        then={"description": "more keys", "tags": {"a": "b"}},
        had={"why": "more keys", "tags": [A, TAG]},
        by_hand=(
            Call(
                "secretsmanager",
                "update_secret",
                {"SecretId": "${secret.id}", "Description": "?"},
            ),
        ),
        seen=("description",),
        replacing={"name": "other", "namePrefix": "other"},
    ),
    Case(
        "version",
        "secretsmanager.SecretVersion",
        {"secret_id": "${secret.id}", "secret_string": "PRIVATE KEY one"},
        Call(
            "secretsmanager",
            "get_secret_value",
            {"SecretId": "${secret.id}"},
            "{value: SecretString, version: VersionId}",
        ),
        {"value": "PRIVATE KEY one", "version": "${version.version_id}"},
        replacing={"secretId": "other", "secretString": "PRIVATE KEY two"},
    ),
    Case(
        "parameter",
        "ssm.Parameter",
        {"type": "String", "value": "{}", "description": "boot"},
        Call("ssm", "get_parameter", {"Name": "${parameter.name}"}, "Parameter.{value: Value}"),
        {"value": "{}"},
        then={"value": "[]", "description": "boots"},
        had={"value": "[]"},
        by_hand=(
            Call(
                "ssm",
                "put_parameter",
                {"Name": "${parameter.name}", "Value": "?", "Overwrite": True},
            ),
        ),
        seen=("value",),
        replacing={"name": "other", "dataType": "aws:ec2:image"},
        unknown=("version",),
    ),
]
