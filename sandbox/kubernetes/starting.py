"""How a Kubernetes is started, and whether all of it still runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox.kubernetes import base_image, cgroups, objects
from sandbox.kubernetes.api import Api
from sandbox.kubernetes.box import Box
from sandbox.kubernetes.certificates import Authority
from sandbox.kubernetes.control_plane import ControlPlane, Program
from sandbox.kubernetes.errors import KubernetesError
from sandbox.kubernetes.images import Images, pause_image
from sandbox.kubernetes.nodes import Node
from sandbox.kubernetes.places import BLOCKS, NODES, Addresses, Place
from sandbox.machine import leftovers
from sandbox.machine.programs import program

if TYPE_CHECKING:
    from collections.abc import Callable

# On two busy cores.
READY_SECONDS: Final = 180.0
_LOG_LINES: Final = 10


def complete(place: Place) -> bool:
    """Return whether everything runs that was started, and all of it was."""
    try:
        expected = json.loads((place.run / "programs.json").read_text())
    except FileNotFoundError:
        return False
    box = Box(place)
    return box.connected and {tuple(each) for each in expected} <= box.arguments()


def start(place: Place, cache: Path, binaries: Path, say: Callable[[str], None]) -> None:
    """Start everything; there is nothing of an earlier one.

    Args:
        place: Where.
        cache: What outlives it.
        binaries: Our own programs, in the cache.
        say: Told what takes long.

    Raises:
        KubernetesError: Something does not start, with the end of its log.
        MachineError: The image of Python cannot be made.
    """
    say(f"starting a Kubernetes with {len(NODES)} nodes")
    addresses = Addresses(free_block())
    shutil.rmtree(cache / "logs", ignore_errors=True)
    (cache / "logs").mkdir(mode=0o700)
    place.logs.symlink_to(cache / "logs")
    # Where to look for it afterwards: a box that is dead does not say.
    (place.run / "state").write_text(str(cache / "state"))
    shutil.rmtree(cache / "state", ignore_errors=True)
    (cache / "state").mkdir(mode=0o700)
    objects.make_folders(cache / "state" / "volumes")
    cgroups.make(place.cgroup, NODES)
    box = Box(place)
    port = box.start(cache, binaries, addresses)
    place.binaries.symlink_to(place.cache / binaries.name)
    _Start(place, addresses, box, port).run(cache, binaries, say)


def renew(place: Place) -> None:
    """Prepare a running one for another rehearsal."""
    objects.renew_volumes(Api(place), Path((place.run / "state").read_text()) / "volumes")


def free_block() -> IPv4Network:
    """Return addresses that no network of this machine has.

    Raises:
        KubernetesError: All that we would take are in use.
    """
    command = [program("ip") or "ip", "-json", "-4", "route", "show", "table", "all"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    routes = [each["dst"] for each in json.loads(done.stdout or "[]") if each["dst"] != "default"]
    for block in BLOCKS:
        if not any(IPv4Network(route).overlaps(block) for route in routes):
            return block
    used = ", ".join(map(str, BLOCKS))
    raise KubernetesError(f"networks of this machine have addresses of all of {used}: free one")


class _Start:
    """One start."""

    def __init__(self, place: Place, addresses: Addresses, box: Box, port: int) -> None:
        self._place = place
        self._addresses = addresses
        self._box = box
        self._started: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._authority = Authority(place.certificates)
        self._plane = ControlPlane(place, addresses, self._authority)
        self._images = Images(place)
        self._authority.kubeconfig(
            place.kubeconfig, f"https://127.0.0.1:{port}", "dask-rehearsal", group="system:masters"
        )

    def run(self, cache: Path, binaries: Path, say: Callable[[str], None]) -> None:
        tag = binaries.name
        nodes = [Node(name, self._place, self._addresses, pause=pause_image(tag)) for name in NODES]
        for each in (self._plane.etcd(), self._images.registry(), self._plane.api_server()):
            self._spawn(each)
        self._spawn(self._images.engine(self._addresses))
        for node in nodes:
            self._spawn(node.containerd())
        self._images.wait()
        self._images.push_pause(binaries / "pause", tag)
        base_image.ensure(self._images.docker, cache, say)
        self._wait("containerd", lambda: all(node.socket.exists() for node in nodes))
        api = Api(self._place)
        self._wait("the API server", api.answers)
        for each in (
            *(node.kubelet(self._authority) for node in nodes),
            *(node.proxy(self._authority) for node in nodes),
            self._plane.controllers(),
            self._plane.scheduler(),
        ):
            self._spawn(each)
        objects.create(api, self._place, self._addresses)
        self._spawn(self._plane.names())
        self._spawn(self._plane.metrics())
        self._wait("the nodes", lambda: _usable(api))
        commands = {command for _, command in self._started.values()}
        self._wait("its programs", lambda: commands <= self._box.arguments())
        (self._place.run / "programs.json").write_text(json.dumps(sorted(commands)))

    def _spawn(self, each: Program) -> None:
        self._started[each.name] = self._box.spawn(each.name, list(each.command), node=each.node)

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        """Wait for something.

        Raises:
            KubernetesError: A program has ended meanwhile, or it takes too long.
        """
        until = time.monotonic() + READY_SECONDS
        while not done():
            for name, (pid, _) in self._started.items():
                if leftovers.dead(pid):
                    raise KubernetesError(self._said(name))
            if time.monotonic() > until:
                raise KubernetesError(
                    f"{what} of the Kubernetes of this machine: not there after "
                    f"{READY_SECONDS:.0f} s; the logs are in {self._place.logs.resolve()}"
                )
            time.sleep(0.2)

    def _said(self, name: str) -> str:
        log = self._place.log(name)
        lines = log.read_text(errors="replace").splitlines()
        # Go's programs say first why they end, and much after it.
        wrong = [line for line in lines if re.match(r"[EF][0-9]{4} |Error|panic", line)]
        last = (wrong or lines)[-_LOG_LINES:]
        return "\n".join([f"{name} of the Kubernetes of this machine has ended ({log}):", *last])


def _usable(api: Api) -> bool:
    """Return whether pods can be made."""
    ready = [
        condition["status"]
        for node in api.items("/api/v1/nodes")
        for condition in node["status"].get("conditions", ())
        if condition["type"] == "Ready"
    ]
    if ready.count("True") < len(NODES):
        return False
    accounts = api.items("/api/v1/namespaces/default/serviceaccounts")
    return any(account["metadata"]["name"] == "default" for account in accounts)
