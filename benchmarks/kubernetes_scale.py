"""How many objects and writes any number of workers is, beside dask-kubernetes' operator.

Usage, as root: .venv/bin/python benchmarks/kubernetes_scale.py [--sizes 1 10 100 1000]
    [--peer 1 10 100 1000] [--keys 1000]

A Kubernetes of its own on this machine, whose API server counts what each client calls: `up` of a
new stack and an edit of `workers`, and the same numbers of workers of a ``DaskCluster``, whose
operator uv installs into an environment of its own. The pods are on nodes that only look so.

Before that, real pods: how many scattered keys are lost when 4 workers become 2, with `up`, and
with `kubectl scale` of a Deployment as that of Dask's chart for Helm.

Exit code: 0; 1 if the objects or writes of ours differ between sizes, or ours lost a key.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import kubernetes_keys as keys
from benchmarks import kubernetes_operator as peer
from benchmarks.clusters import machine, say, workplace
from benchmarks.kubernetes_here import KINDS, NO_IMAGE, WORKER, Calls, Here, Ours, here

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.kubernetes_operator import Operator

FEW, MANY = 10, 100  # the edit
NOT_COMPARABLE = """\
Not comparable: ours makes also what is around the workers (certificates, network policies, roles,
disruption budgets, configuration), over TLS; a DaskCluster is a scheduler, a Service and workers.
What `up` calls is called by our stand-in for Pulumi's provider, by the same protocol; its dry runs
are listed by themselves. What the controllers of Kubernetes write for pods is in neither; they make
a ReplicaSet for each Deployment. Nothing runs in these pods, and seconds are this machine's."""


@dataclass(frozen=True)
class Made:
    """What one change did.

    Attributes:
        objects: How many there are now, made by the client or the operator.
        sets: ReplicaSets that Kubernetes made of them.
        calls: Of the client and the operator.
        seconds: Until the last pod ran.
    """

    objects: int
    sets: int
    calls: Calls
    seconds: float


def main() -> int:
    """Measure, print the tables and return the exit code."""
    given = arguments()
    if os.geteuid() != 0:
        raise SystemExit("the Kubernetes is root's: run this with sudo")
    with workplace() as place, here(place) as there:
        say(machine())
        kept = lost(there, given.keys) if given.keys else True
        pods = sum(size + 1 for size in {*given.sizes, *given.peer, MANY})
        with there.pretended(2 * pods), peer.operator(there) as operator:
            say(f"\n{operator.versions}")
            words = ("objects", "sets", "writes", "events", "dry", "reads", "seconds")
            say(f"{'':30}{''.join(f'{word:>8}' for word in words)}")
            fresh, edit = ours(there, given.sizes)
            theirs, their_edit = others(there, operator, given.peer)
    say("objects: made by the client or the operator; sets: ReplicaSets made of them;")
    say("writes: that change an object; dry: that only ask; seconds: until the last pod ran\n")
    same = compare(fresh, theirs)
    ratio("edit 10 -> 100", their_edit, edit)
    say(NOT_COMPARABLE)
    say(f"at the end: {machine()}")
    return 0 if kept and same else 1


def lost(there: Here, count: int) -> bool:
    """Print what becomes of scattered keys; return whether ours kept them all."""
    mine, image = keys.ours(there, count)
    chart = keys.chart(there, count, image)
    say(f"\n{keys.BEFORE} workers become {keys.AFTER}, {count} scattered keys")
    say(f"{'':30}{'lost':>8}{'wrong':>8}{'seconds':>10}")
    for title, found in (("up", mine), ("chart's Deployment", chart)):
        say(f"{title:30}{found.lost:8}{found.wrong:8}{found.seconds:10.1f}")
    return mine.lost == mine.wrong == 0


def ours(there: Here, sizes: list[int]) -> tuple[dict[int, Made], Made]:
    """Print and return what `up` of new stacks does, and of an edit."""
    fresh: dict[int, Made] = {}

    def up(stack: Ours, size: int) -> float:
        stack.up(workers=size)
        there.running(f"{stack.selector},{WORKER}", size)
        return time.monotonic()

    def row(title: str, stack: Ours, size: int) -> Made:
        return measured(there, "ours", title, KINDS, stack.selector, lambda: up(stack, size))

    for size in sizes:
        stack = Ours(there, f"scale-{size}", image=NO_IMAGE)
        fresh[size] = row(f"up, new, workers: {size}", stack, size)
        stack.end()
    stack = Ours(there, "edit", image=NO_IMAGE)
    up(stack, FEW)
    edit = row(f"up, workers: {FEW} -> {MANY}", stack, MANY)
    stack.end()
    return fresh, edit


def others(there: Here, operator: Operator, sizes: list[int]) -> tuple[dict[int, Made], Made]:
    """Print and return what the operator does for new clusters, and for a new number."""
    fresh: dict[int, Made] = {}

    def row(title: str, name: str, change: Callable[[str, int], None], size: int) -> Made:
        def run() -> float:
            change(name, size)
            return operator.settled(name, size)

        return measured(there, "operator", title, peer.KINDS, operator.selector(name), run)

    operator.make("edit", FEW)
    operator.settled("edit", FEW)
    edit = row(f"operator, replicas: {FEW} -> {MANY}", "edit", operator.scale, MANY)
    operator.end("edit")
    for size in sizes:
        name = f"peer-{size}"
        fresh[size] = row(f"operator, new, workers: {size}", name, operator.make, size)
        if size != sizes[-1]:  # all ends with it
            operator.end(name)
    return fresh, edit


def measured(
    there: Here,
    user: str,
    title: str,
    kinds: str,
    selector: str,
    change: Callable[[], float],
) -> Made:
    """Make a change, which returns when it was done; print a row of the table."""
    before, start = there.calls(user), time.monotonic()
    done = change()
    calls = there.calls(user) - before
    sets = len(there.names("replicasets", selector))
    made = Made(len(there.names(kinds, selector)), sets, calls, done - start)
    say(f"{title:30}{made.objects:8}{made.sets:8}{calls}{made.seconds:8.1f}")
    return made


def compare(fresh: Mapping[int, Made], theirs: Mapping[int, Made]) -> bool:
    """Print what follows; return whether any size of ours is the same objects and writes."""
    same = len({(made.objects, made.sets, made.calls.writes) for made in fresh.values()}) == 1
    say(f"ours, the same objects and writes for each size: {'yes' if same else 'no'}")
    for title, found in (("up", fresh), ("operator", theirs)):
        if len(found) > 1:
            say(f"{title}, for each further worker: {slope(found)}")
    for size in sorted(fresh.keys() & theirs.keys()):
        ratio(f"{size} new workers", theirs[size], fresh[size])
    return same


def slope(found: Mapping[int, Made]) -> str:
    """Return what a worker more is, by least squares."""
    numbers: dict[str, list[float]] = {
        "objects": [made.objects for made in found.values()],
        "writes": [made.calls.writes for made in found.values()],
        "events": [made.calls.events for made in found.values()],
        "seconds": [made.seconds for made in found.values()],
    }
    # Adding 0.0 takes the sign from -0.0.
    return ", ".join(
        f"{name} {round(statistics.linear_regression([*found], many).slope, 3) + 0.0:.3f}"
        for name, many in numbers.items()
    )


def ratio(title: str, theirs: Made, mine: Made) -> None:
    """Print how many times as many theirs are."""
    pairs = {
        "objects": (theirs.objects, mine.objects),
        "writes": (theirs.calls.writes, mine.calls.writes),
    }
    said = ", ".join(f"{name} {a} / {b} = {a / b:.2f}" for name, (a, b) in pairs.items())
    say(f"{title}, operator / up: {said}")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    sizes = [1, 10, 100, 1000]
    parser.add_argument("--sizes", type=int, nargs="+", default=sizes, help="of the stack")
    parser.add_argument("--peer", type=int, nargs="+", default=sizes, help="of the operator")
    parser.add_argument("--keys", type=int, default=1000, help="scattered; 0: none")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
