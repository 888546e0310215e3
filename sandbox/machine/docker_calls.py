"""Calls of Docker's command line, and what can go wrong with them."""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sandbox.machine.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECONDS: Final = 120
"""For a call that does no long work of its own."""


class DockerError(MachineError):
    """Docker refused a call, or does not answer; the message has its words."""


class DockerMissingError(DockerError):
    """Docker does not know the container, network or image that a call names."""


@dataclass(frozen=True)
class Calls:
    """What is called on one engine.

    Attributes:
        endpoint: Its socket, as `unix:///var/run/docker.sock`.
    """

    endpoint: str

    def call(
        self, *arguments: str, data: bytes | None = None, seconds: float | None = SECONDS
    ) -> str:
        """Run one command of Docker and return what it printed.

        Raises:
            DockerMissingError: What it names is not there.
            DockerError: It failed otherwise, or took longer than `seconds`.
        """
        try:
            done = subprocess.run(
                self.argv(*arguments),
                input=data,
                stdin=subprocess.DEVNULL if data is None else None,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except FileNotFoundError as error:
            raise DockerError("docker is not on PATH") from error
        except subprocess.TimeoutExpired as error:
            raise DockerError(f"docker {arguments[0]} did not end in {seconds:g} s") from error
        if done.returncode == 0:
            return done.stdout.decode()
        raise _error(arguments, done.stderr.decode(errors="replace").strip())

    def argv(self, *arguments: str) -> list[str]:
        """Return the whole command of a call."""
        return ["docker", "--host", self.endpoint, *arguments]


def tar_of(files: Mapping[str, str]) -> bytes:
    """Return a tar of texts by path; a path may begin with `/`. All belong to root, mode 644."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, text in files.items():
            data = text.encode()
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _error(arguments: Sequence[str], said: str) -> DockerError:
    text = f"docker {arguments[0]}: {said}"
    low = said.lower()
    missing = "no such" in low or ("network" in low and "not found" in low)
    return DockerMissingError(text) if missing else DockerError(text)
