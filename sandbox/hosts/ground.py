"""What a rehearsal with hosts changes on this machine, and how it is undone.

Everything is written down before it is made, so `undo` works after a kill at any moment, of the
server and of Docker.
"""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from sandbox.hosts import nft
from sandbox.hosts.daemon import Daemon
from sandbox.hosts.errors import HostsError
from sandbox.hosts.lacks import lacks, message
from sandbox.hosts.machine import Machine, User
from sandbox.hosts.names import Names
from sandbox.hosts.sysctls import FORWARD, Sysctls
from sandbox.machine.docker import Docker
from sandbox.machine.programs import program

_BRIDGE_CALLS: Final = Path("/proc/sys/net/bridge")


def undo(
    folder: Path, say: Callable[[str], None] | None = None, machine: Machine | None = None
) -> None:
    """Undo everything of a rehearsal, and of this machine if it was the last.

    Where there is nothing, nothing happens. What another rehearsal or the person made stays.

    Args:
        folder: Where its server keeps itself.
        say: Hears what takes a while, and what stays.
        machine: For tests.

    Raises:
        HostsError: Its server still runs, or Docker does not do it; call again then.
    """
    ground = Ground(folder, Path(), machine)
    if not ground.used:
        return
    if os.geteuid() != 0:
        raise HostsError("the hosts of this rehearsal are ended by root: say it with sudo")
    with ground.machine.alone():
        ground.undo(say or (lambda _: None))


class Ground:
    """This machine as the ground of one rehearsal's hosts."""

    def __init__(self, folder: Path, cache: Path, machine: Machine | None = None) -> None:
        """Name it; nothing is changed yet.

        Args:
            folder: Where the rehearsal's server keeps itself.
            cache: Where an engine of ours keeps its images, for all rehearsals.
            machine: For tests.
        """
        self.names = Names.of(folder)
        self.machine = machine or Machine()
        self._folder = folder
        self._data = cache.absolute() / "docker" / "data"
        # The machine's own folder does not outlive a restart, containers do.
        self._record = folder / "ground.json"
        self._daemon = Daemon(self.machine.run)
        self._sysctls = Sysctls(self.machine.run / "sysctls.json")
        self._docker: Docker | None = None

    @property
    def docker(self) -> Docker:
        """The engine, once the ground is taken."""
        if self._docker is None:
            raise HostsError("this machine is not prepared for hosts")
        return self._docker

    @property
    def used(self) -> bool:
        """Whether there may be something to undo."""
        if self._record.exists():
            return True
        # The folder is root's: for another one it has nothing.
        return os.geteuid() == 0 and self.machine.run.exists()

    def take(self, say: Callable[[str], None]) -> None:
        """Prepare this machine; of a rehearsal that was killed everything is undone before.

        Args:
            say: Hears what takes a while.

        Raises:
            HostsError: What is missing, all of it, or what did not work; nothing is left then.
        """
        own = self._own()
        found = lacks(engine=own is not None)
        if found:
            raise HostsError(message(found))
        with self.machine.alone():
            if self._user() is not None:
                self.undo(say)
                # The last user takes everything with it.
                self.machine.run.mkdir(mode=0o700, exist_ok=True)
            docker = own or self._daemon.docker
            data = self._daemon.data(self._data)
            user = User.this(self._folder, data, docker.endpoint)
            user.write(self._record)
            user.write(self.machine.file(self.names.key))
            try:
                _see_bridges()
                self._sysctls.change()
                if own is None:
                    say("starting Docker")
                    self._daemon.start(data)
            except BaseException:
                self.undo(say)
                raise
            self._docker = docker

    def release(self, say: Callable[[str], None]) -> None:
        """Undo everything, as `undo` does."""
        undo(self._folder, say, self.machine)
        self._docker = None

    def undo(self, say: Callable[[str], None]) -> None:
        """Undo everything; the caller is alone on the machine."""
        user = self._user()
        if user is not None and user.alive and user.pid != os.getpid():
            raise HostsError(f"the server of this rehearsal still runs (pid {user.pid})")
        if user is not None:
            self._remove(user, say)
        for bridge in nft.bridges(self.names.table):
            nft.remove_bridge(bridge)
        nft.remove(self.names.table)
        others = {key: one for key, one in self.machine.users().items() if key != self.names.key}
        if not others:
            self._leave()
        for one in others.values():
            if not one.alive:
                say(f"this machine stays prepared for the rehearsal in {one.folder}: destroy it")
        self.machine.file(self.names.key).unlink(missing_ok=True)
        if not others:
            shutil.rmtree(self.machine.run, ignore_errors=True)
        self._record.unlink(missing_ok=True)

    def _own(self) -> Docker | None:
        """Return the person's own engine, if one answers."""
        found = Docker.found()
        # Who looks at hosts may have set DOCKER_HOST to ours.
        return None if found == self._daemon.docker else found

    def _user(self) -> User | None:
        return User.read(self.machine.file(self.names.key)) or User.read(self._record)

    def _remove(self, user: User, say: Callable[[str], None]) -> None:
        """Remove the rehearsal's containers and networks."""
        docker = Docker(user.docker)
        if user.docker == self._daemon.docker.endpoint:
            data = self._daemon.data(Path(user.data))
            if not data.is_dir() and not self._daemon.running:
                # Docker's memory is gone; what still runs of it ends in `_leave`.
                return
            self._daemon.start(data)
        names = [container.name for container in docker.ps(self.names.label)]
        if names:
            say(f"ending {len(names)} hosts")
        docker.remove(*names)
        for network in docker.networks(self.names.label):
            docker.network_remove(network)

    def _leave(self) -> None:
        """Give the machine back: nobody else uses it."""
        ours = self._daemon.known
        self._daemon.stop()
        # An engine that the person started meanwhile forwards, too.
        keep = frozenset({FORWARD}) if ours and self._own() is not None else frozenset()
        self._sysctls.restore(keep=keep)


def check_range(block: str) -> None:
    """Look whether a VPC's range is free on this machine.

    Raises:
        HostsError: Another network has addresses of it, which could not be reached any more.
    """
    command = [program("ip") or "ip", "-json", "-4", "route", "show", "table", "main"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    for route in json.loads(done.stdout or "[]"):
        if route["dst"] == "default":
            continue
        if IPv4Network(route["dst"]).overlaps(IPv4Network(block)):
            raise HostsError(
                f"the VPC's range {block} is in use on this machine ({route['dst']} on "
                f"{route.get('dev', 'another way')}): choose another one in the stack file, or "
                "destroy the rehearsal that has it"
            )


def _see_bridges() -> None:
    """Make sure that rules can see the traffic of a bridge, without showing them others'."""
    if _BRIDGE_CALLS.exists():
        return
    load = program("modprobe")
    if load is not None:
        subprocess.run([load, "br_netfilter"], capture_output=True, timeout=30, check=False)
    if not _BRIDGE_CALLS.exists():
        raise HostsError("this kernel has no br_netfilter: hosts could not be kept apart")
    # Loading it switches it on for all bridges of the machine; `nft.apply` does so for ours.
    for name in ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables", "bridge-nf-call-arptables"):
        with contextlib.suppress(FileNotFoundError):
            (_BRIDGE_CALLS / name).write_text("0")
