"""Connections that must be accepted within a limit."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress

import pytest

from sm_emulate.gateway.connecting import connected
from sm_emulate.gateway.gateway import loop_factory


class Seen(asyncio.Protocol):
    """Knows its connection."""

    def connection_made(self, transport):
        self.transport = transport


@pytest.fixture(params=["asyncio", "the gateway's"])
def play(request):
    """Give a function that runs a coroutine function in an event loop of each kind."""

    def run(steps):
        loop = asyncio.new_event_loop() if request.param == "asyncio" else loop_factory()()
        try:
            return loop.run_until_complete(asyncio.wait_for(steps(), 180))
        finally:
            loop.close()

    return run


@pytest.fixture
def accepting():
    """Give a container that accepts: its kernel does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_what_was_accepted_in_time_counts_though_this_machine_looks_too_late(play, accepting):
    async def steps():
        attempt = asyncio.ensure_future(connected(Seen, *accepting.getsockname(), 0.05))
        for _ in range(3):
            await asyncio.sleep(0)
        time.sleep(0.3)  # noqa: ASYNC251  # nothing of this process has its turn
        (await attempt).transport.abort()

    play(steps)


def test_who_does_not_accept_in_time_is_given_up(play):
    async def steps():
        with pytest.raises(TimeoutError):
            await connected(Seen, *nowhere, 0.05)

    # nobody accepts: once the kernel's queue is full, it answers no more
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        nowhere = full.getsockname()
        others = [socket.socket() for _ in range(8)]
        for each in others:
            each.setblocking(False)
            each.connect_ex(nowhere)
        play(steps)
        for each in others:
            each.close()


def test_nobody_there_is_told_as_such(play, nobody):
    async def steps():
        with pytest.raises(ConnectionRefusedError):
            await connected(Seen, "127.0.0.1", nobody.port, 180)

    play(steps)


def test_who_wants_it_no_more_leaves_no_connection_behind(play, accepting):
    async def steps():
        for rounds in range(8):
            attempt = asyncio.ensure_future(connected(Seen, *accepting.getsockname(), 180))
            for _ in range(rounds):
                await asyncio.sleep(0)
            if attempt.done():
                attempt.result().transport.abort()
                break
            attempt.cancel()
            with pytest.raises(asyncio.CancelledError):
                await attempt

    play(steps)
    accepting.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            made, _ = accepting.accept()
            with made, suppress(ConnectionResetError):
                made.settimeout(180)
                assert made.recv(1) == b""
