"""The worker's part of a drain: take no further task, and say what is running.

Question and answer travel in the streams that carry the tasks (`handle_stream`), so that nothing
overtakes them: the worker has heard of every task it was given, the scheduler of every result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed.core import Status

if TYPE_CHECKING:
    from distributed import Worker

STOP_OPERATION = "dask_cluster_stop_taking_tasks"
STOPPED_OPERATION = "dask_cluster_stopped_taking_tasks"


def install(worker: Worker) -> None:
    """Let the scheduler pause this worker for good."""

    def stop(stimulus_id: str) -> None:
        stop_taking_tasks(worker, stimulus_id)

    worker.stream_handlers[STOP_OPERATION] = stop


def stop_taking_tasks(worker: Worker, stimulus_id: str) -> None:
    """Start no further task, and tell the scheduler which ones are running.

    The status is `closing_gracefully` and not `paused`, which the worker's memory monitor takes
    back as soon as there is memory (`distributed/worker_memory.py`).
    """
    worker.handle_worker_status_change(Status.closing_gracefully.name, stimulus_id)
    running = [task.key for task in (*worker.state.executing, *worker.state.long_running)]
    worker.batched_send({"op": STOPPED_OPERATION, "running": running, "stimulus_id": stimulus_id})
