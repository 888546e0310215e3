"""The worlds of the scenarios, and the end of whatever a test left running."""

from __future__ import annotations

import functools
import hashlib
import shutil
import sys
import types
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.engine.backends import Embedded, RealPulumi
from tests.engine.fake_provider.cloud import Cloud
from tests.engine.programs import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.backends import Backend

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MARK = "ENGINE_SCENARIO"


def write_plugin(folder: Path) -> None:
    """Put the plugin `fake` into a folder, for the interpreter that runs the tests."""
    folder.mkdir(parents=True)
    plugin = folder / "pulumi-resource-fake"
    script = HERE / "fake_provider" / "pulumi-resource-fake"
    plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    plugin.chmod(0o755)


def marked(mark: str) -> list[psutil.Process]:
    """Every process that inherited this mark in its environment, but for this one."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.pid != psutil.Process().pid:
                found.append(process)
        except psutil.Error:
            continue
    return [each for each in found if each.is_running() and each.status() != "zombie"]


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A mark that all processes of this test inherit; what is left of them is ended."""
    value = uuid.uuid4().hex
    monkeypatch.setenv(MARK, value)
    yield value
    for process in marked(value):
        process.kill()


@pytest.fixture
def surroundings(tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The environment of engines, programs and plugins."""
    write_plugin(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("FAKE_CLOUD", str(tmp_path / "cloud"))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
    return mark


@functools.cache
def _derive(*arguments: object, **named: object) -> bytes:
    return hashlib.pbkdf2_hmac(*arguments, **named)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def one_key(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the embedded engine one key for all stacks, but where secrets are what is tested.

    Each new stack draws a passphrase and a salt and derives a key, which takes longer than the rest
    of a small update.
    """
    if request.node.path.name in {"test_secrets.py", "test_state.py"}:
        return
    fixed = types.SimpleNamespace(
        token_bytes=lambda length: b"s" * length, token_urlsafe=lambda _length: "scenario"
    )
    monkeypatch.setattr("engine.crypter.secrets", fixed)
    monkeypatch.setattr("engine.crypter.hashlib", types.SimpleNamespace(pbkdf2_hmac=_derive))


@pytest.fixture(params=["embedded", "pulumi"])
def world(request: pytest.FixtureRequest, tmp_path: Path, surroundings: str) -> World:  # noqa: ARG001
    """A fresh project, once on each engine."""
    make: type[Backend] = Embedded
    if request.param == "pulumi":
        if shutil.which("pulumi") is None:
            pytest.skip("the real Pulumi CLI is not on PATH: this scenario ran on one engine only")
        make = RealPulumi
    return World(tmp_path, make)


@pytest.fixture
def embedded_world(tmp_path: Path, surroundings: str) -> World:  # noqa: ARG001
    """A fresh project for what only the embedded engine promises."""
    return World(tmp_path, Embedded)


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path / "cloud")
