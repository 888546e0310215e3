"""A stack that is the environment's images and nothing else, on a Docker that notes its calls."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from engine import EngineError, Project, Stack
from engine.events import Diagnostic

if TYPE_CHECKING:
    import pytest

PROGRAM = """
import pulumi
from components.environment import LockedEnvironment
from components.image import EnvironmentImage

config = pulumi.Config()
files = {"repository": config.require("repository"), "base_image": config.get("base")}
environment = LockedEnvironment("environment", packages=[])
image = EnvironmentImage("image", **files, environment=environment)
if config.get_bool("jupyter"):
    after = pulumi.ResourceOptions(depends_on=[image])
    notebooks = EnvironmentImage(
        "notebooks", **files, environment=environment, jupyter=True, opts=after
    )
    pulumi.export("jupyter_reference", notebooks.reference)
pulumi.export("identity", environment.identity)
pulumi.export("reference", image.reference)
"""
REPOSITORY = "registry.example.com:5000/me/dask"


class ImageStack:
    """One, in a copy of the checkout.

    Attributes:
        checkout: The copy.
        docker: Folder of the Docker that is on PATH.
    """

    def __init__(self, checkout: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.checkout = checkout
        self.docker = folder / "docker"
        self._home = folder / "home"
        self._monkeypatch = monkeypatch
        self.docker.mkdir()
        program = self.docker / "docker"
        script = Path(__file__).with_name("fake_docker.py")
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "{self.docker}" "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(self.docker), prepend=":")
        monkeypatch.setenv("PYTHONPATH", str(script.parents[2]))
        monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "hush")
        (checkout / "__main__.py").write_text(PROGRAM)
        options = {"toolchain": "uv", "virtualenv": sys.prefix}
        self._yaml(
            "Pulumi.yaml", {"name": "images", "runtime": {"name": "python", "options": options}}
        )
        self.config()

    def config(self, **values: object) -> None:
        """Write the stack file."""
        self._yaml("Pulumi.test.yaml", {"config": {"repository": REPOSITORY, **values}})

    def preview(self) -> dict[str, int]:
        """Return what an update would do, by operation."""
        return self._run("preview")

    def up(self) -> dict[str, Any]:
        """Update, and return the outputs."""
        self._run("up")
        return self._stack.outputs()

    def destroy(self) -> None:
        self._run("destroy")

    def state(self) -> str:
        return json.dumps(self._stack.export(show_secrets=True))

    def fails(self) -> str:
        """Update in vain, and return what was said."""
        try:
            self._run("up")
        except AssertionError as error:
            return str(error)
        raise AssertionError("the update went well")

    def calls(self) -> list[dict[str, Any]]:
        """Return the calls of Docker since the last look."""
        log = self.docker / "calls.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        fresh = [json.loads(line) for line in lines[self._seen :]]
        self._seen = len(lines)
        return fresh

    def targets(self) -> list[str]:
        """Return what was built since the last look, by its target."""
        words = [word for call in self.calls() for word in call["arguments"]]
        return [word.partition("=")[2] for word in words if word.startswith("--target=")]

    _seen = 0

    @property
    def _stack(self) -> Stack:
        return Stack(Project.load(self.checkout), "test", home=self._home)

    def _run(self, verb: str) -> dict[str, int]:
        said: list[str] = []

        def listen(event: object) -> None:
            if isinstance(event, Diagnostic) and event.severity == "error":
                said.append(event.message)

        try:
            result = getattr(self._stack, verb)(listener=listen)
        except EngineError as error:
            raise AssertionError("\n".join([*said, str(error)])) from error
        assert result.ok, "\n".join(said)
        return {str(op): count for op, count in result.changes.items() if count}

    def _yaml(self, name: str, content: dict[str, Any]) -> None:
        (self.checkout / name).write_text(yaml.safe_dump(content))
