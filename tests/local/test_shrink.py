"""Fewer workers in the stack file while work goes on."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from tests.local.cluster import COMMAND, Cluster, changes
from tests.local.load import Load, metric, workers
from tests.local.test_lifecycle import COUNT
from tests.local.test_resilience import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from distributed import Scheduler

# Prints as it begins, and when the merged frame equals the one that pandas makes alone. One of its
# parts waits for a file, so that the shuffle cannot end before.
MERGE = """
import pathlib, sys, time
import dask, numpy as np, pandas as pd
import dask.dataframe as dd
from dask.distributed import Client

def when_there(frame, path):
    while 0 in frame.index and not pathlib.Path(path).exists():
        time.sleep(0.1)
    return frame

client = Client()
dask.config.set({"dataframe.shuffle.method": "p2p"})
numbers = np.arange(100_000)
left = pd.DataFrame({"key": numbers, "a": numbers * 2})
right = pd.DataFrame({"key": numbers[::-1], "b": numbers[::-1] * 3})
parts = [dd.from_pandas(frame, npartitions=40) for frame in (left, right)]
waiting = parts[0].map_partitions(when_there, sys.argv[1], meta=left)
future = client.compute(waiting.merge(parts[1], on="key"))
print("started", flush=True)
merged = future.result().sort_values("key").reset_index(drop=True)
pd.testing.assert_frame_equal(merged, left.merge(right, on="key").sort_values("key"))
print("equal", len(merged))
"""


def test_from_eight_workers_to_two(project: Callable[..., Cluster], tmp_path: Path) -> None:
    cluster = project(workers=8)
    cluster.up()
    with cluster.client() as client:
        load = Load.put_on(client, tmp_path / "runs")
        cluster.edit(workers=2)
        assert changes(cluster.up()) == {"updated": 1, "unchanged": COUNT - 1}
        assert workers(client) == ["worker-0-0", "worker-1-0"]
        load.check()
        reason = "fewer workers in the stack file"
        assert metric(client, f'drained_workers_total{{reason="{reason}"}}') == 6
    assert "and lost 0" in cluster.command("status", "local")


def test_a_merge_during_a_shrink(project: Callable[..., Cluster], tmp_path: Path) -> None:
    """A P2P shuffle begins again when a participant goes: its result is right, and it is said."""
    cluster = project(workers=3, drainTimeout="4 s")
    cluster.up()

    def shuffles(dask_scheduler: Scheduler) -> int:
        plugin: Any = dask_scheduler.plugins["shuffle"]
        return len(plugin.active_shuffles)

    file = tmp_path / "file"
    command = [str(COMMAND), "run", "local", "--", "python", "-c", MERGE, str(file)]
    with (
        cluster.client() as client,
        subprocess.Popen(
            command, cwd=cluster.directory, stdout=subprocess.PIPE, text=True
        ) as merging,
    ):
        assert merging.stdout is not None
        assert merging.stdout.readline() == "started\n"
        wait_until("both sides shuffle", lambda: client.run_on_scheduler(shuffles) == 2)
        cluster.edit(workers=2)
        cluster.up()
        file.touch()
        assert merging.stdout.read() == "equal 100000\n"
        assert metric(client, "shuffle_restarts_total") == 2
