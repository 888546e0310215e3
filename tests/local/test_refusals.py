"""What cannot work is refused with a clear error, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.local.cluster import COMMAND, Cluster, free_ports

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_taken_port_is_named_with_its_holder(project: Callable[..., Cluster]) -> None:
    cluster = project()
    with socket.socket() as held:
        held.bind(("127.0.0.1", cluster.settings["dashboardPort"]))
        held.listen()
        printed = cluster.up(code=1)
    port = cluster.settings["dashboardPort"]
    holder = Path(f"/proc/{os.getpid()}/comm")
    name = holder.read_text().strip() if holder.exists() else "python"
    assert f"port {port} is taken by {name} (pid {os.getpid()})" in printed
    assert "set `dashboardPort` to a free port" in printed
    assert not cluster.folder.exists()


def test_too_little_memory(project: Callable[..., Cluster]) -> None:
    cluster = project(workers=90, memory="1 TiB")
    printed = cluster.up(code=1)
    assert "90 workers of 1024 GiB need 9.216e+04 GiB" in printed
    assert "Lower `memory`, or set `workers` to 1 or fewer." in printed
    assert not cluster.folder.exists()


def test_all_that_is_wrong_with_the_machine_is_said_at_once(
    project: Callable[..., Cluster],
) -> None:
    cluster = project(workers=90, memory="1 TiB")
    with socket.socket() as held:
        held.bind(("127.0.0.1", cluster.settings["schedulerPort"]))
        held.listen()
        printed = cluster.up(code=1)
    assert "is taken by" in printed
    assert "Lower `memory`" in printed


def test_wrong_settings_are_all_named_before_anything_starts(
    project: Callable[..., Cluster],
) -> None:
    cluster = project(wokers=3, memory="a lot", threads=0)
    for command in ("up", "preview"):
        words = (command, "local", *(["--yes"] if command == "up" else []))
        printed = cluster.command(*words, code=2)
        assert "wokers" in printed
        assert "Did you mean `workers`?" in printed
        assert "memory" in printed
        assert "threads" in printed
        assert "Traceback" not in printed
    assert not (cluster.directory / ".dask-cluster" / "state").exists()


def test_a_stack_that_does_not_exist(project: Callable[..., Cluster]) -> None:
    cluster = project()
    printed = cluster.command("up", "prod", "--yes", code=6)
    assert "no stack `prod`" in printed
    assert "There are: local." in printed


def test_up_asks_and_nobody_answers(project: Callable[..., Cluster]) -> None:
    cluster = project()
    assert "add --yes" in cluster.command("up", "local", code=2)
    assert not cluster.folder.exists()


def test_preview_changes_nothing(project: Callable[..., Cluster]) -> None:
    cluster = project()
    before = sorted(cluster.directory.rglob("*"))
    printed = cluster.command("preview", "local")
    assert "to create" in printed
    cluster.command("preview", "local", "--expect-no-changes", code=7)
    assert [p for p in sorted(cluster.directory.rglob("*")) if "__pycache__" not in str(p)] == [
        p for p in before if "__pycache__" not in str(p)
    ]


def test_a_stale_pid_is_nobody_of_ours(project: Callable[..., Cluster]) -> None:
    cluster = project(workers=1)
    cluster.up()
    pid_file = cluster.folder / "supervisord.pid"
    supervisor = int(pid_file.read_text())
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]) as stranger:
        os.kill(supervisor, 9)
        pid_file.write_text(f"{stranger.pid}\n")
        cluster.up()
        assert stranger.poll() is None
        pid_file.write_text(f"{stranger.pid}\n")
        cluster.destroy()
        assert stranger.poll() is None
        stranger.kill()
    assert cluster.left() == []


def test_a_cluster_that_another_state_holds(project: Callable[..., Cluster]) -> None:
    cluster = project(workers=1)
    cluster.up()
    before = cluster.pids()
    state = cluster.directory / ".dask-cluster" / "state"
    state.rename(state.with_name("elsewhere"))
    printed = cluster.up(code=1)
    assert f"{cluster.folder} is there already: another state holds this cluster" in printed
    assert all(str(pid) in printed for pid in before.values())
    shutil.rmtree(state)
    state.with_name("elsewhere").rename(state)
    assert cluster.pids() == before


def test_a_path_too_long_for_a_socket(project: Callable[..., Cluster]) -> None:
    cluster = project()
    long = cluster.directory / ("long-" * 20)
    shutil.copytree(cluster.directory, long, symlinks=True, ignore=shutil.ignore_patterns("long-*"))
    moved = Cluster(long, cluster.settings)
    assert "too long for the supervisor's socket" in moved.up(code=1)


def in_namespace(cluster: Cluster, prepare: str) -> str:
    """Run ``up`` where a mount of ours is in place of a real disk, and return what it printed."""
    if not shutil.which("unshare"):
        pytest.skip("a mount of one's own needs Linux and unshare(1)")
    script = f"{prepare} && exec '{COMMAND}' up local --yes"
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script],
        cwd=cluster.directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "unshare:" in done.stderr:
        pytest.skip(f"user namespaces are off on this machine: {done.stderr.strip()}")
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.usefixtures("running")  # its environment is built: the smaller need of the two
def test_a_full_disk(project: Callable[..., Cluster]) -> None:
    cluster = project()
    clusters = cluster.folder.parent
    clusters.mkdir()
    printed = in_namespace(cluster, f"mount -t tmpfs -o size=2m tmpfs '{clusters}'")
    assert f"{clusters} has 2 MiB free; a cluster needs 200 MiB" in printed
    clusters.rmdir()


def test_a_read_only_disk(project: Callable[..., Cluster]) -> None:
    cluster = project()
    clusters = cluster.folder.parent
    clusters.mkdir()
    printed = in_namespace(cluster, f"mount -t tmpfs -o ro tmpfs '{clusters}'")
    assert f"{clusters} cannot be written" in printed
    clusters.rmdir()


def test_no_room_for_the_state(project: Callable[..., Cluster]) -> None:
    cluster = project()
    state = cluster.directory / ".dask-cluster" / "state"
    state.mkdir()
    printed = in_namespace(cluster, f"mount -t tmpfs -o ro tmpfs '{state}'")
    assert str(state) in printed
    assert "Traceback" not in printed
    state.rmdir()


def test_a_path_that_the_supervisor_cannot_read(project: Callable[..., Cluster]) -> None:
    cluster = Cluster.prepare(project().directory / "my [data]")
    printed = cluster.up(code=1)
    assert "cannot work in a folder with `[` in its path" in printed
    assert cluster.destroy()


def test_a_worker_that_cannot_start(project: Callable[..., Cluster]) -> None:
    cluster = project(dask={"distributed": {"worker": {"preload": "no_such_module"}}})
    printed = cluster.up(code=1)
    assert "2 of 2 workers did not register with the scheduler" in printed
    assert f"The last lines of {cluster.folder}/logs/worker-" in printed


def test_a_scheduler_that_cannot_start(project: Callable[..., Cluster]) -> None:
    cluster = project(dask={"distributed": {"scheduler": {"preload": "no_such_module"}}})
    printed = cluster.up(code=1)
    assert "the scheduler ended again and again" in printed
    assert "No module named 'no_such_module'" in printed
    assert f"The last lines of {cluster.folder}/logs/scheduler.log" in printed
    assert "is half made" in cluster.command("status", "local", code=1)


def test_a_supervisor_that_hangs_does_not_hang_its_callers(
    project: Callable[..., Cluster],
) -> None:
    cluster = project(workers=1)
    cluster.up()
    supervisor = int((cluster.folder / "supervisord.pid").read_text())
    os.kill(supervisor, signal.SIGSTOP)
    assert cluster.status(code=1)["supervisor"] is False
    cluster.destroy()
    assert cluster.left() == []


def test_markup_in_a_message_is_text(running: Cluster) -> None:
    printed = running.command("run", "local", "--", "a[bold]b[/x]", code=1)
    assert "a[bold]b[/x]: no such command" in printed
    assert "what is to be run?" in running.command("run", "local", "--", code=2)


def test_free_ports_are_free() -> None:
    # The helper of these tests must not hand out the same port twice.
    assert len(set(free_ports(50))) == 50
