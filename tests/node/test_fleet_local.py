"""The places of one machine, in the process table of a real supervisord."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dask_node import fleet as fleets
from dask_node.fleet import Group, Places, State
from dask_node.local_fleet import LocalFleet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 60.0
FILE = {
    "workers": 1,
    "maxWorkers": 3,
    "processes": 2,
    "threads": 4,
    "memory": 1073741824,
    "resources": {"GPU": 1.0},
}
# What a place does: it goes on, it ends at once, or it takes its time to end.
PROGRAMS = {
    "worker-0": "sleep 600",
    "worker-1": "sleep 600",
    "worker-2": "sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'",
    "worker-10": "sleep 600",
    "gpu-0": "false",
    "gpu-1": "sleep 600",
    "scheduler": "sleep 600",
}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # The path of a unix socket must be short.
    with tempfile.TemporaryDirectory(prefix="dc-") as name:
        path = Path(name)
        (path / "fleet").mkdir()
        (path / "supervisor.conf").write_text(_conf(path))
        command = ["-m", "supervisor.supervisord", "-n", "-c", str(path / "supervisor.conf")]
        # supervisor imports pkg_resources, which warns where it exists.
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", *command], stdout=subprocess.DEVNULL
        )
        try:
            _until((path / "supervisor.sock").exists, "the supervisor")
            yield path
        finally:
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture
def fleet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalFleet]:
    """The fleet with its files, and nothing running at the end."""
    write(folder, "cluster", {"groups": ["worker", "gpu"], "idleStop": 60, "noClientStop": None})
    write(folder, "worker", FILE)
    write(folder, "gpu", FILE | {"maxWorkers": None, "processes": 1})
    monkeypatch.setenv("DASK_CLUSTER_FLEET", str(folder))
    made = fleets.load()
    assert isinstance(made, LocalFleet)
    yield made
    state = look(made)
    for name, places in state.places.items():
        asyncio.run(made.stop(name, places.running, "the test is over"))
    _until(lambda: not any(p.running | p.stopping for p in look(made).places.values()), "the end")


def write(folder: Path, name: str, content: dict[str, Any]) -> None:
    (folder / "fleet" / f"{name}.json").write_text(json.dumps(content))


def look(fleet: LocalFleet) -> State:
    return asyncio.run(fleet.look())


def running(fleet: LocalFleet, group: str) -> set[str]:
    return set(look(fleet).places[group].running)


def places(*running: str, stopping: str = "", failed: str = "") -> Places:
    return Places(frozenset(running), frozenset({stopping} - {""}), frozenset({failed} - {""}))


def test_what_the_files_say(fleet: LocalFleet) -> None:
    facts: dict[str, Any] = {"threads": 4, "memory": 1073741824, "resources": {"GPU": 1.0}}
    assert look(fleet) == State(
        groups={
            "worker": Group("worker", 1, 3, processes=2, **facts),
            "gpu": Group("gpu", 1, None, processes=1, **facts),
        },
        places={"worker": places(), "gpu": places()},
        idle_stop=60,
        no_client_stop=None,
    )
    assert list(look(fleet).groups) == ["worker", "gpu"]
    assert fleet.interval == 1.0


def test_files_that_are_not_there_yet(fleet: LocalFleet, folder: Path) -> None:
    (folder / "fleet" / "worker.json").write_text('{"workers": 1, "maxWor')
    assert set(look(fleet).groups) == {"gpu"}
    (folder / "fleet" / "gpu.json").unlink()
    assert look(fleet) == State({}, {}, 60, None)
    (folder / "fleet" / "cluster.json").unlink()
    assert look(fleet) == State({}, {}, None, None)
    write(folder, "cluster", {"groups": ["worker", "gpu"], "idleStop": None, "noClientStop": 5})
    write(folder, "worker", FILE)
    write(folder, "gpu", FILE)
    assert (look(fleet).idle_stop, look(fleet).no_client_stop) == (None, 5)


def test_the_lowest_numbers_start_and_only_those_told_stop(fleet: LocalFleet, folder: Path) -> None:
    notice = folder / "fleet" / "notices" / "worker-0.json"
    asyncio.run(fleet.start("worker", 3))
    assert look(fleet).places == {
        "worker": places("worker-0", "worker-1", "worker-2"),
        "gpu": places(),
    }
    asyncio.run(fleet.stop("worker", ["worker-0"], "scale-in"))
    assert json.loads(notice.read_text()) == {"reason": "scale-in"}
    _until(lambda: look(fleet).places["worker"] == places("worker-1", "worker-2"), "its end")
    asyncio.run(fleet.start("worker", 1))
    assert not notice.exists()
    assert running(fleet, "worker") == {"worker-0", "worker-1", "worker-2"}
    # Numbers, not names: 10 is after 2. And what is not there cannot be started.
    asyncio.run(fleet.start("worker", 5))
    assert running(fleet, "worker") == {"worker-0", "worker-1", "worker-2", "worker-10"}


def test_a_place_that_takes_its_time_is_neither_running_nor_free(fleet: LocalFleet) -> None:
    asyncio.run(fleet.start("worker", 3))
    _until(lambda: _stubborn_is_ready(fleet), "the trap")
    asyncio.run(fleet.stop("worker", ["worker-2", "worker-2", "worker-10"], "scale-in"))
    assert look(fleet).places["worker"] == places("worker-0", "worker-1", stopping="worker-2")
    asyncio.run(fleet.start("worker", 1))
    assert look(fleet).places["worker"] == places(
        "worker-0", "worker-1", "worker-10", stopping="worker-2"
    )


def test_a_place_that_does_not_start_is_failed_and_tried_last(fleet: LocalFleet) -> None:
    asyncio.run(fleet.start("gpu", 1))
    _until(lambda: look(fleet).places["gpu"] == places(failed="gpu-0"), "the failure")
    asyncio.run(fleet.start("gpu", 1))
    assert look(fleet).places["gpu"] == places("gpu-1", failed="gpu-0")
    asyncio.run(fleet.start("gpu", 1))
    _until(lambda: running(fleet, "gpu") == {"gpu-1"}, "the next failure")


@pytest.mark.parametrize("act", [LocalFleet.look, lambda fleet: fleet.start("worker", 1)])
def test_without_a_supervisor_it_cannot_be_reached(
    act: Callable[[LocalFleet], Any], tmp_path: Path
) -> None:
    (tmp_path / "fleet").mkdir()
    write(tmp_path, "cluster", {"groups": ["worker"], "idleStop": None, "noClientStop": None})
    write(tmp_path, "worker", FILE)
    with pytest.raises(OSError, match="No such file"):
        asyncio.run(act(LocalFleet(str(tmp_path))))


def test_a_kind_of_fleet_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_CLUSTER_FLEET", "moon:base")
    with pytest.raises(ValueError, match="'moon:base' is none of"):
        fleets.load()
    monkeypatch.delenv("DASK_CLUSTER_FLEET")
    assert fleets.load() is None


def _stubborn_is_ready(fleet: LocalFleet) -> bool:
    """Say whether the program that ignores SIGTERM has come so far: it has a child."""
    [row] = [r for r in fleet._call("getAllProcessInfo") if r["name"] == "worker-2"]
    children = Path(f"/proc/{row['pid']}/task/{row['pid']}/children")
    return bool(row["pid"] and children.read_text().strip())


def _conf(path: Path) -> str:
    programs = "".join(
        f"[program:{name}]\ncommand={command}\nautostart=false\nstartsecs=1\nstartretries=1\n"
        f"stopwaitsecs=3\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
        f"killasgroup=true\n"
        for name, command in PROGRAMS.items()
    )
    return (
        f"[supervisord]\nlogfile={path}/log\npidfile={path}/pid\n"
        f"[unix_http_server]\nfile={path}/supervisor.sock\n"
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        f"{programs}"
    )


def _until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)
