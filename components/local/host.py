"""The folder of a cluster on this machine, and the promise that nothing of it is left behind."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pulumi
from pulumi import dynamic

from components.local import processes
from components.local.machine import machine_memory
from components.local.supervisor_rpc import SOCKET

# A socket's path has room for 104 bytes on macOS and 108 on Linux (sys/un.h), and supervisord
# first binds `<socket>.<pid>`.
LONGEST_FOLDER = 104 - len(f"/{SOCKET}.1234567") - 1
FREE_DISK = 200 * 2**20  # logs, certificates and a first bit of spilled data
FREE_DISK_AT_FIRST = 2 * 2**30  # and an environment of 0.7 GiB with what is fetched for it


class LocalHost(dynamic.Resource, module="local", name="Host"):
    """The first resource of a local cluster and the last to go: it owns the cluster's folder.

    Creating it writes nothing: the folder is made by the resources that come after it. So
    whatever is on the disk or running when an ``up`` is killed, the state already holds the
    resource whose delete ends and removes it. Every ``up`` and preview checks here that the
    ports are free, the memory is there and the folder can be written.
    """

    folder: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        folder: Path,
        ports: dict[str, int],
        memory: dict[str, dict[str, int]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Check this machine and claim the folder.

        Args:
            name: Name of the resource.
            folder: Where the cluster's files go; need not exist.
            ports: TCP ports that must be free, by the setting they come from.
            memory: ``workers`` (as many as there can be) and ``each`` (bytes), by group.
            opts: Resource options.
        """
        props = {"folder": str(folder), "ports": ports, "memory": memory}
        super().__init__(_HostProvider(), name, props, opts)


_CLAIMED = ("folder", "ports")


class _HostProvider(dynamic.ResourceProvider):
    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        folder = Path(news["folder"])
        problems = [
            *([] if olds else _claim_problems(folder)),
            *_folder_problems(folder),
            *_port_problems(folder, news["ports"]),
            *_memory_problems(news["memory"]),
        ]
        failures = [dynamic.CheckFailure(key, reason) for key, reason in problems]
        # What was only to be checked is no input: another number of workers is no change here.
        claimed = {key: news[key] for key in _CLAIMED}
        return dynamic.CheckResult(inputs=claimed, failures=failures)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        moved = olds["folder"] != news["folder"]
        changed = any(olds[key] != news[key] for key in _CLAIMED)
        return dynamic.DiffResult(
            changes=changed, replaces=["folder"] if moved else [], delete_before_replace=True
        )

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        return dynamic.CreateResult(id_=props["folder"], outs=props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        return dynamic.UpdateResult(outs=news)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        folder = Path(props["folder"])
        processes.end(folder)
        if folder.exists():
            shutil.rmtree(folder)
        for parent in (folder.parent, folder.parent.parent):  # `clusters` and `.dask-cluster`
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()


def _claim_problems(folder: Path) -> list[tuple[str, str]]:
    """Refuse a folder that another state holds: creating the cluster again would end it."""
    if not folder.exists():
        return []
    pids = ", ".join(str(process.pid) for process in processes.of_cluster(folder)) or "none"
    text = (
        f"{folder} is there already: another state holds this cluster, the one of the Pulumi CLI "
        "or of `dask-cluster`. Destroy it there. If that state is lost, end its processes "
        f"(pids: {pids}) and remove the folder."
    )
    return [("folder", text)]


def _folder_problems(folder: Path) -> list[tuple[str, str]]:
    over = len(str(folder)) - LONGEST_FOLDER
    if over > 0:
        text = f"{folder} is {over} characters too long for the supervisor's socket."
        return [("folder", f"{text} Move the checkout to a shorter path.")]
    odd = [sign for sign in (" ;", " #", "[", "*", "?", "%") if sign in str(folder)]
    if odd:
        text = f"{folder}: the supervisor cannot work in a folder with `{odd[0]}` in its path."
        return [("folder", f"{text} Move the checkout to one without.")]
    parent = next(p for p in (folder, *folder.parents) if p.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        return [("folder", f"{parent} cannot be written (read-only, or not yours).")]
    built = any((folder.parent.parent / "environments").glob("*/environment.json"))
    free, need = shutil.disk_usage(parent).free, FREE_DISK if built else FREE_DISK_AT_FIRST
    if free < need:
        text = f"{parent} has {free >> 20} MiB free; a cluster needs {need >> 20} MiB."
        return [("folder", text + " Free some space, or move the checkout to a larger disk.")]
    return []


def _port_problems(folder: Path, ports: dict[str, Any]) -> list[tuple[str, str]]:
    problems = []
    for key, port in ports.items():
        holder = processes.taken(int(port), folder=folder)
        if holder:
            text = f"port {int(port)} is taken by {holder}. End it, or set `{key}` to a free port."
            problems.append((key, text))
    return problems


def _memory_problems(memory: dict[str, Any]) -> list[tuple[str, str]]:
    groups = {name: (int(g["workers"]), int(g["each"])) for name, g in memory.items()}
    there, need = machine_memory(), sum(count * each for count, each in groups.values())
    if need <= there:
        return []
    counts = " and ".join(f"{count} workers of {_gib(each)}" for count, each in groups.values())
    text = f"{counts} need {_gib(need)}; this machine has {_gib(there)}. Lower `memory`, or "
    if len(groups) > 1:
        return [("memory", text + "the numbers of workers.")]
    [(_, each)] = groups.values()
    return [("memory", text + f"set `workers` to {max(1, there // each)} or fewer.")]


def _gib(size: int) -> str:
    return f"{size / 2**30:.4g} GiB"
