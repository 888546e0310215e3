"""Preload of scheduler, workers and nannies: a worker that ends hands over its data first.

A nanny that is told to end (SIGTERM), or whose worker has reached its lifetime, asks the scheduler
to empty the worker, and only then lets Dask end the process:

- `nanny`: takes the signal, asks, waits, ends; `dask_node.worker` turns that into an exit code.
- `scheduler`: pauses the worker, waits for its running tasks, moves its data, removes it.
- `worker`: stops taking tasks and says which ones it is running.

Dask's own SIGTERM is not a drain: it closes the worker and every result in it is computed again
(`distributed/cli/dask_worker.py`).
"""

from __future__ import annotations

from distributed import Nanny, Scheduler, Worker

from dask_node.drain import nanny as nanny_side
from dask_node.drain import scheduler as scheduler_side
from dask_node.drain import worker as worker_side


def dask_setup(server: Nanny | Scheduler | Worker) -> None:
    """Install the part for this kind of process; Dask calls this as each of them starts."""
    if isinstance(server, Worker):
        worker_side.install(server)
    elif isinstance(server, Nanny):
        nanny_side.install(server)
    else:
        scheduler_side.install(server)
