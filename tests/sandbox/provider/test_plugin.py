"""What the plugin refuses, and how it starts and ends."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from engine.values import UNKNOWN, Unknown, to_wire
from sandbox.aws.provider.rows import ROWS
from tests.sandbox.provider import wheel
from tests.sandbox.provider.life import CASES
from tests.sandbox.provider.plugin import Plugin
from tests.sandbox.provider.world import PLUGINS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.provider.cases.case import Value


KINDS = {wheel.token_of(case.kind): case.kind for case in CASES}


rows = pytest.mark.parametrize("token", ROWS)


GROUP = "aws:autoscaling/group:Group"


NAME = {"seed": "[0-9a-f]{7}"}


@pytest.fixture
def bare(aws: str, request: pytest.FixtureRequest) -> Iterator[Plugin]:
    """A plugin of its own, with the environment variables of the test on top."""
    env = {"PATH": "/usr/bin:/bin", "AWS_ENDPOINT_URL": aws, "AWS_ACCESS_KEY_ID": "test"}
    env |= {"AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
    changes = getattr(request, "param", {})
    made = Plugin({k: v for k, v in {**env, **changes}.items() if v is not None})
    yield made
    made.close()


def refusal(call: Value, *args: Value, **more: Value) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        call(*args, **more)
    return str(caught.value.details())


@pytest.mark.parametrize(
    ("bare", "args", "name"),
    [
        ({"AWS_ENDPOINT_URL": None}, {}, "AWS_ENDPOINT_URL is not set"),
        ({"AWS_ENDPOINT_URL": ""}, {}, "AWS_ENDPOINT_URL is not set"),
        ({"AWS_ENDPOINT_URL": "https://ec2.amazonaws.com"}, {}, "AWS_ENDPOINT_URL is"),
        ({"AWS_ENDPOINT_URL": "http://10.0.0.1:5000"}, {}, "AWS_ENDPOINT_URL is"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1.example.org"}, {}, "AWS_ENDPOINT_URL is"),
        ({"AWS_ENDPOINT_URL": "http://localhost@example.org"}, {}, "AWS_ENDPOINT_URL is"),
        ({"AWS_ENDPOINT_URL_EC2": "http://example.org"}, {}, "AWS_ENDPOINT_URL_EC2 is"),
        ({}, {"endpoints": '[{"ec2": "https://example.org"}]'}, "endpoints.ec2 is"),
    ],
    indirect=["bare"],
)
def test_an_endpoint_elsewhere_is_refused(bare: Plugin, args: dict[str, Value], name: str) -> None:
    said = refusal(bare.configure, **args)
    assert name in said
    assert "this machine" in said
    request = provider_pb2.CheckRequest(news=to_wire({"region": "us-east-1", **args}))
    failures = bare.stub.CheckConfig(request).failures
    assert [f.property for f in failures] == ["endpoints"]
    assert "not configured" in refusal(bare.invoke, "aws:index/getPartition:getPartition", {})


@pytest.mark.parametrize(
    "bare",
    [{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "HTTP_PROXY": "http://127.0.0.1:1"}],
    indirect=True,
)
def test_nothing_leads_away_from_the_endpoint(bare: Plugin) -> None:
    bare.configure()
    found = bare.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})
    assert found["accountId"] == "123456789012"


@pytest.mark.parametrize("bare", [{"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}], indirect=True)
def test_the_providers_own_endpoints_are_used(bare: Plugin, aws: str) -> None:
    bare.configure(endpoints=f'[{{"sts": "{aws}"}}]')
    assert bare.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})["accountId"]


def test_the_handshake_and_the_configuration(bare: Plugin) -> None:
    assert not bare.stub.Handshake(provider_pb2.ProviderHandshakeRequest()).accept_secrets
    assert bare.stub.GetPluginInfo(empty_pb2.Empty()).version == "7.51.1"
    news = to_wire({"region": "us-east-1", "skipRegionValidation": "true", "version": "7"})
    answer = bare.stub.CheckConfig(provider_pb2.CheckRequest(news=news))
    assert list(answer.failures) == []
    assert answer.inputs == news
    faults = bare.stub.CheckConfig(provider_pb2.CheckRequest(news=to_wire({"assumeRoles": "[]"})))
    assert {f.property for f in faults.failures} == {"assumeRoles", "region"}
    bare.stub.Cancel(empty_pb2.Empty())


@pytest.mark.parametrize(
    ("change", "diffs", "replaces"),
    [
        ({}, [], []),
        ({"region": "eu-west-1"}, ["region"], ["region"]),
        ({"defaultTags": '{"tags": {"a": "b"}}'}, ["defaultTags"], []),
        ({"region": UNKNOWN}, ["region"], []),
    ],
)
def test_another_region_of_the_provider_replaces_everything(
    bare: Plugin, change: dict[str, Value], diffs: list[str], replaces: list[str]
) -> None:
    old = {"region": "us-east-1", "version": "7"}
    request = provider_pb2.DiffRequest(old_inputs=to_wire(old), news=to_wire({**old, **change}))
    found = bare.stub.DiffConfig(request)
    assert (list(found.diffs), list(found.replaces)) == (diffs, replaces)


def test_the_plugin_ends_quietly(aws: str) -> None:
    env = {"PATH": "/usr/bin:/bin", "AWS_ENDPOINT_URL": aws}
    process = subprocess.Popen(
        [str(PLUGINS / "pulumi-resource-aws"), "127.0.0.1:1"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip().isdigit()
    process.send_signal(2)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.terminate()
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")


def test_an_unknown_type_is_refused(plugin: Plugin) -> None:
    said = refusal(plugin.check, "aws:rds/cluster:Cluster", {})
    assert said.startswith("aws:rds/cluster:Cluster 'thing': ")
    assert "is not a type" in said


def test_an_unknown_function_and_argument_are_refused(plugin: Plugin) -> None:
    said = refusal(plugin.invoke, "aws:ec2/getAmi:getAmi", {})
    assert said.startswith("aws:ec2/getAmi:getAmi: is not a function")
    kind = "aws:ssm/getParameter:getParameter"
    assert "does not take colour" in refusal(plugin.invoke, kind, {"name": "x", "colour": 1})


@rows
def test_an_unknown_input_is_refused(plugin: Plugin, token: str) -> None:
    _, faults = plugin.check(token, {"colour": "red"})
    assert f"colour is not an input of {token}" in faults["colour"]


@rows
def test_an_unknown_key_of_a_block_is_refused(plugin: Plugin, token: str) -> None:
    for name, spec in ROWS[token].fields.items():
        if not spec.blocky:
            continue
        given: Value = {"colour": "red"}
        _, faults = plugin.check(token, {name: given if spec.kind == "block" else [given]})
        assert f"{name}.colour is not an input of {token}" in faults[f"{name}.colour"]
        _, faults = plugin.check(token, {name: "red" if spec.kind == "block" else ["red"]})
        assert "must be an object" in faults[name]


@rows
def test_every_input_is_one_of_the_wheel(token: str) -> None:
    kind = KINDS[token]
    _same_names(kind, wheel.inputs_of(kind), ROWS[token].fields, token)


def _same_names(kind: str, names: dict[str, str], fields: Value, where: str) -> None:
    for name, spec in fields.items():
        assert name in names, f"{where}.{name}"
        parts = wheel.parts_of(kind, names[name])
        assert spec.blocky == (parts is not None and spec.kind != "json"), f"{where}.{name}"
        if spec.blocky and parts is not None:
            _same_names(kind, parts, spec.fields, f"{where}.{name}")


@rows
def test_required_inputs_are_asked_for(plugin: Plugin, token: str) -> None:
    wanted = {
        name for name, given in wheel.inputs_of(KINDS[token]).items() if "Optional" not in given
    }
    _, faults = plugin.check(token, {})
    assert wanted - {"rules"} <= faults.keys()


@pytest.mark.parametrize(
    ("token", "inputs", "fault"),
    [
        (GROUP, {"minSize": 0, "maxSize": 1}, "launchTemplate"),
        (
            GROUP,
            {
                "minSize": 0,
                "maxSize": 1,
                "launchTemplate": {"id": "x"},
                "waitForCapacityTimeout": "ten",
            },
            "waitForCapacityTimeout",
        ),
        ("aws:ec2/flowLog:FlowLog", {"trafficType": "ALL"}, "vpcId"),
        (
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            {"securityGroupId": "x", "ipProtocol": "tcp"},
            "cidrIpv4",
        ),
        (
            "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
            {
                "securityGroupId": "x",
                "ipProtocol": "tcp",
                "cidrIpv4": "0.0.0.0/0",
                "cidrIpv6": "::/0",
            },
            "cidrIpv4",
        ),
        ("aws:ssm/parameter:Parameter", {"type": "String"}, "value"),
        (
            "aws:route53/record:Record",
            {"zoneId": "Z", "name": "a", "type": "A", "records": ["x"]},
            "ttl",
        ),
        ("aws:route53/record:Record", {"zoneId": "Z", "name": "a", "type": "A"}, "records"),
    ],
)
def test_inputs_that_do_not_go_together_are_refused(
    plugin: Plugin, token: str, inputs: dict[str, Value], fault: str
) -> None:
    assert list(plugin.check(token, inputs)[1]) == [fault]


def test_unknown_inputs_are_not_judged(plugin: Plugin) -> None:
    inputs = {"securityGroupId": UNKNOWN, "ipProtocol": "tcp", "cidrIpv4": UNKNOWN}
    kind = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    checked, faults = plugin.check(kind, inputs)
    assert faults == {}
    assert isinstance(checked["securityGroupId"], Unknown)
