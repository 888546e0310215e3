"""Ask the scheduler one question, without a Dask client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from distributed.comm.core import connect
from distributed.core import send_recv

if TYPE_CHECKING:
    from distributed.security import Security


async def ask(address: str, operation: str, security: Security, *, seconds: float) -> Any:  # noqa: ANN401
    """Return the scheduler's answer; None if it does not know the operation (so Dask answers).

    Args:
        address: Such as `tls://10.0.0.7:8786`.
        operation: The name of a handler of the scheduler.
        security: Its client certificate is shown.
        seconds: The limit for connecting and the answer together.

    Raises:
        OSError: No connection, TLS refused, or (TimeoutError) no answer in time.
    """
    arguments = security.get_connection_args("client")
    try:
        async with asyncio.timeout(seconds):
            comm = await connect(address, seconds, **arguments)
            try:
                return await send_recv(comm, op=operation)
            finally:
                # Nothing is left to send, so there is nothing to wait for.
                comm.abort()
    except TimeoutError as late:
        message = f"The scheduler at {address} did not answer within {seconds:g} s."
        raise TimeoutError(message) from late
