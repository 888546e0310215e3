"""`python -m dask_node.worker`: `dask worker`, whose exit code says whether to start it again.

Dask's nanny ends with code 0 when it was told to end, but also when its scheduler has gone away or
its lifetime is over (distributed 2026.8). Whoever keeps the process running cannot tell the first,
after which it must stay down, from the others. Here 0 means only that: told to end, and done.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from pathlib import Path

AGAIN = 75  # EX_TEMPFAIL of sysexits.h: try again
READY_VARIABLE = "DASK_CLUSTER_READY_FILE"


def run() -> int:
    """Run `dask worker` with this process's arguments and return the exit code."""
    # Until Dask has handlers of its own. The first process of a container gets no signal that it
    # does not handle (pid_namespaces(7)): told to end as it starts, it would run on as a worker
    # until it is killed, with its data.
    signal.signal(signal.SIGTERM, _end)
    _forget_readiness()
    # Slow, and so not before the signal is handled.
    config = import_module("dask.config")
    main = import_module("distributed.cli.dask_worker").main
    place = import_module("dask_node.drain.nanny").PLACE
    # Dask reads `distributed.nanny.preload` everywhere but in this command, which overrides it
    # with its own option's empty list (distributed/cli/dask_worker.py).
    preloads = config.get("distributed.nanny.preload")
    options = [word for preload in preloads for word in ("--preload-nanny", preload)]
    try:
        main([*options, *sys.argv[1:]], prog_name="dask worker")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    else:
        code = 0
    if place.told:
        return 0  # also if it was told so early that its worker never came up
    return AGAIN if code == 0 else code


def _end(*_: object) -> None:
    """End at once: there is nothing yet that could be lost."""
    os._exit(0)


def _forget_readiness() -> None:
    """Remove what a process that was killed has left; `dask_node.ready` keeps the file from here.

    A pod's folders outlive its containers.
    """
    if named := os.environ.get(READY_VARIABLE):
        Path(named).unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(run())
