"""The client's side: refuse to connect to a cluster that runs another environment.

Dask calls `security` through `distributed.client.security-loader` before it connects. A client
preload would be the natural place, but Dask swallows what a preload raises. A client that is given
`security=` itself is not checked, and neither is one of an in-process cluster.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import dask.config
from dask.utils import parse_timedelta
from distributed.security import Security

from dask_node.compare import Group, same, table
from dask_node.environment import own
from dask_node.identity import IDENTITY_OPERATION, Published
from dask_node.wire import ask

if TYPE_CHECKING:
    from collections.abc import Mapping


class EnvironmentMismatch(RuntimeError):  # noqa: N818  # what it says is the error
    """Client, scheduler and workers do not run the same environment."""


def security(info: Mapping[str, str]) -> Security:
    """Return the security of the configuration, after comparing the environments.

    Works from plain code and inside a running event loop, as the question is asked from a thread
    with a loop of its own.

    Args:
        info: `{"address": ...}`, as Dask passes it.

    Raises:
        EnvironmentMismatch: An identity or a package differs, or the scheduler does not say.
        OSError: The scheduler does not answer within `distributed.comm.timeouts.connect`.
    """
    found = Security()
    address = info["address"]
    if address.startswith("inproc://"):
        return found
    limit = parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"), "s")
    question = ask(address, IDENTITY_OPERATION, found, seconds=limit)
    with ThreadPoolExecutor(1, thread_name_prefix="dask-node-connect") as thread:
        _check(address, thread.submit(asyncio.run, question).result())
    return found


def _check(address: str, answer: Published | None) -> None:
    if answer is None:
        message = (
            f"The scheduler at {address} does not say which environment it runs. "
            "Start it with the preload dask_node.identity, as the cluster's dask.yaml does."
        )
        raise EnvironmentMismatch(message)
    columns = {
        "client": [Group(own(), 1)],
        "scheduler": [Group(answer["scheduler"], 1)],
        "workers": [Group(environment, count) for environment, count in answer["workers"]],
    }
    if same(list(columns.values())):
        return
    if not columns["workers"]:
        del columns["workers"]
    message = (
        f"The cluster at {address} runs another environment than this client:\n"
        f"{table(columns)}\n"
        "Run the client in the cluster's environment: dask-cluster run STACK -- python ...\n"
        "Or build that environment here: images/environment/install.sh FOLDER"
    )
    raise EnvironmentMismatch(message)
