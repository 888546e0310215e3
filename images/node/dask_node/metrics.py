"""Our counters beside Dask's own on the scheduler's `/metrics`, in Dask's way of naming."""

from prometheus_client import Counter, Gauge

DRAINED_WORKERS = Counter(
    "dask_cluster_drained_workers", "Worker processes that handed over and ended.", ["reason"]
)
DRAINED_KEYS = Counter("dask_cluster_drained_keys", "Results handed over by ending workers.")
DRAINED_BYTES = Counter("dask_cluster_drained_bytes", "Size of what was handed over.")
LOST_KEYS = Counter(
    "dask_cluster_lost_keys",
    "Results lost with a worker: computed again, or scattered and gone, or actors.",
    ["kind"],
)
DROPPED_KEYS = Counter("dask_cluster_dropped_keys", "Results dropped on purpose, by an idle stop.")
INTERRUPTED_TASKS = Counter(
    "dask_cluster_interrupted_tasks", "Tasks that still ran when their worker had to end."
)
DIED_WORKERS = Counter("dask_cluster_died_workers", "Worker processes that ended without a drain.")
SHUFFLE_RESTARTS = Counter(
    "dask_cluster_shuffle_restarts", "P2P shuffles that began again: a worker of theirs ended."
)
WANTED_WORKERS = Gauge("dask_cluster_wanted_workers", "Workers the scaler wants.", ["group"])
RUNNING_WORKERS = Gauge("dask_cluster_running_workers", "Workers that are there.", ["group"])
LIMIT_WORKERS = Gauge("dask_cluster_limit_workers", "Workers the scaler may have.", ["group"])

for _kind in ("computed", "scattered", "actor"):
    LOST_KEYS.labels(_kind)  # shown from the start: a counter that is not there raises no alarm
