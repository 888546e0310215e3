"""When AWS refuses, and what is then recorded."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf import empty_pb2

from engine.values import from_wire
from sandbox.aws import server
from tests.sandbox.provider.cloud import Cloud, details
from tests.sandbox.provider.plugin import Plugin, urn

if TYPE_CHECKING:
    from tests.sandbox.provider.control import Control
    from tests.sandbox.provider.world import World

ZONE = "aws:route53/zone:Zone"
RECORD = "aws:route53/record:Record"
ROLE = "aws:iam/role:Role"
TOPIC = "aws:sns/topic:Topic"
SECRET = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type
TRUST = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", '
    '"Principal": {"Service": "ec2.amazonaws.com"}}]}'
)


def test_a_few_errors_are_tried_again(cloud: Cloud, control: Control) -> None:
    control.fail("iam", "CreateRole", "throttle", times=2)
    cloud.create(ROLE, assumeRolePolicy=TRUST)
    assert control.calls("iam")["CreateRole"] == 3


def test_an_error_that_lasts_is_named(cloud: Cloud, control: Control) -> None:
    control.fail("sns", "CreateTopic", "denied", times=99)
    with pytest.raises(grpc.RpcError) as caught:
        cloud.create(TOPIC)
    said = str(caught.value.details())
    assert said.startswith("aws:sns/topic:Topic 'thing': CreateTopic: AuthorizationError: ")
    assert details(caught.value) is None
    assert control.calls("sns")["CreateTopic"] == 1


def test_attempts_are_few(cloud: Cloud, control: Control) -> None:
    control.fail("iam", "CreateRole", "throttle", times=99)
    started = time.monotonic()
    with pytest.raises(grpc.RpcError, match="CreateRole: Throttling"):
        cloud.create(ROLE, assumeRolePolicy=TRUST)
    assert control.calls("iam")["CreateRole"] == 4
    assert time.monotonic() - started < 30


def test_botocore_checks_every_parameter(cloud: Cloud) -> None:
    with pytest.raises(grpc.RpcError, match=r"(?s)CreateRole.*MaxSessionDuration"):
        cloud.create(ROLE, assumeRolePolicy=TRUST, maxSessionDuration="long")


def test_what_was_made_before_an_error_is_recorded(cloud: Cloud, control: Control) -> None:
    control.fail("route53", "ChangeTagsForResource", "denied", times=1)
    with pytest.raises(grpc.RpcError) as caught:
        cloud.create(ZONE, name="z.internal")
    found = details(caught.value)
    assert found.id
    assert "ChangeTagsForResource: AccessDenied" in found.reasons[0]
    inputs, outputs = from_wire(found.inputs), from_wire(found.properties)
    assert inputs["name"] == outputs["name"] == "z.internal"
    assert outputs["tagsAll"] == {}
    state = SimpleNamespace(id=found.id, urn=urn(ZONE), inputs=inputs, outputs=outputs)
    cloud.made.append(state)
    # The next run sees what is still to be done.
    assert list(cloud.plugin.diff(state, inputs).diffs) == ["tagsAll"]


def test_an_update_that_fails_half_way_is_finished_by_the_next(
    cloud: Cloud, control: Control
) -> None:
    role = cloud.create(ROLE, assumeRolePolicy=TRUST, description="one")
    control.fail("iam", "UpdateAssumeRolePolicy", "denied", times=1)
    wanted = {"assumeRolePolicy": TRUST.replace("ec2", "lambda"), "description": "two"}
    with pytest.raises(grpc.RpcError) as caught:
        cloud.update(role, **wanted)
    found = details(caught.value)
    assert found.id == role.id
    role.outputs = from_wire(found.properties)
    checked, _ = cloud.plugin.check(ROLE, wanted, role.inputs)
    assert list(cloud.plugin.diff(role, checked).diffs) == ["assumeRolePolicy", "description"]
    cloud.update(role, **wanted)
    assert role.outputs["description"] == "two"


def test_a_stop_ends_a_wait(aws: str, account: World, control: Control) -> None:
    control.forget()
    plugin = Plugin(account.env)
    try:
        plugin.configure()
        client = account.client("ec2")
        group = client.create_security_group(GroupName="busy", Description="busy")["GroupId"]
        subnet = client.describe_subnets()["Subnets"][0]["SubnetId"]
        card = client.create_network_interface(SubnetId=subnet, Groups=[group])
        state = SimpleNamespace(
            id=group, urn=urn("aws:ec2/securityGroup:SecurityGroup"), inputs={}, outputs={}
        )
        plugin.stub.Cancel(empty_pb2.Empty())
        with pytest.raises(grpc.RpcError, match="DeleteSecurityGroup: DependencyViolation"):
            plugin.delete(state)
        client.delete_network_interface(
            NetworkInterfaceId=card["NetworkInterface"]["NetworkInterfaceId"]
        )
        plugin.delete(state)
        assert server.contents(aws) == []
    finally:
        plugin.close()
