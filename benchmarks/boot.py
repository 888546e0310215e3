"""How long a worker's host works from the first line of its boot until it has registered.

Usage: .venv/bin/python benchmarks/boot.py [--rounds 5] [--peer-only], as root

A stack is rehearsed with hosts: containers of this machine that boot what EC2 would be given. One
worker at a time joins a scheduler that is there, in turns: with an environment that it installs
itself, from the network; and with one that is in its root already, while everything that it sends
out of its VPC is dropped and counted. The clock starts with the first line of its user data and
stops with the scheduler's line about it. What AWS needs to launch an instance, and the kernel to
start, comes on top. Beside it stands what the boot of dask-cloudprovider's ``EC2Cluster`` would
fetch, read from its own template and not measured: there is no Docker Hub here to fetch from.

Needs root, Docker, nftables, mmdebstrap and the ``.venv`` of ``make test``. Everything is ended,
also on Ctrl-C.

Exit code: 0; 1 if the median with a built environment is above 15 s, or a packet would have left.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.clusters import ROOT, machine, say, undisturbed, until, workplace
from benchmarks.ec2_peer import peer_python
from benchmarks.rehearsal import Account
from engine import Project, Stack
from operations.rehearse_aws import surroundings
from sandbox.aws import server
from sandbox.hosts import ground
from sandbox.hosts.errors import HostsError
from sandbox.hosts.host import BOOT_LOG

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME, REGION, GROUP = "boot", "us-east-1", "worker"
GOAL_SECONDS = 15.0
LOOK_SECONDS = 0.01
PATIENCE = 600.0
TABLE = "dask_cluster_benchmark_boot"
REGISTERED = "registered"
INSTALLED, BUILT = "installed at boot", "in the root, no network"

# Prints what the boot of EC2Cluster's instances does, of the package itself.
PEER = """
import importlib.metadata, json, pathlib, dask_cloudprovider, yaml
folder = pathlib.Path(dask_cloudprovider.__file__).parent
template = (folder / "generic" / "cloud-init.yaml.j2").read_text()
ec2 = yaml.safe_load((folder / "cloudprovider.yaml").read_text())["cloudprovider"]["ec2"]
version = importlib.metadata.version("dask-cloudprovider")
print(json.dumps([version, template, ec2["docker_image"], ec2["bootstrap"]]))
"""


@dataclass(frozen=True)
class Boot:
    """One boot.

    Attributes:
        steps: When each step was first seen in the boot's log, in seconds from its first line, in
            order; the last one is its registration.
        before: Seconds from the container's start to the first line: of systemd and cloud-init.
        sent: Bytes that it sent out of its VPC.
        received: Bytes that it got from there.
        dropped: Packets that were kept from leaving.
    """

    steps: dict[str, float]
    before: float
    sent: int
    received: int
    dropped: int

    @property
    def seconds(self) -> float:
        """From the first line to the registration."""
        return self.steps[REGISTERED]

    def each(self) -> dict[str, float]:
        """Return how long each step lasted until the next one began."""
        moments = itertools.pairwise(self.steps.items())
        return {name: later - moment for (name, moment), (_, later) in moments}


def main() -> int:
    """Measure, print the tables and return the exit code."""
    given = arguments()
    found: dict[str, list[Boot]] = {INSTALLED: [], BUILT: []}
    good = True
    if not given.peer_only:
        with workplace() as place, cluster(place) as running:
            say(f"{machine()}, {given.rounds} rounds, one worker at a time")
            say(
                f"{'environment':26}{'seconds':>9}{'before':>9}{'MB in':>9}{'KB out':>9}{'kept':>7}"
            )
            for _ in range(given.rounds):
                for title, boots in found.items():
                    boots.append(shown(title, running.boot(built=title == BUILT)))
        good = compare(found)
    peer()
    say(f"at the end: {machine()}")
    return 0 if good else 1


def shown(title: str, boot: Boot) -> Boot:
    """Print a row of the table."""
    numbers = f"{boot.seconds:9.2f}{boot.before:9.2f}{boot.received / 1e6:9.1f}"
    say(f"{title:26}{numbers}{boot.sent / 1e3:9.1f}{boot.dropped:7}")
    return boot


def compare(found: dict[str, list[Boot]]) -> bool:
    """Print where the time goes and what follows; return whether the goal is reached."""
    say("seconds: from the first line of the user data until the scheduler registers the worker;")
    say("before: systemd and cloud-init; kept: packets that were kept from leaving the VPC\n")
    each = {title: [boot.each() for boot in boots] for title, boots in found.items()}
    say(f"{'seconds of a step, median':26}{'installed':>12}{'in the root':>12}")
    names = dict.fromkeys(name for boots in each.values() for boot in boots for name in boot)
    for name in names:
        cells = [
            statistics.median(boot.get(name, 0.0) for boot in boots) for boots in each.values()
        ]
        say(f"  {name:24}{cells[0]:12.2f}{cells[1]:12.2f}")
    say("the last one goes on beside: it is how long the worker's process needs until registered")
    medians = {}
    say(f"\n{'':26}{'median':>9}{'least':>9}{'most':>9}")
    for title, boots in found.items():
        seconds = [boot.seconds for boot in boots]
        medians[title] = statistics.median(seconds)
        say(f"{title:26}{medians[title]:9.2f}{min(seconds):9.2f}{max(seconds):9.2f}")
    say(f"ratio of the medians {medians[INSTALLED] / medians[BUILT]:.1f}")
    fast = medians[BUILT] <= GOAL_SECONDS
    quiet = all(boot.sent == boot.received == boot.dropped == 0 for boot in found[BUILT])
    say(f"in the root, at most {GOAL_SECONDS:g} s: {'yes' if fast else 'no'}")
    say(f"in the root, not a packet left or would have left: {'yes' if quiet else 'no'}")
    return fast and quiet


def peer() -> None:
    """Print what the boot of an instance of EC2Cluster fetches, by its own template."""
    words = [*peer_python(), "-c", PEER]
    said = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
    version, template, image, bootstrap = json.loads(said)
    # For an instance without a GPU.
    driver = r"\{% if bootstrap and gpu_instance %\}.*?\{% endif %\}"
    text = re.sub(driver, "", template, flags=re.DOTALL)
    (listed,) = re.findall(r"^packages:\n((?:  - .*\n)+)", text, re.MULTILINE)
    packages = re.findall(r"  - (\S+)", listed)
    installed = [
        name for line in re.findall(r"apt-get install -y (.*)", text) for name in line.split()
    ]
    indexes = len(re.findall(r"apt-get update", text)) + 1  # cloud-init's own, before packages
    say(
        f"\nEC2Cluster of dask-cloudprovider {version} at each boot of an instance, by its template"
    )
    say(f"(bootstrap: {str(bootstrap).lower()}), as counts; bytes and seconds are not measured:")
    say(f"  {len(packages)} packages of Ubuntu by cloud-init: {', '.join(packages)}")
    say(f"  {len(installed)} packages of Docker's own registry: {', '.join(installed)}")
    say("  and whatever these depend on")
    say(f"  {indexes} times the indexes of packages, {text.count('gpg | apt-key add')} key")
    say(f"  1 image of Docker Hub, with all of its layers: {image}")


class Cluster:
    """A rehearsed stack with hosts: a scheduler, and one worker now and then."""

    def __init__(self, folder: Path, running: server.Server) -> None:
        """Bring it up.

        Args:
            folder: What it keeps.
            running: Its AWS.

        Raises:
            SystemExit: It does not come up.
        """
        self.folder = folder
        self.aws = Account(running.endpoint)
        self.range = free_range()
        stacks = folder / "stacks"
        stacks.mkdir()
        config = {
            "platform": "vm",
            "region": REGION,
            "vpc": {"zones": [f"{REGION}a"], "cidr": self.range},
            "instanceTypes": ["m7i.large"],
            "workers": 0,
            "startTimeout": "20 minutes",
        }
        (stacks / f"Pulumi.{NAME}.yaml").write_text(json.dumps({"config": config}))  # JSON is YAML
        project = dataclasses.replace(Project.load(ROOT), stack_directory=stacks)
        result = Stack(project, NAME, home=folder).up()
        if not result.ok:
            raise SystemExit("\n".join(each.message for each in result.diagnostics))
        (scheduler,) = self.rows()
        self._scheduler_log = Path(scheduler["logs"]) / "dask" / "dask.log"

    def rows(self) -> list[dict[str, Any]]:
        """Return the hosts that there are."""
        rows: list[dict[str, Any]] = self.aws.ask("GET", "hosts")["hosts"]
        return [row for row in rows if row["state"] != "ended"]

    def boot(self, *, built: bool) -> Boot:
        """Let one worker come and go.

        Args:
            built: Whether the environment is in its root, and it has no network.
        """
        self.aws.ask("POST", "hosts", {"start": {"group": GROUP, "how": {"built": built}}})
        with counted(self.range, drop=built) as counts:
            self._size(1)
            row = self._worker()
            steps, before = self._watch(Path(row["logs"]), row["instance"], float(row["seconds"]))
            # What comes after it has registered is its boot's, too.
            until(lambda: self._state(row["instance"]) == "up", "the end of the boot")
            numbers = counts()
        self._size(0)
        until(lambda: len(self.rows()) == 1, "the worker to end")
        return Boot(steps, before, *numbers)

    def _worker(self) -> dict[str, Any]:
        """Return the worker when its container has just started."""
        found: list[dict[str, Any]] = []

        def started() -> bool:
            found[:] = [
                row for row in self.rows() if row["group"] == GROUP and row["state"] == "booting"
            ]
            return bool(found)

        until(started, "a worker's container")
        return found[0]

    def _watch(self, logs: Path, instance: str, since: float) -> tuple[dict[str, float], float]:
        """Follow a boot by its log; return when its steps began, and what was before the first.

        Args:
            logs: Its /var/log.
            instance: Its id, in the name of its worker.
            since: Seconds since its container has started.
        """
        began = time.monotonic() - since
        first, moments = 0.0, dict[str, float]()
        # The scheduler may have been there for long.
        seen = self._scheduler_log.stat().st_size
        name = re.compile(rf"Register worker.*{instance}|{instance}.*Register".encode())
        until_when = time.monotonic() + PATIENCE
        while REGISTERED not in moments:
            now = time.monotonic()
            if now > until_when:
                raise SystemExit(f"{instance} does not register:\n{_text(logs / BOOT_LOG)[-2000:]}")
            for line in _text(logs / BOOT_LOG).splitlines():
                if line.startswith("== ") and line[3:] not in moments:
                    first = first or now
                    moments[line[3:]] = now - first
                if line.startswith("!! "):
                    raise SystemExit(f"{instance} does not boot: {line[3:]}")
            with self._scheduler_log.open("rb") as file:
                file.seek(seen)
                if name.search(file.read()):
                    moments[REGISTERED] = now - first
            time.sleep(LOOK_SECONDS)
        return moments, first - began

    def _state(self, instance: str) -> str:
        return str(next(row["state"] for row in self.rows() if row["instance"] == instance))

    def _size(self, workers: int) -> None:
        """Set the group's size, as a scaler would: no `up` is part of what is measured."""
        self.aws.client("autoscaling").update_auto_scaling_group(
            AutoScalingGroupName=f"dask-cluster-{NAME}-{GROUP}",
            MaxSize=workers,
            DesiredCapacity=workers,
        )


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Run a rehearsal with hosts; this process and its children know no other AWS."""
    place = folder / "aws"
    try:
        running = server.start(place, instances="hosts", cache=ROOT / ".cache" / "hosts", say=say)
        inside = surroundings(os.environ, running.endpoint, hosts=True)
        os.environ.clear()
        os.environ.update(inside)
        yield Cluster(folder, running)
    finally:
        with undisturbed():
            server.stop(place)
            ground.undo(place)


@contextlib.contextmanager
def counted(block: str, *, drop: bool) -> Iterator[Any]:
    """Count what crosses the border of a VPC's range, or drop it; give what returns the counts.

    Args:
        block: The range.
        drop: Whether it may not cross.
    """
    end = "drop" if drop else "accept"
    text = (
        f"table inet {TABLE} {{\n"
        "  counter sent {}\n  counter received {}\n  counter dropped {}\n"
        "  chain border {\n    type filter hook forward priority -150;\n"
        f"    ip saddr {block} ip daddr != {block} "
        f"counter name {'dropped' if drop else 'sent'} {end}\n"
        f"    ip saddr != {block} ip daddr {block} counter name received {end}\n"
        "  }\n}\n"
    )
    clear = f"table inet {TABLE}\ndelete table inet {TABLE}\n"
    _nft(clear + text)

    def read() -> tuple[int, int, int]:
        listed = json.loads(_nft("", "--json", "list", "counters", "table", "inet", TABLE))
        found = {each["counter"]["name"]: each["counter"] for each in listed["nftables"][1:]}
        return found["sent"]["bytes"], found["received"]["bytes"], found["dropped"]["packets"]

    try:
        yield read
    finally:
        _nft(clear)


def _nft(text: str, *words: str) -> str:
    command: list[str] = ["nft", *(words or ("-f", "-"))]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"nft: {done.stderr}")
    return str(done.stdout)


def free_range() -> str:
    """Return a range that this machine has free."""
    for number in range(64, 256):
        with contextlib.suppress(HostsError):
            ground.check_range(block := f"10.{number}.0.0/16")
            return block
    raise SystemExit("no range of 10.0.0.0/8 is free on this machine")


def _text(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return path.read_text(errors="replace")
    return ""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=5, help="of both, in turns (default: 5)")
    parser.add_argument("--peer-only", action="store_true", help="boot nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
