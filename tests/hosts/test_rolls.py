"""A change of the workers alone replaces their hosts; nobody with other packages gets in."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.other_environment import check_refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
client.wait_for_workers({workers}, timeout=240)  # a host is up before its worker has registered
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


def test_a_client_of_another_environment_is_refused(cluster: Hosted, tmp_path: Path) -> None:
    check_refused(cluster.beside, COMPUTE, tmp_path)
    assert cluster.python(COMPUTE) == 3
