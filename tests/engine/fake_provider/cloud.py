"""A cloud in a folder: one JSON file per thing, and a journal of every call that was made.

The journal is what the scenarios compare between the two engines. Each call is written twice, when
it starts and when it ends, with one write each, so that calls of several processes never mix and a
call that was cut short is still there to be seen.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Value: TypeAlias = Any
"""Whatever JSON can say."""

PATIENCE = 20.0
"""Seconds that a held call waits: far more than any test needs, far less than for ever."""


@dataclass(frozen=True)
class Call:
    """One call of a provider, as its journal tells it."""

    method: str
    name: str
    arguments: dict[str, Any]
    start: float
    end: float | None

    def overlaps(self, other: Call) -> bool:
        mine, theirs = self.end or float("inf"), other.end or float("inf")
        return self.start < theirs and other.start < mine

    def __str__(self) -> str:
        return f"{self.method} {self.name}".strip()


class Cloud:
    """The things that exist, and the journal of what was done to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._things = folder / "things"
        self._ids = folder / "ids"
        self._journal = folder / "journal.jsonl"
        for made in (self._things, self._ids):
            made.mkdir(parents=True, exist_ok=True)

    @classmethod
    def from_environment(cls) -> Cloud:
        return cls(Path(os.environ["FAKE_CLOUD"]))

    # Things

    def create(self, name: str, record: dict[str, Any]) -> str:
        """Add a thing; its id is its name and the number of times that the name was used."""
        for number in range(1, 1000):
            thing_id = f"{name}-{number}"
            with contextlib.suppress(FileExistsError):
                (self._ids / quote(thing_id, safe="")).touch(exist_ok=False)
                self.write(thing_id, record)
                return thing_id
        raise RuntimeError(f"too many things are called {name}")

    def next_id(self, name: str) -> str:
        number = 1
        while (self._ids / quote(f"{name}-{number}", safe="")).exists():
            number += 1
        return f"{name}-{number}"

    def write(self, thing_id: str, record: dict[str, Any]) -> None:
        path = self._path(thing_id)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(record, indent=1))
        part.replace(path)

    def read(self, thing_id: str) -> dict[str, Any] | None:
        try:
            record: dict[str, Any] = json.loads(self._path(thing_id).read_text())
        except FileNotFoundError:
            return None
        return record

    def delete(self, thing_id: str) -> None:
        self._path(thing_id).unlink(missing_ok=True)

    def edit(self, thing_id: str, **values: Value) -> None:
        """Change a thing behind the engine's back."""
        record = self.read(thing_id)
        assert record is not None, f"there is no {thing_id}"
        for part in ("inputs", "outputs"):
            record[part].update(values)
        self.write(thing_id, record)

    def ids(self) -> list[str]:
        return sorted(path.name.removesuffix(".json") for path in self._things.glob("*.json"))

    def _path(self, thing_id: str) -> Path:
        return self._things / f"{quote(thing_id, safe='')}.json"

    # Orders of a test to calls that are yet to come, as `Create a`

    def hold(self, call: str) -> None:
        """Let this call wait until it is released, or until its engine is gone or cancels it."""
        self._order("hold", call).touch()

    def refuse(self, call: str) -> None:
        """Let this call fail."""
        self._order("refuse", call).touch()

    def release(self) -> None:
        """Take all orders back."""
        for order in (self.folder / "orders").iterdir():
            order.unlink()

    def obey(self, call: str, *, cancelled: Callable[[], bool]) -> None:
        """Do what the test ordered for this call."""
        if self._order("refuse", call).exists():
            raise RuntimeError(f"the cloud refuses: {call}")
        end = time.monotonic() + PATIENCE
        while self._order("hold", call).exists():
            if cancelled():
                raise RuntimeError("cancelled")
            if time.monotonic() > end:
                raise RuntimeError("nobody released the call")
            time.sleep(0.01)

    def _order(self, kind: str, call: str) -> Path:
        folder = self.folder / "orders"
        folder.mkdir(exist_ok=True)
        return folder / f"{kind} {quote(call, safe='')}"

    def meet(self, name: str, count: int) -> None:
        """Wait until `count` calls are here at the same time: only parallel calls get through."""
        place = self.folder / "meeting"
        place.mkdir(exist_ok=True)
        (place / quote(name, safe="")).touch()
        end = time.monotonic() + PATIENCE
        while len(list(place.iterdir())) < count:
            if time.monotonic() > end:
                raise RuntimeError(f"{name} waited in vain for {count} calls at the same time")
            time.sleep(0.01)

    # The journal

    @contextlib.contextmanager
    def record(self, method: str, name: str, arguments: dict[str, Any]) -> Iterator[None]:
        key = uuid.uuid4().hex
        start = {"method": method, "name": name, "arguments": arguments}
        self._append({"key": key, "start": time.monotonic(), **start})
        try:
            yield
        finally:
            self._append({"key": key, "end": time.monotonic()})

    def calls(self, *, since: int = 0) -> list[Call]:
        """Every call in the order of their starts."""
        started: dict[str, dict[str, Any]] = {}
        for line in self._lines():
            started.setdefault(line["key"], {"end": None}).update(line)
        every = [
            Call(each["method"], each["name"], each["arguments"], each["start"], each["end"])
            for each in started.values()
        ]
        return every[since:]

    def _lines(self) -> list[dict[str, Any]]:
        if not self._journal.exists():
            return []
        return [json.loads(line) for line in self._journal.read_text().splitlines()]

    def _append(self, line: dict[str, Any]) -> None:
        data = (json.dumps(line) + "\n").encode()
        descriptor = os.open(self._journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)
