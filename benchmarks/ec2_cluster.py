"""Workers of dask-cloudprovider's ``EC2Cluster``, made by its own code in its own environment.

Usage: ec2_cluster.py WORKERS ARGUMENTS, the latter as JSON for EC2Cluster.

Prints the packages' versions, and waits for a line; then makes the workers' instances, all at once
as ``SpecCluster`` does, prints the seconds, and waits for a line; then ends them, and prints again.
Neither a scheduler is made nor a host waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from dask_cloudprovider.aws import EC2Cluster  # type: ignore[import-not-found]

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

PACKAGES = ("dask-cloudprovider", "distributed", "aiobotocore", "botocore")
SCHEDULER = "tls://10.0.0.1:8786"


async def main(count: int, arguments: str) -> None:
    """Make the workers and end them, as standard input says."""
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # it prints a line for each instance
        cluster: Any = EC2Cluster(asynchronous=True, **json.loads(arguments))
        kind, options = cluster.worker_class, cluster.worker_options
        workers = [kind(scheduler=SCHEDULER, **options) for _ in range(count)]
        say(out, " ".join(f"{name} {version(name)}" for name in PACKAGES))
        sys.stdin.readline()
        say(out, str(await seconds_of(worker.create_vm() for worker in workers)))
        sys.stdin.readline()
        say(out, str(await seconds_of(worker.destroy_vm() for worker in workers)))


async def seconds_of(work: Iterable[Coroutine[Any, Any, object]]) -> float:
    """Return how long all of it takes at once."""
    start = time.monotonic()
    await asyncio.gather(*work)
    return time.monotonic() - start


def say(out: Any, text: str) -> None:  # noqa: ANN401  # whatever standard output is
    """Print a line at once."""
    out.write(f"{text}\n")
    out.flush()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
