"""`python -m dask_node.worker`: `dask worker`, whose exit code says whether to start it again.

Dask's nanny ends with code 0 when it was told to end, but also when its scheduler has gone away or
its lifetime is over (distributed 2026.8). Whoever keeps the process running cannot tell the first,
after which it must stay down, from the others. Here 0 means only that: told to end, and done.
"""

from __future__ import annotations

import sys

import dask.config
from distributed.cli.dask_worker import main

from dask_node.drain.nanny import PLACE

AGAIN = 75  # EX_TEMPFAIL of sysexits.h: try again


def run() -> int:
    """Run `dask worker` with this process's arguments and return the exit code."""
    # Dask reads `distributed.nanny.preload` everywhere but in this command, which overrides it
    # with its own option's empty list (distributed/cli/dask_worker.py).
    preloads = dask.config.get("distributed.nanny.preload")
    options = [word for preload in preloads for word in ("--preload-nanny", preload)]
    try:
        main([*options, *sys.argv[1:]], prog_name="dask worker")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    else:
        code = 0
    if PLACE.told:
        return 0  # also if it was told so early that its worker never came up
    return AGAIN if code == 0 else code


if __name__ == "__main__":
    sys.exit(run())
