"""The box that a Kubernetes runs in: processes, networks and mounts of its own.

Everything in it hangs on its first process: when that ends, however, the kernel ends all others,
and with the last of them their networks, firewall rules and mounts are gone. So nothing on this
machine changes but a network interface, cgroups and a folder.

Each node has a network of its own in it, with one wire to the control plane's; all others are
reached through that one, which alone has a wire to this machine.

It reaches the world through slirp4netns, a process of this machine that makes ordinary connections
for it: the machine forwards and translates nothing, and nobody outside can reach in.
"""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Final

from sandbox.kubernetes import wires
from sandbox.kubernetes.errors import KubernetesError
from sandbox.kubernetes.places import (
    API_PORT,
    BLOCKS,
    REGISTRY_NAME,
    Addresses,
    Place,
)
from sandbox.machine import leftovers
from sandbox.machine.programs import program, spawn
from sandbox.machine.registries import without_proxy

START_SECONDS: Final = 30.0
END_SECONDS: Final = 30.0
# What a kubelet wants to have set, and sets itself: in the box it writes to files that look like
# the kernel's. They are the kernel's own for the whole machine, and not needed here.
_KUBELET_WANTS: Final = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


class Box:
    """The one box of a place."""

    def __init__(self, place: Place) -> None:
        """Name it."""
        self._place = place

    @property
    def pid(self) -> int | None:
        """Its first process, as this machine numbers it; None if it does not run."""
        found = leftovers.processes("pause", str(self._place.run))
        return found[0] if found else None

    def start(self, cache: Path, binaries: Path, addresses: Addresses) -> int:
        """Make it.

        Args:
            cache: Is seen as `Place.cache`.
            binaries: Where our own programs are.
            addresses: For its ends of networks.

        Returns:
            The port of this machine's loopback that leads to its API server.

        Raises:
            KubernetesError: The kernel or a program refuses, in its words.
        """
        place = self._place
        self._write_files(addresses)
        unshare = [
            program("unshare") or "unshare",
            *("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *("--propagation", "slave"),
            str(binaries / "pause"),
            str(place.run),
        ]
        spawn(unshare, place.log("box"))
        pid = self._appears()
        self._furnish(cache)
        wires.lay(self, self._place.wire, pid, addresses)
        return self._open_outward(pid, addresses)

    @property
    def connected(self) -> bool:
        """Whether what connects for it runs."""
        return bool(leftovers.processes("slirp4netns", self._api_argument))

    def spawn(
        self, name: str, command: list[str], *, node: str | None = None
    ) -> tuple[int, tuple[str, ...]]:
        """Start a program in it.

        Args:
            name: Of its log.
            command: The program and its arguments.
            node: In whose network; none for the control plane's.

        Returns:
            A child of this process that ends with the program; and the program's command line,
            which it has a moment later.
        """
        whole = [program(command[0]) or command[0], *command[1:]]
        # Between its programs no proxy of this machine's is asked.
        proxies = {key: os.environ[key] for key in os.environ if key.lower().endswith("_proxy")}
        surroundings = without_proxy(proxies, (REGISTRY_NAME, *map(str, BLOCKS)))
        pid = spawn([*self._enter(node), *whole], self._place.log(name), surroundings)
        return pid, tuple(whole)

    def call(self, *command: str, data: str | None = None, node: str | None = None) -> str:
        """Run a command in it, arguments as of `spawn`, and return what it printed.

        Raises:
            KubernetesError: It failed.
        """
        return wires.run(
            [*self._enter(node), program(command[0]) or command[0], *command[1:]], data
        )

    def arguments(self) -> set[tuple[str, ...]]:
        """Return the command lines of its processes."""
        pid = self.pid
        if pid is None:
            return set()
        own = Path(f"/proc/{pid}/ns/pid").readlink()
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if (folder / "ns/pid").readlink() == own:
                    words = (folder / "cmdline").read_bytes().decode(errors="replace")
                    found.add(tuple(words.rstrip("\0").split("\0")))
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                continue
        return found

    def end(self) -> None:
        """End it with all that is in it; where there is none, nothing happens.

        Raises:
            KubernetesError: Something of it does not go.
        """
        # The kernel waits with the end of the first process for that of all others.
        leftovers.end(leftovers.processes("pause", str(self._place.run)), END_SECONDS)
        leftovers.end(leftovers.processes("unshare", str(self._place.run)), END_SECONDS)
        leftovers.end(leftovers.processes("slirp4netns", self._api_argument), END_SECONDS)
        until = time.monotonic() + END_SECONDS
        while self._place.wire in (name for _, name in socket.if_nameindex()):
            if time.monotonic() > until:
                wires.run([program("ip") or "ip", "link", "delete", self._place.wire])
            time.sleep(0.05)

    @property
    def _api_argument(self) -> str:
        return f"--api-socket={self._place.run / 'slirp.sock'}"

    def _enter(self, node: str | None = None) -> list[str]:
        pid = self.pid
        if pid is None:
            raise KubernetesError("the Kubernetes of this machine does not run")
        network = f"--net=/proc/{pid}/root{wires.NETWORKS}/{node}" if node else "--net"
        return [
            program("nsenter") or "nsenter",
            *(f"--target={pid}", network, "--mount", "--pid", "--wd=/", "--"),
        ]

    def _appears(self) -> int:
        until = time.monotonic() + START_SECONDS
        while (pid := self.pid) is None:
            if time.monotonic() > until:
                said = self._place.log("box").read_text(errors="replace").strip()
                raise KubernetesError(f"this kernel gives no namespaces: {said}")
            time.sleep(0.02)
        return pid

    def _write_files(self, addresses: Addresses) -> None:
        run = self._place.run
        (run / "resolv.conf").write_text(f"nameserver {addresses.nameserver}\n")
        own = f"\n{addresses.control} {REGISTRY_NAME}\n"
        (run / "hosts").write_bytes(Path("/etc/hosts").read_bytes() + own.encode())
        for name, value in _KUBELET_WANTS.items():
            path = run / "sysctl" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{value}\n")

    def _furnish(self, cache: Path) -> None:
        """Give it mounts of its own."""
        script = Path(__file__).with_name("furnish.sh").read_text()
        self.call("sh", "-seu", str(self._place.run), str(cache), data=script)

    def _open_outward(self, pid: int, addresses: Addresses) -> int:
        """Start what connects for the box, and return the port that it keeps open for the API."""
        log = self._place.log("slirp4netns")
        slirp = [
            program("slirp4netns") or "slirp4netns",
            *("--configure", "--mtu=65520", "--disable-host-loopback"),
            f"--cidr={addresses.outward}",
            self._api_argument,
            str(pid),
            "tap0",
        ]
        spawn(slirp, log)
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                return self._forwarded()
            except (FileNotFoundError, ConnectionError) as error:
                if time.monotonic() > until:
                    said = log.read_text(errors="replace").strip()
                    raise KubernetesError(f"slirp4netns does not start: {said}") from error
                time.sleep(0.05)

    def _forwarded(self) -> int:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        arguments = {
            "proto": "tcp", "host_addr": "127.0.0.1", "host_port": port, "guest_port": API_PORT
        }  # fmt: skip
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(10)
            client.connect(str(self._place.run / "slirp.sock"))
            client.sendall(json.dumps({"execute": "add_hostfwd", "arguments": arguments}).encode())
            client.shutdown(socket.SHUT_WR)
            said = client.makefile().read()
        if "error" in json.loads(said):
            raise KubernetesError(f"slirp4netns opens no port on this machine: {said}")
        return port
