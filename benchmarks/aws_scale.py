"""How many calls to AWS any number of workers is, beside dask-cloudprovider's ``EC2Cluster``.

Usage: .venv/bin/python benchmarks/aws_scale.py [--sizes 1 10 100 1000 2000] [--peer 1 10 100]

Against an AWS on this machine that counts calls, for each size: ``up`` of a new stack, and then an
edit of ``workers`` to the next size with another ``up``. Then the calls of the fleet in the
scheduler (``dask_node.aws.fleet``), which starts and stops workers without Pulumi. The peer makes
the same numbers of workers through its own ``create_vm``, and ends them; uv installs it into an
environment of its own. Needs the ``.venv`` of ``make test``.

Exit code: 0; 1 if the calls that change something, or the resources, differ between sizes.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import sys
from collections import Counter
from typing import TYPE_CHECKING

from benchmarks.clusters import ROOT, machine, say, workplace
from benchmarks.ec2_peer import peer
from benchmarks.rehearsal import NAME, REGION, Calls, ScaleStack, account, by_operation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.ec2_peer import Peer
    from benchmarks.rehearsal import Up

FLEET_STARTS, FLEET_STOPS = 2000, 500
NOT_COMPARABLE = """\
Not comparable: `up` also makes and, before an edit, reads everything around the workers (network,
firewall, roles, certificates, scheduler, alarms); EC2Cluster's calls are its workers' alone, in a
default VPC, without its scheduler. Its security group `dask-default` was made for it: in an account
without one its own code fails (dask-cloudprovider#481). This AWS names a public address in the
answer to RunInstances, so that EC2Cluster never asks for it; AWS does not: one DescribeInstances
more for each worker, at least. Nothing boots here, and no seconds are EC2's. What hosts call
themselves is not counted: each worker of ours reads its archive, its certificate and a parameter
when it boots (4 calls), and completes a lifecycle action when it ends (1 call, and 1 for each
minute that it drains); those of EC2Cluster call nothing: all is in their user data."""


def main() -> int:
    """Measure, print the tables and return the exit code."""
    given = arguments()
    with workplace() as place:
        say(machine())
        fresh, edits = ours(place, given.sizes)
        fleet(place / "fleet")
        peers = peer(place / "peer", given.peer)
        exact = peer(place / "exact", given.peer, exact=True)
    say("")
    good = compare(fresh, edits, peers, exact)
    say(NOT_COMPARABLE)
    say(f"at the end: {machine()}")
    return 0 if good else 1


def ours(place: Path, sizes: list[int]) -> tuple[dict[int, Up], dict[tuple[int, int], Up]]:
    """Print and return what `up` does for each new size, and for each edit to the next one."""
    fresh: dict[int, Up] = {}
    edits: dict[tuple[int, int], Up] = {}
    say(f"\n{'':24}{'':10}{'calls:':>10}{'':20}{'seconds:':>10}")
    words = ("resources", "mutating", "reading", "all", "up")
    say(f"{'dask-cluster up':24}{''.join(f'{word:>10}' for word in words)}{'in service':>12}")
    for size, larger in itertools.zip_longest(sizes, sizes[1:]):
        with account(place / f"aws-{size}") as aws:
            stack = ScaleStack(place / f"stack-{size}", aws)
            fresh[size] = shown(f"new, workers: {size}", stack.up(workers=size))
            if larger is not None:
                edit = edits[size, larger] = stack.up(workers=larger)
                shown(f"workers: {size} -> {larger}", edit, edit.changed)
    say("resources: of a new stack, all; of an edit, those that change. in service: until the last")
    say("worker is, from the group's own step; `up` itself waits for the first worker of a group")
    by_service("new, mutating", {f"{size}": up.calls.mutating for size, up in fresh.items()})
    by_service("new, reading", {f"{size}": up.calls.reading for size, up in fresh.items()})
    names = {key: f"{key[0]} -> {key[1]}" for key in edits}
    by_service("edit, mutating", {names[key]: up.calls.mutating for key, up in edits.items()})
    by_service("edit, reading", {names[key]: up.calls.reading for key, up in edits.items()})
    return fresh, edits


def shown(title: str, up: Up, resources: int | None = None) -> Up:
    """Print a row of the table."""
    count = up.resources if resources is None else resources
    say(f"{title:24}{count:10}{up.calls}{up.seconds:10.1f}{up.in_service:12.1f}")
    return up


def by_service(title: str, found: Mapping[str, Counter[tuple[str, str]]]) -> None:
    """Print calls by service, once for sizes in which they are the same."""
    lines: dict[str, list[str]] = {}
    for size, calls in found.items():
        services: Counter[str] = Counter()
        for (service, _), count in calls.items():
            services[service] += count
        line = ", ".join(f"{service} {count}" for service, count in sorted(services.items()))
        lines.setdefault(line, []).append(size)
    for line, sizes in lines.items():
        say(f"{title}, for {'; '.join(sizes)}: {line}")


def fleet(folder: Path) -> None:
    """Print the calls of the scheduler's own fleet."""
    sys.path.insert(0, str(ROOT / "images" / "node"))  # a package of the hosts, not of the program
    from dask_node.aws.fleet import AwsFleet  # noqa: PLC0415

    say("\nthe scheduler's own fleet, without Pulumi")
    with account(folder / "aws") as aws:
        stack = ScaleStack(folder, aws)
        stack.up(workers=0, maxWorkers=FLEET_STARTS)
        scaler = AwsFleet(f"aws:{REGION}/{NAME}")
        aws.calls()
        asyncio.run(scaler.look())
        say(f"{'a look':24}{by_operation(aws.calls())}")
        asyncio.run(scaler.start("worker", FLEET_STARTS))
        say(f"{f'start 0 -> {FLEET_STARTS}':24}{by_operation(aws.calls())}")
        stack.in_service()
        places = asyncio.run(scaler.look()).places["worker"].running
        aws.calls()
        asyncio.run(scaler.stop("worker", sorted(places)[:FLEET_STOPS], "a benchmark"))
        say(f"{f'stop {FLEET_STOPS} of {len(places)}':24}{by_operation(aws.calls())}")


def compare(
    fresh: dict[int, Up],
    edits: dict[tuple[int, int], Up],
    peers: dict[int, Peer],
    exact: dict[int, Peer],
) -> bool:
    """Print what follows; return whether any size is the same resources and changes."""
    first, last = min(fresh), max(fresh)
    same = all(
        len({(up.resources, up.changed, *sorted(up.calls.mutating.items())) for up in ups}) <= 1
        for ups in (fresh.values(), edits.values())
    )
    say(f"the same mutating calls for {first} and {last} workers: {'yes' if same else 'no'}")
    say(f"reading calls that differ, new: {differing([*fresh.values()]) or 'none'}")
    say(f"reading calls that differ, edit: {differing([*edits.values()]) or 'none'}")
    made = {size: up.calls for size, up in fresh.items()}
    say("calls per further worker, by least squares:     mutating       all")
    slopes(f"dask-cluster up, {first} to {last}", made)
    rate = slopes(
        f"EC2Cluster, {min(peers)} to {max(peers)}", {n: p.made for n, p in peers.items()}
    )
    slopes("EC2Cluster, every id given", {n: p.made for n, p in exact.items()})
    for size in sorted(peers.keys() & fresh.keys()):
        say(f"{size} new workers, EC2Cluster / up: {ratios(peers[size].made, fresh[size].calls)}")
    for few, many in sorted(edits):
        if {few, many} <= peers.keys():
            more = Calls(peers[many].made.counts - peers[few].made.counts)
            say(f"{few} -> {many} workers, EC2Cluster / up: {ratios(more, edits[few, many].calls)}")
    say(f"{last} workers with EC2Cluster, by its slope and not measured: {rate * last:,.0f} calls")
    return same


def differing(ups: list[Up]) -> str:
    """Name the reading calls whose numbers differ, with the smallest and the largest number."""
    names = {key for up in ups for key in up.calls.reading}
    found = {name: sorted({up.calls.reading[name] for up in ups}) for name in sorted(names)}
    ranges = {name: counts for name, counts in found.items() if len(counts) > 1}
    return ", ".join(f"{name[1]} {n[0]} to {n[-1]}" for name, n in ranges.items())


def slopes(title: str, found: Mapping[int, Calls]) -> float:
    """Print calls per further worker; return those of all kinds."""
    if len(found) < 2:  # noqa: PLR2004
        raise SystemExit("a slope needs two sizes: give more to --sizes or --peer")
    sizes = list(found)
    mutating, every = (
        statistics.linear_regression(sizes, counts).slope
        for counts in (
            [calls.mutating.total() for calls in found.values()],
            [calls.counts.total() for calls in found.values()],
        )
    )
    # Adding 0.0 takes the sign from -0.0.
    say(f"{title:42}{round(mutating, 3) + 0.0:14.3f}{round(every, 3) + 0.0:10.3f}")
    return every


def ratios(theirs: Calls, mine: Calls) -> str:
    """Return how many times as many calls theirs are."""
    pairs = {"mutating": (theirs.mutating, mine.mutating), "all": (theirs.counts, mine.counts)}
    return ", ".join(
        f"{name} {one.total()} / {other.total()} = {one.total() / other.total():.1f}"
        for name, (one, other) in pairs.items()
    )


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    sizes = [1, 10, 100, 1000, 2000]
    parser.add_argument("--sizes", type=int, nargs="+", default=sizes, help="of the stack")
    parser.add_argument("--peer", type=int, nargs="+", default=[1, 10, 100], help="of EC2Cluster")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
