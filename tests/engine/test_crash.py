"""Engines that are killed, interrupted, or run twice at once."""

from __future__ import annotations

import os
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.engine.conftest import marked

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.engine.programs import World

PROGRAM = """
a = Thing("a", value={value})
b = Thing("b", value={value}, inside=a.handle)
c = Thing("c", value={value}, inside=b.handle)
"""


def eventually(condition: Callable[[], bool], what: str, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(30)


def release_lock(world: World) -> None:
    """The CLI keeps the lock of a dead process until someone takes it away."""
    for lock in world.home.rglob(".pulumi/locks/**/*.json"):
        lock.unlink()


def test_killed_during_a_create(world: World, mark: str) -> None:
    world.cloud.hold("Create b")
    world.program(PROGRAM.format(value=1))
    process = world.start("up")
    world.wait_for("Create", "b")
    kill(process)
    if type(world.backend).__name__ == "Embedded":
        # The CLI leaves this to its plugins; ours promises it.
        eventually(lambda: not marked(mark), "the program or a plugin outlived its engine")
    release_lock(world)
    assert world.names() == ["a"]
    assert world.pending() == [("creating", "b")]
    assert world.cloud.ids() == ["a-1"]

    world.cloud.release()
    run = world.up()
    assert run.ok, run
    assert "b, interrupted while creating" in run.messages
    assert run.cloud_calls == ["Create b", "Create c"]
    gone = world.destroy()
    assert gone.ok, gone
    assert world.cloud.ids() == []
    assert world.names() == []


@pytest.mark.parametrize(
    ("call", "operation", "left"),
    [
        ("Update b", "updating", ["a", "b", "c"]),
        ("Delete b", "deleting", ["a", "b"]),
    ],
)
def test_killed_during_other_calls(
    world: World, mark: str, call: str, operation: str, left: list[str]
) -> None:
    world.good_up(PROGRAM.format(value=1))
    world.cloud.hold(call)
    world.program(PROGRAM.format(value=2))
    verb = "up" if operation == "updating" else "destroy"
    process = world.start(verb)
    world.wait_for(call.split(maxsplit=1)[0], "b")
    kill(process)
    if type(world.backend).__name__ == "Embedded":
        eventually(lambda: not marked(mark), "a process outlived its engine")
    release_lock(world)
    assert world.names() == left
    assert world.pending() == [(operation, "b")]
    assert world.resource("b")["inputs"]["value"] == 1

    world.cloud.release()
    run = world.up()
    assert run.ok, run
    assert "b, interrupted while" in run.messages
    assert [world.resource(name)["inputs"]["value"] for name in "abc"] == [2, 2, 2]
    assert world.destroy().ok
    assert world.cloud.ids() == []


def test_killed_between_the_halves_of_a_replacement(world: World) -> None:
    """The new one exists, the old one is marked for deletion, and the next update deletes it."""
    program = 'a = Thing("a", replaceMe={value})\nb = Thing("b", value=a.handle)'
    world.good_up(program.format(value=1))
    world.program(program.format(value=2))
    world.cloud.hold("Update b")
    process = world.start("up")
    world.wait_for("Update", "b")
    kill(process)
    release_lock(world)
    assert world.cloud.ids() == ["a-1", "a-2", "b-1"]
    world.cloud.release()
    run = world.up()
    assert run.ok, run
    assert run.cloud_calls == ["Update b", "Delete a"]
    assert run.arguments("Delete", "a")["id"] == "a-1"
    assert world.cloud.ids() == ["a-2", "b-1"]


def test_interrupted_once(world: World, mark: str) -> None:
    """Ctrl-C: the providers are told, what was done is saved, and nothing stays pending."""
    world.cloud.hold("Create b")
    world.program(PROGRAM.format(value=1))
    process = world.start("up")
    world.wait_for("Create", "b")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    eventually(lambda: not marked(mark), "a process outlived its engine")
    assert "Cancel" in [call.method for call in world.cloud.calls()]
    assert [str(call) for call in world.cloud.calls() if call.name == "c"] == []
    assert world.names() == ["a"]
    assert world.pending() == []
    world.cloud.release()
    assert world.up().cloud_calls == ["Create b", "Create c"]


def test_two_updates_at_once(world: World) -> None:
    """The second one waits for the first, or is refused and names the process that it met."""
    world.cloud.hold("Create a")
    world.program('Thing("a", value=1)')
    first = world.start("up", log="first")
    world.wait_for("Create", "a")
    second = world.start("up", log="second")
    end = time.monotonic() + 3
    while second.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    refused = second.poll() is not None
    world.cloud.release()
    assert first.wait(30) == 0, world.log("first")
    if refused:
        assert second.returncode != 0
        assert re.search(rf"\b{first.pid}\b", world.log("second"))
    else:
        assert second.wait(30) == 0, world.log("second")
    assert world.cloud.ids() == ["a-1"]
    assert world.up().changes == {"same": 2}


def test_a_lock_that_is_not_given_back(
    embedded_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = embedded_world
    monkeypatch.setattr("engine.lock.WAIT_SECONDS", 0.2)
    world.cloud.hold("Create a")
    world.program('Thing("a", value=1)')
    process = world.start("up")
    world.wait_for("Create", "a")
    run = world.up()
    assert not run.ok
    assert re.search(rf"\b{process.pid}\b", run.messages)
    # Reading is always allowed.
    assert world.names() == []
    kill(process)
    world.cloud.release()
    assert world.up().ok


def test_many_kills(embedded_world: World, mark: str) -> None:
    """Killed wherever it happens to be, the state can always be read and always be destroyed."""
    world = embedded_world
    world.program("for name in 'abcdefgh': Thing(name, value=1)")
    for delay in (0.1, 0.5, 0.8, 0.9, 1.0, 1.2):
        process = world.start("up")
        time.sleep(delay)
        kill(process)
        eventually(lambda: not marked(mark), "a process outlived its engine")
        state = world.names() if world.backend.state_folder().joinpath("state").exists() else []
        assert set(state) <= set("abcdefgh")
        missing = len(world.cloud.ids()) - len(state)
        assert missing <= len(world.pending() if state else []) or not state
    assert world.up().ok
    assert world.destroy().ok
    assert os.getpid() not in [each.pid for each in marked(mark)]
