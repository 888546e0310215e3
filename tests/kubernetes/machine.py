"""What this machine is like beside a Kubernetes: nothing of it may differ afterwards."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

# Settings of the kernel that programs of Kubernetes, of containers and of networks change.
_SYSCTLS = ("kernel", "vm", "net", "fs/inotify", "user")
# These can be written, and move with every process all the same.
_MOVING = frozenset({"ns_last_pid"})
# Where they would leave files.
_FOLDERS = ("/run", "/var/lib", "/var/log", "/etc", "/etc/cni", "/opt", "/opt/cni", "/var/run")
_PROGRAMS = frozenset(
    {"kube", "etcd", "coredns", "containerd", "dockerd", "docker-proxy", "kwok", "metrics-server"}
)


@dataclass(frozen=True)
class State:
    """The machine at one moment.

    Attributes:
        sysctls: Settings of the kernel; what can only be read is a counter, or random.
        links: Network interfaces.
        routes: Ways to other networks.
        rules: Of the firewall, without counters.
        mounts: Where file systems are mounted.
        cgroups: Two levels of them.
        files: Names in folders of the system.
        programs: Processes of a cluster.
        namespaces: Named network namespaces.
    """

    sysctls: dict[str, str]
    links: list[str]
    routes: list[str]
    rules: list[str]
    mounts: list[str]
    cgroups: list[str]
    files: list[str]
    programs: list[str]
    namespaces: list[str]

    @classmethod
    def now(cls) -> State:
        links = json.loads(_said("ip", "-json", "link", "show"))
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        top = Path("/sys/fs/cgroup")
        groups = [each for each in (*top.glob("*"), *top.glob("*/*")) if each.is_dir()]
        return cls(
            sysctls=_sysctls(),
            links=sorted(each["ifname"] for each in links),
            routes=sorted(map(str.strip, _said("ip", "route", "show").splitlines())),
            rules=_said("nft", "--stateless", "list", "ruleset").splitlines(),
            mounts=sorted(line.split()[1] for line in mounts),
            cgroups=sorted(str(each.relative_to(top)) for each in groups),
            files=sorted(f"{top}/{name}" for top in _FOLDERS for name in _names(Path(top))),
            programs=sorted(_programs()),
            namespaces=_said("ip", "netns", "list").splitlines(),
        )

    def differences(self, other: State) -> list[str]:
        """Return what is otherwise, one line for each."""
        found = []
        for name, before in vars(self).items():
            after = getattr(other, name)
            if isinstance(before, dict):
                keys = before.keys() & after.keys()
                found += [
                    f"{key}: {before[key]!r} => {after[key]!r}"
                    for key in sorted(keys)
                    if before[key] != after[key]
                ]
            else:
                found += [f"{name}: new: {each}" for each in after if each not in before]
                found += [f"{name}: gone: {each}" for each in before if each not in after]
        return found


def _sysctls() -> dict[str, str]:
    found = {}
    for part in _SYSCTLS:
        for folder, _, names in os.walk(Path("/proc/sys", part)):
            for file in (Path(folder, name) for name in names if name not in _MOVING):
                try:
                    if file.stat().st_mode & stat.S_IWUSR:
                        found[str(file)] = file.read_text()
                except OSError:
                    continue  # it is only written, or belongs to a link that has gone
    return found


def _names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []


def _programs() -> list[str]:
    names = [process.info["name"] for process in psutil.process_iter(["name"])]
    return [name for name in names if any(name.startswith(each) for each in _PROGRAMS)]


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
