"""Names that are chosen, previews, what replaces, and what is looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from engine.values import UNKNOWN, Secret, Unknown, from_wire
from sandbox.aws.provider.rows import ROWS
from tests.sandbox.provider import wheel
from tests.sandbox.provider.life import CASES
from tests.sandbox.provider.plugin import Plugin

if TYPE_CHECKING:
    from tests.sandbox.provider.cases.case import Case, Value
    from tests.sandbox.provider.life import Life
    from tests.sandbox.provider.world import World


KINDS = {wheel.token_of(case.kind): case.kind for case in CASES}


rows = pytest.mark.parametrize("token", ROWS)


def refusal(call: Value, *args: Value, **more: Value) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        call(*args, **more)
    return str(caught.value.details())


@rows
def test_names_are_chosen_as_pulumi_does(plugin: Plugin, token: str) -> None:
    auto = ROWS[token].auto
    names = wheel.inputs_of(KINDS[token])
    assert (auto is None) == ("name" not in names or KINDS[token] == "route53.Record") or (
        KINDS[token] in {"s3.Bucket", "s3.BucketObjectv2"}
    )
    chosen, _ = plugin.check(token, {})
    if auto is None:
        assert chosen["__defaults"] == []
        return
    assert chosen["__defaults"] == [auto.key]
    name = chosen[auto.key]
    if KINDS[token] == "s3.BucketObjectv2":
        assert name == "thing"
        return
    assert name.startswith("thing-")
    assert len(name) == len("thing-") + 7
    assert int(name.rsplit("-", 1)[1], 16) >= 0
    again, _ = plugin.check(token, {}, chosen)
    assert again[auto.key] == name
    given, _ = plugin.check(token, {auto.key: "mine"}, chosen)
    assert (given[auto.key], given["__defaults"]) == ("mine", [])


@pytest.mark.parametrize(
    ("token", "longest"),
    [
        ("aws:iam/role:Role", 64),
        ("aws:s3/bucket:Bucket", 63),
        ("aws:ec2/launchTemplate:LaunchTemplate", 128),
    ],
)
def test_long_names_are_cut(plugin: Plugin, token: str, longest: int) -> None:
    name = "A" * 300
    request = provider_pb2.CheckRequest(
        urn=f"urn:pulumi:dev::scenarios::{token}::{name}", randomSeed=b"x"
    )
    inputs = from_wire(plugin.stub.Check(request).inputs)
    auto = ROWS[token].auto
    assert auto is not None
    assert len(inputs[auto.key]) == longest
    assert inputs[auto.key].startswith("a" if auto.lower else "A")


def test_a_fifo_topic_keeps_its_ending(plugin: Plugin) -> None:
    checked, _ = plugin.check("aws:sns/topic:Topic", {"fifoTopic": True})
    assert checked["name"].endswith(".fifo")


def test_a_prefix_leaves_the_name_to_the_create(plugin: Plugin) -> None:
    checked, faults = plugin.check(
        "aws:iam/role:Role", {"namePrefix": "a", "assumeRolePolicy": "{}"}
    )
    assert faults == {}
    assert "name" not in checked


def test_a_policy_may_be_an_object(plugin: Plugin) -> None:
    kind = "aws:iam/role:Role"
    checked, faults = plugin.check(kind, {"assumeRolePolicy": {"Version": "2012-10-17"}})
    assert faults == {}
    assert checked["assumeRolePolicy"] == '{"Version": "2012-10-17"}'
    open_, _ = plugin.check(kind, {"assumeRolePolicy": {"Version": UNKNOWN}})
    assert isinstance(open_["assumeRolePolicy"], Unknown)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_preview_of_a_create_knows_what_it_can(life: Life, case: Case, plugin: Plugin) -> None:
    state = life.states["first"][case.name]
    answer = plugin.create(wheel.token_of(case.kind), state.inputs, preview=True)
    assert answer.id == ""
    shown = from_wire(answer.properties)
    assert set(wheel.outputs_of(case.kind)) - {"tagsAll"} <= {
        name for name, value in shown.items() if isinstance(value, Unknown)
    }
    for name, value in state.inputs.items():
        if name != "__defaults":
            assert shown[name] == value, name
    if "tagsAll" in state.outputs:
        assert shown["tagsAll"] == state.outputs["tagsAll"]


@pytest.mark.parametrize(
    ("name", "change", "first"),
    [
        ("closed", {"description": "other"}, True),
        ("closed", {"name": "other"}, False),
        ("group", {"description": "other"}, False),
        ("association", {"subnetId": "subnet-other"}, True),
        ("target", {"subnetId": "subnet-other"}, True),
        ("zone", {"name": "other"}, False),
        ("vpc", {"cidrBlock": "10.1.0.0/16"}, False),
    ],
)
def test_what_has_a_name_of_its_own_is_deleted_first(
    life: Life, plugin: Plugin, name: str, change: dict[str, Value], *, first: bool
) -> None:
    state = life.states["first"][name]
    found = plugin.diff(state, {**state.inputs, **change})
    assert list(found.replaces) == list(change)
    assert found.deleteBeforeReplace is first


def test_lustre_grows_in_place(life: Life, plugin: Plugin) -> None:
    state = life.states["first"]["lustre"]
    found = plugin.diff(state, {**state.inputs, "storageCapacity": 2400})
    assert (list(found.diffs), list(found.replaces)) == (["storageCapacity"], [])


def test_the_providers_tags_are_in_every_taggable_diff(life: Life, aws: str) -> None:
    other = Plugin(life.world.env)
    try:
        other.configure(defaultTags='{"tags": {"dask-cluster": "prod"}}')
        for name, state in life.states["first"].items():
            found = list(other.diff(state, state.inputs).diffs)
            assert found == (["tagsAll"] if ROWS[state.type].tags else []), name
    finally:
        other.close()
    assert aws


def test_the_functions_look_things_up(plugin: Plugin) -> None:
    caller = plugin.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})
    assert caller.keys() == {"accountId", "arn", "id", "userId"}
    assert plugin.invoke("aws:index/getPartition:getPartition", {}) == {
        "dnsSuffix": "amazonaws.com",
        "id": "aws",
        "partition": "aws",
        "reverseDnsPrefix": "com.amazonaws",
    }
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    found = plugin.invoke("aws:ssm/getParameter:getParameter", {"name": name})
    assert isinstance(found["value"], Secret)
    assert found["value"].element == found["insecureValue"]
    assert found["insecureValue"].startswith("ami-")
    kind = "aws:ssm/getParameter:getParameter"
    assert "GetParameter: ParameterNotFound" in refusal(plugin.invoke, kind, {"name": "/no"})


def test_a_subnet_is_found_by_its_id(plugin: Plugin, account: World) -> None:
    subnet = account.client("ec2").describe_subnets()["Subnets"][0]
    kind = "aws:ec2/getSubnet:getSubnet"
    found = plugin.invoke(kind, {"id": subnet["SubnetId"]})
    assert found["vpcId"] == subnet["VpcId"]
    assert found["availabilityZone"] == subnet["AvailabilityZone"]
    assert found["cidrBlock"] == subnet["CidrBlock"]
    said = refusal(plugin.invoke, kind, {"vpcId": subnet["VpcId"]})
    assert "subnets fit" in said
