"""Docker, by its command line: the few things that rehearsals need of it.

Every call names the engine that it is for. Docker's own settings of the person (contexts,
`DOCKER_HOST`) choose an engine once, in `Docker.found`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from sandbox.machine.docker_calls import SECONDS, Calls, DockerError, DockerMissingError, tar_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

DEFAULT: Final = "unix:///var/run/docker.sock"


@dataclass(frozen=True)
class Container:
    """A container as `ps` lists it.

    Attributes:
        name: As `run` was told.
        state: `created`, `running`, `exited` and others of Docker's.
        labels: By key.
    """

    name: str
    state: str
    labels: dict[str, str]


@dataclass(frozen=True)
class Event:
    """Something that happened to a container.

    Attributes:
        action: `start`, `die`, `oom`, `destroy` and others of Docker's.
        name: The container's.
        code: With which it ended, of a `die`.
    """

    action: str
    name: str
    code: int | None


class Docker(Calls):
    """An engine on this machine."""

    @classmethod
    def found(cls) -> Docker | None:
        """Return the person's engine, or nothing where none answers that could run hosts.

        It has to be on this very machine, and to run as root: a rehearsal gives its networks
        addresses and rules from outside.
        """
        endpoint = os.environ.get("DOCKER_HOST") or DEFAULT
        if not endpoint.startswith("unix://") or shutil.which("docker") is None:
            return None
        docker = cls(endpoint)
        return docker if docker.fits() else None

    def fits(self) -> bool:
        """Return whether the engine answers and could run hosts."""
        try:
            about = self.info()
        except DockerError:
            return False
        rootless = any("rootless" in each for each in about.get("SecurityOptions") or ())
        return about.get("KernelVersion") == os.uname().release and not rootless

    def info(self) -> dict[str, Any]:
        """Return what the engine says of itself; an error where it does not answer."""
        about: dict[str, Any] = json.loads(
            self.call("info", "--format", "{{json .}}", seconds=20) or "{}"
        )
        # The client alone answers as well, and says so.
        if about.get("ServerErrors") or not about.get("KernelVersion"):
            raise DockerError(
                f"no Docker answers at {self.endpoint}: {about.get('ServerErrors') or ''}"
            )
        return about

    # Containers.

    def run(
        self, name: str, image: str, options: Sequence[str] = (), command: Sequence[str] = ()
    ) -> str:
        """Start a container and return its id.

        Args:
            name: Of the container.
            image: Its tag.
            options: Further arguments of `docker run`.
            command: Instead of the image's own.
        """
        return self.call("run", "--detach", "--name", name, *options, image, *command).strip()

    def create(
        self, name: str, image: str, options: Sequence[str] = (), command: Sequence[str] = ()
    ) -> str:
        """Make a container without starting it, and return its id; arguments as of `run`."""
        return self.call("create", "--name", name, *options, image, *command).strip()

    def start(self, name: str) -> None:
        """Start a container that was made or has ended."""
        self.call("start", name)

    def put(self, name: str, files: bytes | Mapping[str, str], folder: str = "/") -> None:
        """Write files into a container, running or not; not below what is mounted in it.

        Args:
            name: Of the container.
            files: A tar, or texts by path.
            folder: Below which the paths are.
        """
        data = files if isinstance(files, bytes) else tar_of(files)
        self.call("cp", "--quiet", "-", f"{name}:{folder}", data=data, seconds=600)

    def stop(self, name: str, seconds: float) -> None:
        """End a container in an orderly way, and kill it when that takes longer than `seconds`."""
        self.call("stop", "--time", f"{seconds:.0f}", name, seconds=seconds + 60)

    def kill(self, name: str, signal: str = "KILL") -> None:
        """Send a signal to the first process of a container."""
        self.call("kill", "--signal", signal, name)

    def remove(self, *names: str) -> None:
        """Remove containers, running or not, with what they wrote; those that are gone are fine."""
        for name in names:
            with contextlib.suppress(DockerMissingError):
                self.call("rm", "--force", "--volumes", name)

    def inspect(self, name: str) -> dict[str, Any] | None:
        """Return all that Docker knows of a container, or nothing if there is none."""
        try:
            found: list[dict[str, Any]] = json.loads(self.call("container", "inspect", name))
        except DockerMissingError:
            return None
        return found[0]

    def pid(self, name: str) -> int | None:
        """Return the first process of a container, as this machine numbers it, while it runs."""
        state = (self.inspect(name) or {}).get("State", {})
        return state.get("Pid") or None

    def ps(self, label: str, *, ended: bool = True) -> list[Container]:
        """Return the containers with a label (`key` or `key=value`), also those that have ended."""
        every = ["--all"] if ended else []
        lines = self.call(
            "ps", *every, "--no-trunc", "--filter", f"label={label}", "--format", "{{json .}}"
        )
        return [_container(json.loads(line)) for line in lines.splitlines()]

    def exec(
        self,
        name: str,
        *command: str,
        environment: Mapping[str, str] | None = None,
        seconds: float = SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a container as root, and return how it went, whatever its code is.

        Codes 125 to 127 may be Docker's own: the container does not run, or has no such command.
        """
        variables = [f"--env={key}={value}" for key, value in (environment or {}).items()]
        argv = self.argv("exec", *variables, name, *command)
        try:
            return subprocess.run(
                argv, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise DockerError(f"{command[0]} in {name} did not end in {seconds:g} s") from error

    def wait(self, name: str, seconds: float | None = None) -> int:
        """Return with which code a container ended, when it has."""
        return int(self.call("wait", name, seconds=seconds))

    def logs(self, name: str, lines: int = 30) -> str:
        """Return the last lines that a container's first process wrote, to both outputs."""
        argv = self.argv("logs", "--tail", str(lines), name)
        done = subprocess.run(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, check=False
        )
        return done.stdout.decode(errors="replace")

    @contextlib.contextmanager
    def events(self, label: str) -> Iterator[Iterator[Event]]:
        """Give what happens from now on to containers with a label, until the block ends.

        The inner iterator ends when the engine does.
        """
        argv = self.argv(
            "events", "--filter", "type=container", "--filter", f"label={label}",
            "--format", "{{json .}}",
        )  # fmt: skip
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            assert process.stdout is not None  # noqa: S101 - by the arguments above
            yield _events(process.stdout)
        finally:
            process.kill()
            process.wait()

    # Networks.

    def network_create(
        self, name: str, *, bridge: str, block: str, gateway: str, label: str
    ) -> None:
        """Make a network with a bridge of this machine.

        What leaves it is translated by the rehearsal's own rules, not by Docker.

        Args:
            name: Of the network.
            bridge: Name of the interface, of at most 15 characters.
            block: The addresses, as `10.20.0.0/16`.
            gateway: The bridge's own.
            label: As `key=value`.
        """
        self.call(
            "network", "create", "--driver", "bridge", "--subnet", block, "--gateway", gateway,
            "--opt", f"com.docker.network.bridge.name={bridge}",
            "--opt", "com.docker.network.bridge.enable_ip_masquerade=false",
            "--label", label, name,
        )  # fmt: skip

    def network_remove(self, name: str) -> None:
        """Remove a network without containers; one that is gone is fine."""
        with contextlib.suppress(DockerMissingError):
            self.call("network", "rm", name)

    def networks(self, label: str) -> list[str]:
        """Return the names of the networks with a label."""
        return self.call(
            "network", "ls", "--filter", f"label={label}", "--format", "{{.Name}}"
        ).split()

    # Images.

    def image_exists(self, tag: str) -> bool:
        """Return whether an image is there."""
        try:
            self.call("image", "inspect", "--format", "{{.Id}}", tag)
        except DockerMissingError:
            return False
        return True

    def image_size(self, tag: str) -> int:
        """Return the bytes of an image with all below it."""
        return int(self.call("image", "inspect", "--format", "{{.Size}}", tag))

    def image_import(self, tar: Path, tag: str, changes: Iterable[str] = ()) -> None:
        """Make an image of one layer from a tar of a root; `changes` are lines of a Dockerfile."""
        self.call("import", *_changes(changes), str(tar), tag, seconds=900)

    def commit(self, name: str, tag: str, changes: Iterable[str] = ()) -> None:
        """Make an image of a container; `changes` are lines of a Dockerfile."""
        self.call("commit", *_changes(changes), name, tag, seconds=900)

    def image_remove(self, tag: str) -> None:
        """Forget an image; one that is gone is fine."""
        with contextlib.suppress(DockerMissingError):
            self.call("image", "rm", tag)


def _changes(changes: Iterable[str]) -> list[str]:
    return [argument for change in changes for argument in ("--change", change)]


def _container(line: Mapping[str, str]) -> Container:
    labels = dict(each.partition("=")[::2] for each in line["Labels"].split(",") if each)
    return Container(name=line["Names"], state=line["State"], labels=labels)


def _events(lines: IO[bytes]) -> Iterator[Event]:
    for line in lines:
        told = json.loads(line)
        attributes = told.get("Actor", {}).get("Attributes", {})
        code = attributes.get("exitCode")
        yield Event(
            action=told.get("Action", ""),
            name=attributes.get("name", ""),
            code=None if code is None else int(code),
        )
