"""The fake provider itself: what the scenarios trust it to do."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from tests.engine.fake_provider.wire import from_struct, secret, to_struct
from tests.engine.programs import thing_urn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.engine.fake_provider.cloud import Cloud

Stub: TypeAlias = Any
"""The stub of a provider; gRPC makes its methods at run time."""


@pytest.fixture
def plugin(tmp_path: Path, surroundings: str) -> Iterator[Stub]:  # noqa: ARG001
    """A stub for a running plugin, started as an engine starts it."""
    command = [str(tmp_path / "bin" / "pulumi-resource-fake"), "127.0.0.1:1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield provider_pb2_grpc.ResourceProviderStub(channel)
        process.kill()


def test_a_thing_is_made_changed_read_and_deleted(plugin: Stub, cloud: Cloud) -> None:
    inputs = {"value": 1, "secretOut": "s"}
    request = provider_pb2.CreateRequest(urn=thing_urn("a"), properties=to_struct(inputs))
    made = plugin.Create(request)
    assert made.id == "a-1"
    expected = {**inputs, "handle": "a-1", "token": secret("token of a: s")}
    assert from_struct(made.properties) == expected

    plugin.Update(
        provider_pb2.UpdateRequest(urn=thing_urn("a"), id="a-1", news=to_struct({"value": 2}))
    )
    read = plugin.Read(provider_pb2.ReadRequest(urn=thing_urn("a"), id="a-1"))
    assert from_struct(read.inputs) == {"value": 2}

    plugin.Delete(provider_pb2.DeleteRequest(urn=thing_urn("a"), id="a-1"))
    assert plugin.Read(provider_pb2.ReadRequest(urn=thing_urn("a"), id="a-1")).id == ""
    assert [str(call) for call in cloud.calls()] == [
        "Create a",
        "Update a",
        "Read a",
        "Delete a",
        "Read a",
    ]
    assert plugin.Create(request).id == "a-2"


def test_a_preview_makes_nothing(plugin: Stub, cloud: Cloud) -> None:
    request = provider_pb2.CreateRequest(
        urn=thing_urn("a"), properties=to_struct({"value": 1}), preview=True
    )
    made = plugin.Create(request)
    assert (made.id, cloud.ids()) == ("", [])


@pytest.mark.parametrize(
    ("old", "new", "replaces", "paths"),
    [
        ({"value": 1}, {"value": 1}, [], []),
        ({"value": 1}, {"value": 2}, [], ["value"]),
        ({"replaceMe": 1}, {"replaceMe": 2}, ["replaceMe"], ["replaceMe"]),
        ({"value": {"a": {"b": 1}, "c": 1}}, {"value": {"a": {"b": 2}, "c": 1}}, [], ["value.a.b"]),
        ({}, {"value": None}, [], ["value"]),
    ],
)
def test_a_diff_names_what_changed(
    plugin: Stub, old: dict[str, Any], new: dict[str, Any], replaces: list[str], paths: list[str]
) -> None:
    answer = plugin.Diff(
        provider_pb2.DiffRequest(old_inputs=to_struct(old), news=to_struct(new), id="a-1")
    )
    assert (list(answer.replaces), sorted(answer.detailedDiff)) == (replaces, paths)


def test_a_partial_create_says_what_exists(plugin: Stub, cloud: Cloud) -> None:
    inputs = to_struct({"partialCreate": ["too slow"]})
    with pytest.raises(grpc.RpcError) as caught:
        plugin.Create(provider_pb2.CreateRequest(urn=thing_urn("a"), properties=inputs))
    error: Any = caught.value
    status = status_pb2.Status.FromString(
        dict(error.trailing_metadata())["grpc-status-details-bin"]
    )
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    assert (detail.id, list(detail.reasons), cloud.ids()) == ("a-1", ["too slow"], ["a-1"])


def test_cancel_ends_a_held_call(plugin: Stub, cloud: Cloud) -> None:
    cloud.hold("Create a")
    held = plugin.Create.future(
        provider_pb2.CreateRequest(urn=thing_urn("a"), properties=to_struct({})), timeout=20
    )
    while not cloud.calls():
        pass
    plugin.Cancel(empty_pb2.Empty())
    with pytest.raises(grpc.RpcError, match="cancelled"):
        held.result()
    assert cloud.ids() == []


def test_check_refuses_and_chooses_names(plugin: Stub) -> None:
    news = to_struct({"checkFail": {"value": "is odd", "size": "is even"}, "autoName": True})
    answer = plugin.Check(
        provider_pb2.CheckRequest(urn=thing_urn("a"), news=news, randomSeed=b"\x01" * 32)
    )
    assert [(each.property, each.reason) for each in answer.failures] == [
        ("size", "is even"),
        ("value", "is odd"),
    ]
    assert from_struct(answer.inputs)["name"] == "auto-01010101"
