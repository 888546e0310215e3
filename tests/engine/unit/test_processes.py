import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from engine.errors import EngineError
from engine.processes import Processes, read_lines, stop


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(logs=tmp_path, lock_fd=-1, environment=os.environ)
    yield made
    made.close()


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def script(tmp_path: Path, text: str) -> str:
    path = tmp_path / "plugin"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return str(path)


DAEMON = """
import os, subprocess
daemon = subprocess.Popen(["sleep", "60"], start_new_session=True)
print(daemon.pid, flush=True)
"""


def test_a_daemon_that_holds_the_output_does_not_hold_up_the_end(
    processes: Processes, tmp_path: Path
) -> None:
    lines: list[str] = []
    process = processes.start("guard", [script(tmp_path, DAEMON)], directory=tmp_path, log="log")
    assert process.stdout is not None
    reader = read_lines(process.stdout, lines.append)
    eventually(lambda: bool(lines))
    started = time.monotonic()
    processes.close()
    assert time.monotonic() - started < 5
    # A daemon is meant to stay.
    assert running(int(lines[0]))
    os.kill(int(lines[0]), signal.SIGKILL)
    reader.join(10)


PLUGIN = """
import os, signal, time
print(os.getpid(), flush=True)
time.sleep(60)
"""


def test_a_plugin_ends_with_a_guard_that_had_to_be_killed(
    processes: Processes, tmp_path: Path
) -> None:
    process = processes.start("guard", [script(tmp_path, PLUGIN)], directory=tmp_path, log="log")
    assert process.stdout is not None
    with process.stdout as stream:
        plugin = int(stream.readline())
    process.send_signal(signal.SIGSTOP)
    stop(process, grace=0.2)
    eventually(lambda: not running(plugin))


def test_nothing_starts_after_the_end(processes: Processes, tmp_path: Path) -> None:
    processes.close()
    with pytest.raises(EngineError, match="stopped"):
        processes.start("guard", ["true"], directory=tmp_path, log="log")
