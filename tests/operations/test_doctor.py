"""What `doctor` finds, one fault at a time, in views that hold it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import socket
from typing import TYPE_CHECKING, Any

import pytest

from operations import doctor
from operations.view import Process, View

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GIB = 2**30


def stamp(*, hours_ago: int = 0) -> str:
    """Return a time as the logs have it."""
    then = dt.datetime.now() - dt.timedelta(hours=hours_ago)  # noqa: DTZ005  # as the logs do
    return f"{then:%Y-%m-%d %H:%M:%S},000"


@dataclasses.dataclass
class Seen:
    """A cluster without a fault, to spoil in one place."""

    outputs: dict[str, Any]
    view: View
    logs: Path

    @property
    def worker(self) -> dict[str, Any]:
        found: dict[str, Any] = self.view.report["workers"][0]
        return found

    def wrong(self) -> list[str]:
        return [line for well, line in doctor.findings(self.outputs, self.view) if not well]


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[Seen]:
    logs = tmp_path / "logs"
    logs.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tls://127.0.0.1:{server.getsockname()[1]}"
        outputs = {
            "scheduler_address": address,
            "dashboard": address,
            "environment": "e1",
            "certificates_expire": (dt.datetime.now(dt.UTC) + dt.timedelta(90)).isoformat(),
            "folder": str(tmp_path),
        }
        worker = {
            "name": "worker-0-0",
            "address": address,
            "nanny": address,
            "identity": "e1",
            "memory_limit": GIB,
            "clock_ahead": 0.1,
        }
        processes = [
            Process(name, "RUNNING", 1, 100, str(logs / f"{name}.log"))
            for name in ("scheduler", "worker-0")
        ]
        view = View(True, processes, {"workers": [worker], "identity": "e1", "fleet": None})  # noqa: FBT003
        yield Seen(outputs, view, logs)


def test_nothing_is_wrong(seen: Seen) -> None:
    assert seen.wrong() == []


def test_a_dead_process_with_its_last_lines(seen: Seen) -> None:
    (seen.logs / "worker-0.log").write_text("one\nthe last word\n")
    seen.view.processes[1] = dataclasses.replace(seen.view.processes[1], state="FATAL", pid=0)
    [line] = seen.wrong()
    assert line.startswith("process worker-0: FATAL")
    assert line.endswith("the last word")


def test_a_flapping_process(seen: Seen) -> None:
    starts = [f"{stamp(hours_ago=2)} INFO spawned: 'scheduler' with pid 1"] * 9
    starts += [f"{stamp()} INFO spawned: 'worker-0' with pid {n}" for n in range(4)]
    (seen.logs / "supervisord.log").write_text("\n".join(starts))
    (seen.logs / "worker-0.log").write_text("why it ended\n")
    [line] = seen.wrong()
    assert line.startswith("restarts: started again and again in 10 minutes: worker-0 (4 times)")
    assert line.endswith("why it ended")


def test_ports_that_do_not_answer(seen: Seen) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"tls://127.0.0.1:{server.getsockname()[1]}"
    seen.worker["nanny"] = seen.outputs["dashboard"] = closed
    port = closed.rpartition(":")[2]
    assert seen.wrong() == [
        f"port {port} (dashboard): Connection refused",
        f"ports of workers: worker-0-0 (nanny) at {closed}: Connection refused",
    ]


def test_another_environment(seen: Seen) -> None:
    seen.worker["identity"] = "e2"
    assert seen.wrong() == ["environment e1: another one on worker-0-0"]


def test_a_clock_that_is_wrong(seen: Seen) -> None:
    seen.worker["clock_ahead"] = -3.21
    assert seen.wrong() == ["clocks: off from the scheduler's: worker-0-0 by -3.2 s"]


def test_more_memory_than_there_is(seen: Seen) -> None:
    seen.worker["memory_limit"] = 2**60
    [line] = seen.wrong()
    assert line.startswith(f"memory: the workers may use {2**30:.2f} GiB of the machine's ")
    assert line.endswith("Lower `workers` or `memory`.")


# Lines as Dask and our own preloads write them, and the first words of what they mean.
SIGNS = {
    "distributed.dask_node.drain - ERROR - LOST with worker-0-0: 3 results": "results were lost",
    "distributed.dask_node.drain - WARNING - worker-0-0 ended without a drain": "a worker was kill",
    "distributed.dask_node.drain - WARNING - w-0-0 ended before its drain was done": "a worker w",
    "distributed.scheduler - ERROR - Refused worker worker-1-0": "a worker was not admitted",
    "ValueError: Unable to connect to scheduler: this worker runs": "a worker was not admitted",
    "distributed.protocol.pickle - ERROR - Failed to serialize <x>.": "something is too large",
    "distributed.protocol.core - CRITICAL - Failed to Serialize": "something is too large",
    "ValueError: 5368709120 exceeds max_bin_len(4294967296)": "something is too large",
    "TypeError: cannot pickle '_thread.lock' object": "something is too large",
    "distributed.protocol.core - CRITICAL - Failed to deserialize": "something that was sent",
    "distributed.nanny.memory - WARNING - Worker exceeded 95% memory budget": "a worker ran out",
    "distributed.worker.memory - WARNING - Unmanaged memory use is high": "a worker holds memory",
    "MemoryError": "a process could not get memory",
    "distributed.spill - WARNING - Spill file on disk reached capacity": "a worker has spilled as",
    "OSError: [Errno 28] No space left on device": "the disk is full",
}


@pytest.mark.parametrize("line", SIGNS)
def test_a_sign_in_a_log(seen: Seen, line: str) -> None:
    log = seen.logs / "worker-0.log"
    now = stamp()
    log.write_text(f"{now} - fine\n{now} - {line}\n{now} - fine\n")
    [found] = seen.wrong()
    assert found.startswith(f"logs: {SIGNS[line]}")
    assert "(1 lines in the last hour)" in found
    assert found.endswith(f"{log}: {now} - {line}")


def test_an_old_sign_is_no_fault(seen: Seen) -> None:
    lines = f"{stamp(hours_ago=2)} - begins\nMemoryError\n{stamp()} - fine\n"
    (seen.logs / "worker-0.log").write_text(lines)
    assert seen.wrong() == []
