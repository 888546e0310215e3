"""Programs that run beside a cluster while a test looks on."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

# So that what they run may be a module of these tests.
ROOT = Path(__file__).resolve().parents[1]
WAIT_SECONDS = 300
# Tasks that a load has finished before it goes on.
FINISHED = 200


class Beside:
    """A command that runs beside a cluster; one that a test leaves is ended."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    def lines(self) -> Iterator[str]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append(line)
            yield line.rstrip("\n")

    def wait_for(self, said: str) -> None:
        """Return when the command has printed a line; it must not end before."""
        for line in self.lines():
            if line == said:
                return
        raise AssertionError(f"it ended without {said!r}:\n{''.join(self.said)}")

    def tell(self, line: str = "go") -> None:
        """Write a line to the command."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def result(self, seconds: float = WAIT_SECONDS) -> Any:  # noqa: ANN401
        """Return what the last line says, as JSON, when the command has gone well."""
        out, _ = self._process.communicate(timeout=seconds)
        self.said.extend(out.splitlines(keepends=True))
        assert self._process.returncode == 0, "".join(self.said)
        return json.loads(self.said[-1])


class Load:
    """Data and tasks on a cluster, which `tests.hosts.load` puts there from beside it."""

    def __init__(self, program: Beside, before: int) -> None:
        """Take a program that has said `loaded`, and how many tasks there were then."""
        self._program = program
        self._before = before

    def found(self) -> dict[str, Any]:
        """Return what the program finds when all is done; every value has to be right."""
        self._program.tell()
        found: dict[str, Any] = self._program.result()
        values = {name: found[name] for name in ("scattered", "finished", "worked")}
        assert values == dict.fromkeys(values, True)
        # More than were there from the start: work went on meanwhile.
        assert found["tasks"] > self._before
        return found

    def check(self, reasons: Mapping[str, int]) -> None:
        """Nothing was lost or done twice, and so many workers were drained for these reasons."""
        found = self.found()
        assert found["again"] == []
        assert found["runs"] == {"1": found["tasks"]}, found
        counters = found["counters"]
        assert counters.pop("drained_workers") == reasons, counters
        # Of the rest only what was handed over: nobody died, nothing was lost or interrupted.
        assert counters.keys() == {"drained_keys", "drained_bytes"}, counters


@contextlib.contextmanager
def loads(beside: Callable[..., Beside]) -> Iterator[Callable[..., Load]]:
    """Yield what puts a load on a cluster, once it has so many workers.

    Args:
        beside: Starts a command beside the cluster.
    """
    with contextlib.ExitStack() as programs:

        def begin(workers: int, *, keys: int = 1_000, tasks: int = 10) -> Load:
            numbers = map(str, (workers, keys, tasks))
            words = ("python", "-m", "tests.hosts.load", *numbers)
            program = programs.enter_context(beside(*words))
            program.wait_for("loaded")
            return Load(program, FINISHED + tasks)

        yield begin


def children(pid: int) -> Iterator[int]:
    """Yield the processes below one, all the way down."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from children(int(child))
