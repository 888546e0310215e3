"""Our own Docker, where no engine of the person's answers."""

import subprocess
import time
from pathlib import Path
from typing import Final

from sandbox.hosts.errors import HostsError
from sandbox.machine import leftovers
from sandbox.machine.docker import Docker
from sandbox.machine.programs import program, spawn

START_SECONDS: Final = 60.0
# It ends its containers first, and waits 15 s for those that do not want to.
STOP_SECONDS: Final = 40.0
_LOG_LINES: Final = 10
# It leaves networks' rules, forwarding and translation to us, and so this machine as it is.
_CHANGES_NOTHING: Final = (
    "--bridge=none",
    "--iptables=false",
    "--ip6tables=false",
    "--ip-forward=false",
    "--ip-masq=false",
    "--userland-proxy=false",
)


class Daemon:
    """An engine of ours: at most one on a machine, for all rehearsals.

    Its processes are known by the folder in their command lines, so no file that outlived
    them can be mistaken for one.
    """

    def __init__(self, run: Path) -> None:
        """Name it.

        Args:
            run: Where it has its socket and its state.
        """
        self._run = run
        # Of its containers' cgroups and in containerd: nobody else's things have it.
        self._name = run.name
        self._socket = run / "docker.sock"
        # Where its data is; there from before it starts until all of it is gone.
        self._where = run / "docker.data"
        self.docker = Docker(f"unix://{self._socket}")

    @property
    def known(self) -> bool:
        """Whether it was started and not ended, though it may be dead."""
        return self._where.exists()

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return bool(self._pids())

    def data(self, default: Path) -> Path:
        """Return where it keeps its data: what it was started with, if it was."""
        return Path(self._where.read_text()) if self.known else default

    def start(self, data: Path) -> None:
        """Start it, unless it runs.

        Args:
            data: Where it keeps images and containers; that of a running one stays as it is.

        Raises:
            HostsError: It did not answer within a minute; the message has its last lines.
        """
        # One that is busy with many hosts takes a while.
        until = time.monotonic() + START_SECONDS
        while self.running and time.monotonic() < until:
            if self.docker.fits():
                return
            time.sleep(0.5)
        # Dead, or beyond answering.
        self._kill()
        data = self.data(data)
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._where.write_text(str(data))
        self._launch(data)

    def stop(self) -> None:
        """End it with everything that it made; images stay where its data is."""
        if not (self.known or self.running):
            return
        leftovers.end(self._pids(), STOP_SECONDS)
        self._kill()
        leftovers.unmount(self._run)
        leftovers.unmount(self.data(self._run))
        leftovers.remove_cgroups(self._name)
        self._forget_namespace()
        self._where.unlink(missing_ok=True)

    def _kill(self) -> None:
        """End what is left of one that is dead."""
        leftovers.end(self._pids(), 0.0)
        leftovers.end(self._helpers(), 2.0)
        leftovers.end(leftovers.in_cgroups(self._name), 0.0)
        (self._run / "docker.pid").unlink(missing_ok=True)
        (self._run / "exec/containerd/containerd.pid").unlink(missing_ok=True)

    def _launch(self, data: Path) -> None:
        (self._run / "docker.json").write_text("{}")
        command = [
            program("dockerd") or "dockerd",
            f"--host={self.docker.endpoint}",
            # Not the person's settings.
            f"--config-file={self._run / 'docker.json'}",
            f"--data-root={data}",
            f"--exec-root={self._run / 'exec'}",
            f"--pidfile={self._run / 'docker.pid'}",
            "--group=root",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            f"--cgroup-parent=/{self._name}",
            f"--containerd-namespace={self._name}",
            f"--containerd-plugins-namespace={self._name}-plugins",
            *_CHANGES_NOTHING,
        ]
        path = data.parent / "dockerd.log"
        path.write_bytes(b"")
        pid = spawn(command, path)
        until = time.monotonic() + START_SECONDS
        while not leftovers.dead(pid) and time.monotonic() < until:
            if self._socket.exists() and self.docker.fits():
                return
            time.sleep(0.1)
        self._kill()
        lines = path.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        raise HostsError("\n".join([f"our own Docker does not start ({path}):", *lines]))

    def _forget_namespace(self) -> None:
        """Remove our names from the machine's containerd, which Docker takes where one runs."""
        control = program("ctr")
        if control is not None and Path("/run/containerd/containerd.sock").exists():
            for name in (self._name, f"{self._name}-plugins"):
                command = [control, "namespaces", "remove", name]
                subprocess.run(command, capture_output=True, timeout=30, check=False)

    def _pids(self) -> list[int]:
        return leftovers.processes("dockerd", f"--host={self.docker.endpoint}")

    def _helpers(self) -> list[int]:
        """Return its containerd, and what holds containers."""
        config = str(self._run / "exec/containerd/containerd.toml")
        found = leftovers.processes("containerd", config)
        return found + leftovers.processes("containerd-shim", self._name)
