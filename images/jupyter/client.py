# ruff: noqa: INP001  # a startup file of IPython's, not a module of a package
"""Gives every notebook `client`, a client of the cluster, and `Client`.

It connects before the first cell runs and not with the kernel, which has no place to show an error
and which Jupyter would give up before a scheduler that does not answer. A notebook that nobody has
used also holds no client, which would keep an idle cluster up.
"""

import sys

import dask.config
from distributed import Client
from IPython import get_ipython

# The dashboard, as the browser reaches it: through the notebook server.
dask.config.set({"distributed.dashboard.link": "/proxy/{host}:{port}/status"})


def _connect(_cell: object) -> None:
    shell = get_ipython()
    shell.events.unregister("pre_run_cell", _connect)
    try:
        shell.user_ns["client"] = Client()
    except Exception as error:  # noqa: BLE001  # it is shown, and the notebook goes on without
        sys.stderr.write(
            f"There is no client yet: {type(error).__name__}: {error}\n"
            "When the cluster answers, run: client = Client()\n"
        )


get_ipython().events.register("pre_run_cell", _connect)
