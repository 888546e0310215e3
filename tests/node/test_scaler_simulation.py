"""A thousand looks at fleets that fail, dawdle and are edited: the limit holds all the time."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.node.scaling import group
from tests.node.simulation import FakeFleet, Task

if TYPE_CHECKING:
    from dask_node.fleet import Group

STEPS = 1000
SECONDS = 5.0  # between two looks
FIXED = "big"


class World:
    """Everything around the scaler, by the dice."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311  # the same dice each time
        self.fleet = FakeFleet(
            group("worker", 1, 6, processes=2),
            group("gpu", 0, 4, resources={"GPU": 1}),
            group(FIXED, 2, resources={"BIG": 1}),
            group("spare", 2, 3, threads=4, resources={"GPU": 2}),
            interval=SECONDS,
        )
        self.fleet.running[FIXED] = {"big-0", "big-1"}
        self.dead: set[str] = set()  # places that will never register
        self.happened: Counter[str] = Counter()

    def live(self, *, calm: bool) -> None:
        """Let one step of time pass; a calm world has no new work and no new fault."""
        self._change_places(calm=calm)
        self._work(calm=calm)
        if calm:
            self.fleet.scheduler.queued.clear()
            self.fleet.scheduler.unrunnable.clear()
        else:
            self._ask()
            self._edit()

    def chance(self, probability: float) -> bool:
        return self.dice.random() < probability

    def _change_places(self, *, calm: bool) -> None:
        fleet = self.fleet
        for name in fleet.groups:
            for place in fleet.pending(name):
                if place in self.dead or name == FIXED:
                    continue
                if not calm and self.chance(0.05):
                    self.dead.add(place)
                    self.happened["never registers"] += 1
                elif not calm and self.chance(0.15):
                    fleet.fail(name, place)
                    self.happened["failed"] += 1
                elif self.chance(0.3):
                    fleet.register(name, place)
                    self.happened["registered"] += 1
            for place in sorted(fleet.stopping[name]):
                if self.chance(0.1):
                    for task in fleet.end(name, place):
                        self._wait(task)
                    self.happened["ended"] += 1

    def _work(self, *, calm: bool) -> None:
        scheduler = self.fleet.scheduler
        for name, worker in sorted(scheduler.workers.items()):
            for task in sorted(worker.processing, key=id):
                if calm or self.chance(0.3):
                    worker.processing.remove(task)
                    worker.has_what.add(task)
            worker.has_what = {t for t in worker.has_what if not calm and self.chance(0.8)}
            self._take(name.partition("-")[0], worker.processing)

    def _take(self, name: str, processing: set[Task]) -> None:
        scheduler = self.fleet.scheduler
        mine = [t for t in (*scheduler.queued, *scheduler.unrunnable) if t.group == name]
        for task in mine[: max(0, 5 - len(processing))]:
            processing.add(task)
            scheduler.unrunnable.pop(task, None)
            if task in scheduler.queued:
                scheduler.queued.remove(task)

    def _wait(self, task: Task) -> None:
        scheduler = self.fleet.scheduler
        if task.resource_restrictions:
            scheduler.unrunnable[task] = 0.0
        else:
            scheduler.queued.append(task)

    def _ask(self) -> None:
        if self.chance(0.1):
            name = self.dice.choice(["worker", "worker", "gpu", "spare"])
            self.fleet.scheduler.ask(self.fleet.groups[name], self.dice.randrange(60))

    def _edit(self) -> None:
        if self.chance(0.04):
            name = self.dice.choice(["worker", "gpu", "spare"])
            least = self.dice.randrange(3)
            most = least + self.dice.randrange(8)
            edited = replace(self.fleet.groups[name], workers=least, max_workers=most)
            self.fleet.groups[name] = edited
            self.happened["edited"] += 1

    def there(self, name: str) -> int:
        return len(self.fleet.running[name]) + len(self.fleet.stopping[name])


def limits(groups: dict[str, Group]) -> dict[str, int]:
    return {name: facts.limit for name, facts in groups.items()}


@pytest.mark.parametrize("seed", range(4))
def test_the_limit_holds_whatever_happens(seed: int) -> None:
    world = World(seed)
    fleet = world.fleet
    for step in range(STEPS):
        world.live(calm=False)
        before = {name: world.there(name) for name in fleet.groups}
        calls = fleet.tick(step * SECONDS)
        world.happened.update(what for what, *_ in calls)
        assert len(calls) <= 1
        for name, most in limits(fleet.groups).items():
            # Above a limit that was lowered from outside nothing is added.
            assert world.there(name) <= max(most, before[name])
    assert all(
        world.happened[what] > 10
        for what in ("start", "stop", "registered", "ended", "failed", "edited")
    ), world.happened
    assert world.happened["never registers"] > 5
    for step in range(STEPS, 2 * STEPS):
        world.live(calm=True)
        fleet.tick(step * SECONDS)
    assert {name: len(places) for name, places in fleet.running.items()} == {
        name: facts.workers for name, facts in fleet.groups.items()
    }
    assert fleet.stopping == {name: set() for name in fleet.groups}
    assert FIXED not in {name for _, name, _ in fleet.calls}
