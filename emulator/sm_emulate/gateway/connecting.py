"""Connections that must be accepted within a limit, told from those that we only look at too late."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)

_ROUNDS = 8
"""Of the event loop, after the limit, in which it hears what the kernel did within it."""


async def connected(make: Callable[[], ProtocolT], host: str, port: int, limit_s: float) -> ProtocolT:
    """Give the protocol of a new connection.

    A machine that is busy elsewhere for a moment wakes this loop after the limit, though the container accepted in
    time: what the kernel has by then counts.

    Raises:
        TimeoutError: it was not accepted within the limit.
        OSError: it cannot be had.
    """
    loop = asyncio.get_running_loop()
    connecting = loop.create_task(loop.create_connection(make, host, port))
    try:
        await asyncio.wait({connecting}, timeout=limit_s)
        for _ in range(_ROUNDS):
            if connecting.done():
                break
            await asyncio.sleep(0)
        connecting.cancel()  # which changes nothing where it is done
        await asyncio.wait({connecting})
    except asyncio.CancelledError:
        connecting.cancel()
        await asyncio.wait({connecting})
        if not connecting.cancelled() and connecting.exception() is None:
            connecting.result()[0].abort()  # it came when nobody wanted it any more
        raise
    if connecting.cancelled():
        raise TimeoutError
    return connecting.result()[1]
