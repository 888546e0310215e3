"""A change of the workers alone replaces their hosts; nobody with other packages gets in."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from operations.remote import RECIPE
from tests.sandbox.rehearsed import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hosts.hosted import Hosted

# Hosts boot meanwhile, on a machine that may be slow.
pytestmark = pytest.mark.timeout(1200)

WORKERS = 3
KEYS = 1000
TASKS = 200
# A new instance warms up for five minutes before the next one is replaced, and boots within them:
# here in one.
SPEED = 5
ROLL_SECONDS = 900
# Small, without dependencies, and in no environment of ours.
EXTRA, VERSION = "iniconfig", "2.0.0"
# Fills the workers, waits to be told, and says what has become of it all.
LOAD = """
import json
from collections import Counter
from distributed import Client, get_worker, wait

def counted(number):
    get_worker().log_event("ran", number)
    return -number

client = Client()
client.wait_for_workers({workers}, timeout=120)
scattered = client.scatter(list(range({keys})), hash=False)
finished = client.map(counted, range({tasks}), pure=False)
wait(finished)
print("full", flush=True)
input()
values = client.gather(scattered), client.gather(finished)
ran = Counter(number for _, number in client.get_events("ran"))
info = client.scheduler_info(n_workers=-1)["workers"].values()
print(json.dumps({{
    "scattered": values[0] == list(range({keys})),
    "finished": values[1] == [-number for number in range({tasks})],
    "runs": [len(ran), sum(ran.values())],
    "workers": {{w["name"]: w["resources"] for w in info}},
}}))
"""
COMPUTE = """
import json
from distributed import Client
with Client() as client:
    print(json.dumps(client.submit(sum, [1, 2]).result()))
"""


@pytest.fixture(scope="module")
def cluster(hosted: Callable[[str], Hosted]) -> Hosted:
    stack = hosted("dev")
    stack.take_committed()
    stack.edit(workers=WORKERS)
    stack.up()
    return stack


def instances(stack: Hosted, group: str) -> list[str]:
    return sorted(row["instance"] for row in stack.hosts(group, state="up"))


def refreshes(stack: Hosted) -> list[dict[str, Any]]:
    name = stack.group("worker")["AutoScalingGroupName"]
    found = stack.client("autoscaling").describe_instance_refreshes(AutoScalingGroupName=name)
    return list(found["InstanceRefreshes"])


def counters(stack: Hosted, name: str) -> dict[str, int]:
    """Return one of our own counters, by its label."""
    (scheduler,) = instances(stack, "scheduler")
    said = stack.inside(scheduler, "curl", "-sf", "http://127.0.0.1:8787/metrics")
    rows = re.findall(rf'^dask_cluster_{name}_total{{\w+="(.*)"}} (\S+)$', said, re.MULTILINE)
    return {label: int(float(value)) for label, value in rows}


def test_hosts_are_replaced_and_nothing_is_lost(cluster: Hosted) -> None:
    scheduler, before = instances(cluster, "scheduler"), instances(cluster, "worker")
    assert len(before) == WORKERS
    program = LOAD.format(workers=WORKERS, keys=KEYS, tasks=TASKS)
    with cluster.beside("python", "-u", "-c", program) as client:
        client.wait_for("full")
        cluster.edit(resources={"slot": 2})
        assert cluster.up().changed == {
            "update": [
                "dask-dev-worker Group",
                "dask-dev-worker LaunchTemplate",
            ]
        }
        cluster.sandbox("POST", "clock", {"speed": SPEED})
        cluster.until(
            lambda: [each["Status"] for each in refreshes(cluster)] == ["Successful"],
            "all hosts replaced",
            ROLL_SECONDS,
        )
        cluster.sandbox("POST", "clock", {"speed": 1})
        cluster.until(lambda: len(instances(cluster, "worker")) == WORKERS, "all workers")
        after = instances(cluster, "worker")
        client.tell()
        assert client.result() == {
            "scattered": True,
            "finished": True,
            "runs": [TASKS, TASKS],
            "workers": {f"{instance}-0": {"slot": 2} for instance in after},
        }
    assert not {*before} & {*after}
    assert instances(cluster, "scheduler") == scheduler
    assert counters(cluster, "lost_keys") == {"computed": 0, "scattered": 0, "actor": 0}
    assert counters(cluster, "drained_workers") == {"auto scaling": WORKERS}
    ended = [r for r in cluster.sandbox("GET", "hosts")["hosts"] if r["state"] == "ended"]
    assert Counter(row["group"] for row in ended) == {"worker": WORKERS}


def test_a_second_up_changes_nothing(cluster: Hosted) -> None:
    assert cluster.up().changed == {}
    assert len(refreshes(cluster)) == 1


def other_environment(folder: Path) -> Path:
    """Build an environment with one more package, as another checkout would."""
    recipe = str(ROOT / RECIPE)
    python = ["--python", str(Path(sys.executable).resolve())]
    extra = folder / "extra.txt"
    command = [recipe, "--resolve", *python, f"{EXTRA}=={VERSION}"]
    resolved = subprocess.run(command, capture_output=True, text=True, check=True)
    extra.write_text(resolved.stdout)
    built = folder / "environment"
    subprocess.run([recipe, str(built), *python, "--extra", str(extra)], check=True)
    return built


def test_a_client_of_another_environment_is_refused(cluster: Hosted, tmp_path: Path) -> None:
    other = other_environment(tmp_path)
    # With the certificate, and with the packages of its own.
    own = ["env", "-u", "DASK_CLUSTER_ENVIRONMENT", str(other / "bin" / "python")]
    with cluster.beside(*own, "-c", COMPUTE) as client:
        said = list(client.lines())
    assert said[-1].startswith("Or build that environment here"), "\n".join(said)
    rows = [line.split() for line in said]
    assert ["client", "scheduler", "workers"] in rows
    # Of the packages this one, and no other.
    table = rows[rows.index(["client", "scheduler", "workers"]) + 1 :]
    assert table[0] == [EXTRA, VERSION, "-", "-"]
    word, mine, *theirs = table[1]
    assert word == "environment"
    assert len({*theirs}) == 1
    assert mine not in theirs
    assert cluster.python(COMPUTE) == 3
