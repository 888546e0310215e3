"""Sessions of Session Manager: for an instance that runs, and in the words of AWS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.sandbox.server.account import Account

PORTS = {"portNumber": ["8786"], "localPortNumber": ["50123"]}


def start(account: Account, target: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    wanted = {"DocumentName": "AWS-StartPortForwardingSession", "Parameters": PORTS, **more}
    return dict(account.client("ssm").start_session(Target=target, **wanted))


def refusal(account: Account, target: str, **more: Any) -> str:  # noqa: ANN401
    with pytest.raises(ClientError) as refused:
        start(account, target, **more)
    error = refused.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


@pytest.fixture
def instance(account: Account) -> str:
    made = account.ec2.run_instances(ImageId=account.image(), MinCount=1, MaxCount=1)
    return str(made["Instances"][0]["InstanceId"])


def test_a_session(account: Account, instance: str) -> None:
    one, other = start(account, instance), start(account, instance)
    assert re.fullmatch(r"rehearsal-[a-z0-9]{26}", one["SessionId"])
    assert one["StreamUrl"].startswith(
        f"wss://ssmmessages.us-east-1.amazonaws.com/v1/data-channel/{one['SessionId']}"
    )
    assert len(one["TokenValue"]) > 200
    assert one["SessionId"] != other["SessionId"]
    ended = account.client("ssm").terminate_session(SessionId=one["SessionId"])
    assert ended["SessionId"] == one["SessionId"]


def test_only_where_the_instance_runs(account: Account, instance: str) -> None:
    nobody = "i-0123456789abcdef0"
    assert refusal(account, nobody) == f"TargetNotConnected: {nobody} is not connected."
    account.ec2.terminate_instances(InstanceIds=[instance])
    assert refusal(account, instance) == f"TargetNotConnected: {instance} is not connected."


def test_what_it_does_not_forward(account: Account, instance: str) -> None:
    said = refusal(account, instance, DocumentName="SSM-SessionManagerRunShell")
    assert said.startswith("InvalidDocument: ")
    said = refusal(account, instance, Parameters={**PORTS, "portNumber": ["70000"]})
    assert said == 'InvalidParameters: Parameter "portNumber" has value "70000": it is no port.'
    said = refusal(account, instance, Parameters={**PORTS, "host": ["10.0.0.5"]})
    assert said.startswith("InvalidParameters: ")
