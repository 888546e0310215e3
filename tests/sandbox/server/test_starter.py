"""Starting, finding and ending the server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from sandbox.aws import server

ROOT = Path(__file__).resolve().parents[3]


def test_a_folder_has_one_server(tmp_path: Path) -> None:
    folder = tmp_path / "aws"
    found: list[server.Server] = []
    starters = [threading.Thread(target=lambda: found.append(server.start(folder))) for _ in "ab"]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert found[0] == found[1] == server.find(folder)
    assert server.contents(found[0].endpoint) == []
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "server.json").stat().st_mode & 0o777 == 0o600
    known = json.loads((folder / "server.json").read_text())
    assert set(known) == {"pid", "port", "started"}
    for wrong in ({"started": known["started"] - 1}, {"pid": os.getpid()}):
        (folder / "server.json").write_text(json.dumps(known | wrong))
        assert server.find(folder) is None
    (folder / "server.json").write_text(json.dumps(known))
    assert server.stop(folder)
    assert not psutil.pid_exists(found[0].pid)
    assert not (folder / "server.json").exists()
    assert not server.stop(folder)


def test_another_process_of_that_pid_is_not_the_server(tmp_path: Path) -> None:
    mine = psutil.Process()
    for started in (mine.create_time() - 1, mine.create_time()):
        known = {"pid": os.getpid(), "port": 9, "started": started}
        (tmp_path / "server.json").write_text(json.dumps(known))
        assert server.find(tmp_path) is None
        assert not server.stop(tmp_path)


def test_a_server_that_cannot_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(server.ServerError, match="did not start"):
        server.start(tmp_path / "aws")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--host", "0.0.0.0"], "loopback only"), (["--speed", "0"], "a number above 0")],  # noqa: S104
)
def test_arguments_that_are_refused(tmp_path: Path, arguments: list[str], words: str) -> None:
    command = [sys.executable, "-m", "sandbox.aws.server", "--folder", str(tmp_path), *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert words in ended.stderr
