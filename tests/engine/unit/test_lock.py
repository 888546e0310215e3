import multiprocessing
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from engine import lock as module
from engine.errors import EngineError
from engine.lock import Lock


def quiet(_message: str) -> None:
    pass


def test_a_held_lock_is_waited_for_and_then_names_its_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.3)
    monkeypatch.setattr(module, "_QUIET_SECONDS", 0.1)
    said: list[str] = []
    path = tmp_path / "lock"
    with Lock(path, waiting=quiet):
        with (
            pytest.raises(EngineError, match=f"process {os.getpid()}"),
            Lock(path, waiting=said.append),
        ):
            pass
        assert len(said) == 1
        assert f"process {os.getpid()}" in said[0]
    with Lock(path, waiting=quiet):
        pass


def test_a_lock_whose_folder_was_removed_is_taken_anew(tmp_path: Path) -> None:
    path = tmp_path / "stack" / "lock"
    taken = threading.Event()

    def second() -> None:
        with Lock(path, waiting=quiet):
            taken.set()

    with Lock(path, waiting=quiet):
        waiter = threading.Thread(target=second)
        waiter.start()
        time.sleep(0.2)
        shutil.rmtree(path.parent)
    waiter.join(5)
    assert taken.is_set()
    assert path.exists()


def _hold(path: Path, held: "multiprocessing.synchronize.Event") -> None:
    with Lock(path, waiting=quiet):
        held.set()
        time.sleep(60)


def test_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path / "lock", held))
    holder.start()
    assert held.wait(30)
    holder.kill()
    holder.join()
    with Lock(tmp_path / "lock", waiting=quiet):
        pass
