"""Images: an engine that builds and pushes them, and one registry that answers for all hosts.

In the box names and ports are its own. So `ghcr.io` is our registry there, and so is
`localhost:5001`, whoever listens on that port of the machine: the engine finds the host of an image
in a hosts file, the nodes in files of containerd's, and a rule leads every port to the registry.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sandbox.kubernetes.control_plane import Program
from sandbox.kubernetes.errors import KubernetesError
from sandbox.kubernetes.places import REGISTRY, REGISTRY_NAME, REGISTRY_PORT, Addresses, Place
from sandbox.machine.docker import Docker

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from sandbox.kubernetes.box import Box

START_SECONDS: Final = 60.0
MIRROR: Final = f"""\
server = "http://{REGISTRY_NAME}:{REGISTRY_PORT}"
[host."http://{REGISTRY_NAME}:{REGISTRY_PORT}"]
capabilities = ["pull", "resolve"]
"""
"""What a containerd reads of a host whose images are in our own registry."""
_PAUSE: Final = f"{REGISTRY}/pause"
_HTTP: Final = 80
# For so long a program of Go's, as the engine is, believes what it read of a hosts file
# (net/hosts.go: cacheMaxAge).
_BELIEVED_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Host:
    """Where images are, as the name of an image says.

    Attributes:
        name: Without the port.
        port: Of the registry; None if the name has none.
    """

    name: str
    port: int | None

    @classmethod
    def of(cls, repository: str) -> Host:
        """Return the host of a repository.

        Raises:
            KubernetesError: It names none, which is Docker Hub, whose address Docker has built in.
        """
        first, slash, _ = repository.partition("/")
        if not slash or not ("." in first or ":" in first or first == "localhost"):
            raise KubernetesError(
                f"the images of {repository} are on Docker Hub, which cannot be rehearsed here: "
                "name another registry in the stack file, such as ghcr.io/me/dask"
            )
        name, colon, port = first.partition(":")
        if colon and not re.fullmatch(r"[0-9]{1,5}", port):
            raise KubernetesError(f"the images of {repository}: {first} is no address")
        return cls(name, int(port) if colon else None)

    @property
    def text(self) -> str:
        """As it is in the name of an image."""
        return self.name if self.port is None else f"{self.name}:{self.port}"


class Images:
    """The engine and the registry of one Kubernetes."""

    def __init__(self, place: Place) -> None:
        """Name them."""
        self._place = place
        self.docker = Docker(place.docker)

    def engine(self, addresses: Addresses) -> Program:
        """Write what the engine reads, and return it; images outlive the box."""
        run = self._place.run
        (run / "docker.json").write_text("{}")
        docker = addresses.docker
        return Program(
            "dockerd",
            (
                "dockerd",
                f"--host={self._place.docker}",
                f"--config-file={run / 'docker.json'}",
                f"--data-root={self._place.cache / 'docker'}",
                f"--exec-root={run / 'docker'}",
                f"--pidfile={run / 'docker.pid'}",
                "--group=root",
                f"--bip={docker[1]}/{docker.prefixlen}",
                f"--default-address-pool=base={docker},size=28",
                # The box does both for all that is in it.
                "--iptables=false",
                "--ip6tables=false",
                "--exec-opt=native.cgroupdriver=cgroupfs",
                f"--cgroup-parent=/{self._place.cgroup}/docker",
            ),
        )

    def registry(self) -> Program:
        """Write what the registry reads, and return it; images outlive the box."""
        file = self._place.run / "registry.json"
        settings = {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self._place.cache / "registry")},
                "delete": {"enabled": True},
            },
            "http": {"addr": f"0.0.0.0:{REGISTRY_PORT}"},
        }
        file.write_text(json.dumps(settings))
        self._lead(REGISTRY)
        return Program("registry", ("docker-registry", "serve", str(file)))

    def answer_for(self, box: Box, repositories: Collection[str]) -> None:
        """Make the registry answer for the hosts of repositories, now and until the box ends."""
        named = False
        for host in {Host.of(repository) for repository in repositories}:
            if self._folder(host.text).exists():
                continue
            if host.name not in ("localhost", "127.0.0.1"):
                # In place: it is mounted.
                with (self._place.run / "hosts").open("a") as file:
                    file.write(f"127.0.0.1 {host.name}\n")
                named = True
            port = host.port or _HTTP
            if port != REGISTRY_PORT:
                box.call("nft", "add", "element", "ip", "dask", "registries", f"{{ {port} }}")
            self._lead(host.text)
        if named:
            time.sleep(_BELIEVED_SECONDS)

    def _folder(self, host: str) -> Path:
        return self._place.run / "registries" / host

    def _lead(self, host: str) -> None:
        """Lead the nodes to our own registry for the images of a host."""
        folder = self._folder(host)
        folder.mkdir(parents=True)
        (folder / "hosts.toml").write_text(MIRROR)

    def wait(self) -> None:
        """Wait until the engine answers.

        Raises:
            KubernetesError: It does not, within a minute.
        """
        until = time.monotonic() + START_SECONDS
        socket = self._place.run / "docker.sock"
        while not (socket.exists() and self.docker.fits()):
            if time.monotonic() > until:
                log = self._place.log("dockerd")
                lines = log.read_text(errors="replace").splitlines()[-10:]
                raise KubernetesError(
                    "\n".join([f"our own Docker does not start ({log}):", *lines])
                )
            time.sleep(0.1)

    def push_pause(self, binary: Path, tag: str) -> None:
        """Put the image of `pause` into the registry."""
        image = pause_image(tag)
        if not self.docker.image_exists(image):
            data = io.BytesIO()
            with tarfile.open(fileobj=data, mode="w") as tar:
                tar.add(binary, "pause", filter=_of_root)
            self.docker.call(
                *("import", "--change", 'ENTRYPOINT ["/pause"]', "--change", "USER 65535", "-"),
                image,
                data=data.getvalue(),
            )
        self.docker.call("push", "--quiet", image)


def pause_image(tag: str) -> str:
    """Return the name of the image of `pause`."""
    return f"{_PAUSE}:{tag}"


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o755
    return entry
