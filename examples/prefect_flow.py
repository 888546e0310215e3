"""A Prefect 3 flow whose tasks run on a running Dask cluster, checked against pandas alone.

Usage: dask-cluster run STACK -- python examples/prefect_flow.py [FOLDER]

Twelve tasks write a month of weather readings each, twelve clean a month, and one computes the
year on all workers. Everything is written to FOLDER, which the workers must see too; without one
it is a temporary folder. The stack file needs:

    packages: ["prefect-dask>=0.3", "fastapi<0.151"]
    dask: {distributed: {scheduler: {work-stealing: false}}}

A Prefect task acts on the world (here it writes files), and Dask's work stealing may run one twice.
FastAPI 0.155 took away what the API of Prefect 3.8 is built with; Prefect 3.9 sets this limit.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from distributed import get_worker, secede

if TYPE_CHECKING:
    from collections.abc import Iterator

# Prefect reads these when it is imported. A home of its own for this run: no profile of the
# person's is read, Prefect Cloud is not asked, and the API's database ends with the program.
HOME = tempfile.TemporaryDirectory(prefix="prefect-")
PASSWORD = secrets.token_hex()  # no other person of this machine talks to the API
os.environ |= {
    "PREFECT_HOME": HOME.name,
    "PREFECT_API_AUTH_STRING": PASSWORD,
    "PREFECT_SERVER_API_AUTH_STRING": PASSWORD,
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",  # of the API
    "DO_NOT_TRACK": "1",  # of this process
    "PREFECT_LOGGING_LEVEL": "WARNING",  # a line for each task would hide the result
}

from prefect import flow, runtime, task, unmapped  # noqa: E402
from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: E402
from prefect_dask import DaskTaskRunner, get_dask_client  # noqa: E402

YEAR = 2025
MONTHS = range(1, 13)
STATIONS = ("coast", "forest", "summit", "valley")
BROKEN = -999.0  # what a sensor sends that does not work
JOURNAL = "journal.txt"
START_SECONDS = 90  # of the API, which makes its database first


def main(folder: Path) -> None:
    """Run the flow on the cluster, print the year, and compare it with pandas' own."""
    address = dask.config.get("scheduler-address", None)
    if address is None:
        raise SystemExit("No cluster: dask-cluster run STACK -- python examples/prefect_flow.py")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JOURNAL).unlink(missing_ok=True)  # of an earlier run
    # Like a bare Client() the runner's client takes its certificates from the cluster's dask.yaml.
    runner = DaskTaskRunner(address=address)
    with prefect_api() as url, temporary_settings({PREFECT_API_URL: url}):
        found = weather.with_options(task_runner=runner)(folder)
    wanted = summary(pd.concat(map(readings, MONTHS)).query("celsius != @BROKEN"))
    # Dask keeps text in Arrow's type and pandas in its own: the same words in another type.
    pd.testing.assert_frame_equal(
        found.sort_index(), wanted, check_dtype=False, check_index_type=False
    )
    say(found.sort_index().round(2).to_string())
    say(f"\n{once(folder)} tasks of Prefect's ran on the cluster, each of them once.")
    say("The result equals the one that pandas gives alone.")


@flow
def weather(folder: Path) -> pd.DataFrame:
    """Fetch and clean every month, then look at the year."""
    raw = extract.map(list(MONTHS), unmapped(folder))
    cleaned = clean.map(list(MONTHS), raw, unmapped(folder))
    year: pd.DataFrame = whole_year.submit(cleaned, folder).result()
    return year


@task(task_run_name="extract-{month}")
def extract(month: int, folder: Path) -> Path:
    """Write what the sensors sent in a month, as it came."""
    note(folder)
    path = folder / f"raw-{month:02}.parquet"
    readings(month).to_parquet(path)
    return path


@task(task_run_name="clean-{month}")
def clean(month: int, raw: Path, folder: Path) -> Path:
    """Write a month without the readings of broken sensors."""
    note(folder)
    path = folder / f"clean-{month:02}.parquet"
    pd.read_parquet(raw).query("celsius != @BROKEN").to_parquet(path)
    return path


@task(task_run_name="whole-year")
def whole_year(months: list[Path], folder: Path) -> pd.DataFrame:
    """Compute with Dask's dataframe on all workers, from within a task on one of them."""
    note(folder)
    # Leave this thread to the work that is waited for here. It may be put behind this task on the
    # same worker, and without work stealing it stays there: the two would wait for each other.
    secede()
    with get_dask_client() as client:
        table = dd.read_parquet(months)
        year: pd.DataFrame = client.compute(summary(table)).result()
    return year


def readings(month: int) -> pd.DataFrame:
    """Return a month of readings, one a minute; every 97th is of a broken sensor."""
    start = pd.Timestamp(YEAR, month, 1)
    times = pd.date_range(start, start + pd.offsets.MonthBegin(), freq="min", inclusive="left")
    minute = np.arange(len(times))
    station = minute % len(STATIONS)
    celsius = 11 - 9 * np.cos(2 * np.pi * times.day_of_year.to_numpy() / 365) - 2.5 * station
    celsius[minute % 97 == 0] = BROKEN
    return pd.DataFrame({"time": times, "station": np.array(STATIONS)[station], "celsius": celsius})


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return the readings' number, mean and extremes at each station; the table may be Dask's."""
    return table.groupby("station").celsius.agg(["count", "mean", "min", "max"])


def note(folder: Path) -> None:
    """Note that the task of this thread runs, and where; a line is appended whole or not at all."""
    with (folder / JOURNAL).open("a") as journal:
        journal.write(f"{runtime.task_run.name} {get_worker().name} {os.getpid()}\n")


def once(folder: Path) -> int:
    """Return how many tasks ran.

    Raises:
        SystemExit: One of them did not run exactly once.
    """
    ran = Counter(line.split()[0] for line in (folder / JOURNAL).read_text().splitlines())
    names = [f"{step}-{month}" for step in ("extract", "clean") for month in MONTHS]
    wanted = Counter([*names, "whole-year"])
    if ran != wanted:
        raise SystemExit(f"not once: {ran - wanted or wanted - ran}")
    return ran.total()


@contextlib.contextmanager
def prefect_api() -> Iterator[str]:
    """Run Prefect's API on this machine and yield its address.

    Prefect can start one by itself, but tells nobody where it is: every worker would start another.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "prefect", "server", "start", "--no-ui"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "ERROR"]
    log = Path(HOME.name) / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(f"http://127.0.0.1:{port}/api/health", server, log)
        yield f"http://127.0.0.1:{port}/api"
    finally:
        server.terminate()
        server.wait()


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the API answers.

    Raises:
        SystemExit: It ended, or does not answer in time.
    """
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy for loopback
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            direct.open(url, timeout=5).close()
        except OSError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                said = log.read_text()[-2000:]
                raise SystemExit(f"Prefect's API did not start: {error}\n{said}") from error
            time.sleep(0.1)
        else:
            return


def say(text: str) -> None:
    """Print lines at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with HOME, tempfile.TemporaryDirectory(prefix="weather-") as scratch:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else scratch).resolve())
