"""The tunnel by itself: how it fails, and what it does then."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

import boto3
import pytest

from operations import carrier, tunnel
from operations.stacks import CommandError
from tests.environment.built import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.operations.project import Project
    from tests.operations.session_manager import SessionManager


@pytest.fixture
def forward(
    project: Project,
    sessions: SessionManager,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tunnel.Forward]:
    """A port that is not opened yet; this process has the variables of a project's commands."""
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in project.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", sessions.endpoint)
    monkeypatch.setenv("FAKE_PLUGIN_PORTS", json.dumps({"8786": 1}))
    (local,) = carrier.free_ports(1)
    clients = boto3.Session(region_name="us-east-2")
    made = tunnel.Forward(8786, local, machine=lambda: "i-0a", clients=clients, folder=tmp_path)
    yield made
    made.close()


def test_it_does_not_listen_in_time(
    forward: tunnel.Forward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_PLUGIN", "silent")
    monkeypatch.setattr(carrier, "OPEN_SECONDS", 0.5)
    forward.open()
    with pytest.raises(CommandError) as failed:
        forward.wait()
    text = f"session-manager-plugin does not listen on port {forward.local} after 0.5 s. It said: "
    assert str(failed.value).startswith(text)


def test_nobody_looks_at_the_scheduler_before_the_client(forward: tunnel.Forward) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        os.environ["FAKE_PLUGIN_PORTS"] = json.dumps({"8786": server.getsockname()[1]})
        forward.open()
        forward.wait()
        server.settimeout(0.3)
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_session_that_cannot_be_opened_again(
    forward: tunnel.Forward,
    sessions: SessionManager,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FAKE_PLUGIN", "fails")
    forward.open()
    wait_for(lambda: forward.ended, "the plugin's end")
    sessions.refusal = ("TargetNotConnected", "i-0a is not connected.")
    forward.keep()
    forward.keep()
    assert capsys.readouterr().err == (
        "port 8786 of the cluster is out of reach: AWS, opening a session to port 8786 of i-0a: An "
        "error occurred (TargetNotConnected) when calling the StartSession operation: i-0a is not "
        "connected.\n"
    )
    assert len(sessions.asked("StartSession")) == 2  # and no third one in the same moment
    sessions.refusal = None
    monkeypatch.setenv("FAKE_PLUGIN", "")
    forward._again = 0
    forward.keep()
    forward.wait()
    forward.keep()
    assert len(sessions.asked("StartSession")) == 3


def test_a_session_that_cannot_be_ended(
    forward: tunnel.Forward,
    sessions: SessionManager,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FAKE_PLUGIN", "stubborn")
    monkeypatch.setattr(carrier, "CLOSE_SECONDS", 0.3)
    forward.open()
    forward.wait()
    sessions.refusal = ("AccessDeniedException", "no")
    forward.close()
    assert capsys.readouterr().err == (
        "AWS, ending session someone-1: An error occurred (AccessDeniedException) when calling the "
        "TerminateSession operation: no. It ends by itself when it has been idle.\n"
    )
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", forward.local)) != 0


def test_a_close_without_an_open(forward: tunnel.Forward, sessions: SessionManager) -> None:
    forward.close()
    assert sessions.calls == []


@pytest.mark.parametrize(
    ("version", "takes"),
    [
        ("1.2.707.0", True),
        ("1.2.497.1", True),
        ("1.3", True),
        ("1.2.497.0", False),
        ("1.2.99.0", False),
        ("1.2", False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_which_plugins_take_the_session_from_a_variable(
    tmp_path: Path, version: str, *, takes: bool
) -> None:
    program = tmp_path / "plugin"
    program.write_text(f"#!/bin/sh\necho '{version}'\n")
    program.chmod(0o755)
    assert tunnel._takes_variable(str(program)) is takes


def test_free_ports_are_different_and_free() -> None:
    found = carrier.free_ports(20)
    assert len(set(found)) == 20
    for port in found:
        socket.create_server(("127.0.0.1", port)).close()
