"""``make demo``: real work on real data, checked against pandas and scikit-learn."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.local.cluster import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.local.cluster import Cluster

PARTS = [
    "read_csv, mean delay by carrier",
    "read_parquet, distance by origin",
    "delayed, busiest month",
    "joblib, grid search",
    "upload a package, use it",
]


def test_the_demo_runs_every_part(project: Callable[..., Cluster]) -> None:
    cluster = project(memory="1 GiB")
    cluster.up()
    shutil.copytree(ROOT / "examples", cluster.directory / "examples")
    (ROOT / ".cache" / "demo").mkdir(parents=True, exist_ok=True)
    (cluster.directory / ".cache").mkdir(exist_ok=True)
    for shared in (".venv", ".cache/demo"):  # the program, and the flights once they are fetched
        (cluster.directory / shared).symlink_to(ROOT / shared)
    done = subprocess.run(
        [cluster.directory / "examples" / "demo.sh", "local"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        re.findall(r"^(\S.*?) +\d+\.\d\d s   as it should be", done.stdout, re.MULTILINE) == PARTS
    )
    assert f"http://127.0.0.1:{cluster.settings['dashboardPort']}/status" in done.stdout
    assert "Every result equals" in done.stdout
