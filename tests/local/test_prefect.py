"""A Prefect flow on a running cluster: ``examples/prefect_flow.py``, as its first lines say."""

from __future__ import annotations

import os
import select
import socket
from typing import TYPE_CHECKING

from tests.local.cluster import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.local.cluster import Cluster

# Fixed, so that a release of Prefect's is no news here. The limit is the one that the example asks
# for: Prefect 3.8 does not start with FastAPI 0.155.
PACKAGES = ["prefect-dask==0.3.7", "prefect==3.8.8", "fastapi<0.151"]
DASK = {"distributed": {"scheduler": {"work-stealing": False}}}
PRINTED = """\
          count  mean  min   max
station                         
coast    130036  11.0  2.0  20.0
forest   130043   8.5 -0.5  17.5
summit   130047   6.0 -3.0  15.0
valley   130047   3.5 -5.5  12.5

25 tasks of Prefect's ran on the cluster, each of them once.
The result equals the one that pandas gives alone.
"""  # noqa: W291  # so pandas writes it
TASKS = [f"{step}-{month}" for step in ("extract", "clean") for month in range(1, 13)]


def test_a_prefect_flow_runs_each_task_once_on_the_workers(
    project: Callable[..., Cluster],
) -> None:
    cluster = project(packages=PACKAGES, dask=DASK)
    cluster.up()
    with cluster.client() as client:
        extensions = client.run_on_scheduler(lambda dask_scheduler: [*dask_scheduler.extensions])
    assert "shuffle" in extensions
    assert "stealing" not in extensions

    folder, temporary = cluster.directory / "weather", cluster.directory / "tmp"
    temporary.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as outside:
        # Whoever wants to leave this machine, to Prefect's telemetry for example, comes by here.
        proxy = f"http://127.0.0.1:{outside.getsockname()[1]}"
        steered = {"TMPDIR": str(temporary), "https_proxy": proxy, "no_proxy": "127.0.0.1"}
        example = str(ROOT / "examples" / "prefect_flow.py")
        words = ("run", "local", "--", "python", example, str(folder))
        assert cluster.command(*words, env=os.environ | steered) == PRINTED
        assert select.select([outside], [], [], 0)[0] == []
    assert list(temporary.iterdir()) == []

    # Each task wrote a line when it ran: a second run, or one in the client's process, shows here.
    lines = [line.split() for line in (folder / "journal.txt").read_text().splitlines()]
    workers = {str(w["pid"]): w["name"] for w in cluster.status()["report"]["workers"]}
    assert [(task, workers.get(pid)) for task, _, pid in lines] == [(t, w) for t, w, _ in lines]
    assert sorted(task for task, _, _ in lines) == sorted([*TASKS, "whole-year"])
    assert set(workers.values()) == {worker for _, worker, _ in lines}
