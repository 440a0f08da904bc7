"""The gateway's life: a port of this machine, a thread with an event loop, and a quiet end."""

from __future__ import annotations

import errno
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from sm_emulate.errors import BugError, MachineError
from sm_emulate.gateway.meters import Meters

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from sm_emulate.gateway.async_call import Accept
    from sm_emulate.gateway.captured import Capture
    from sm_emulate.gateway.front import EndpointFront, Fleet, Invocation
    from sm_emulate.gateway.page_source import PageSource
    from sm_emulate.gateway.serving import Serving

_BACKLOG = 1024
_CHANGE_S = 5.0
"""How long a change of the fleet waits for the gateway's thread, which may be gone."""


def warm_up(*, bidirectional: bool = False) -> None:
    """Import what serving needs, so that the time for it passes while a container starts."""
    from sm_emulate.gateway import connection, serving  # noqa: F401 - imported for their cost

    if bidirectional:
        from sm_emulate.gateway import http2  # noqa: F401 - likewise

    loop_factory()


def check_port(port: int) -> None:
    """Refuse now a port that a gateway could not take later.

    Raises:
        MachineError: the port is taken or not ours to take.
    """
    _listen("127.0.0.1", port).close()


class Gateway:
    """An endpoint's front door on this machine: the container's own paths and InvokeEndpoint's.

    Args:
        front: the endpoint and its limits.
        host: the address to listen on.
        port: 0 leaves the choice to the kernel.
        listener: called in the gateway's thread with the requests that have finished, within a tenth of
            a second and before `close` returns.
        accept: takes the calls of an asynchronous endpoint.
        capture: is given what data capture keeps.
        page: of the page at `/-/`; without it, that has no facts to show.
    """

    def __init__(
        self,
        front: EndpointFront,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        listener: Callable[[Sequence[Invocation]], None] | None = None,
        accept: Accept | None = None,
        capture: Capture | None = None,
        page: PageSource | None = None,
    ) -> None:
        self.front = front
        self.fleet = front.fleet
        self.meters = Meters(front.endpoint_name)
        self.host = host
        self.port = port
        self._listener, self._accept, self._capture = listener, accept, capture
        self._page = page
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Future[float] | None = None
        self._serving: Serving | None = None
        self._failure: BaseException | None = None

    def start(self) -> int:
        """Listen, and give the port once requests are served.

        Raises:
            MachineError: the port is taken or not ours to take.
        """
        if self._thread is not None:
            raise BugError("this gateway was started before")
        listening = _listen(self.host, self.port)
        self.port = listening.getsockname()[1]
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(listening, ready), name=f"gateway-{self.port}", daemon=True
        )
        self._thread.start()
        ready.wait()
        if self._failure is not None:
            listening.close()
            self._thread.join()
            raise BugError("the gateway did not start", value=self._failure) from self._failure
        return self.port

    def close(self, grace_s: float = 5.0) -> None:
        """Take no more requests, let those in flight end within `grace_s`, then close.

        A second call, from another thread, with 0 ends the patience of the first.
        """
        thread, loop = self._thread, self._loop
        if thread is None or loop is None or not thread.is_alive():
            return
        try:
            loop.call_soon_threadsafe(self._ask_to_stop, grace_s)
        except RuntimeError:
            # another thread closed it first, and its loop is gone already
            return
        thread.join()

    def set_fleet(self, fleet: Fleet) -> None:
        """Send new requests to this fleet from now on; those on their way come to their end where they are."""
        self._change(fleet, lambda serving: serving.router.set_fleet(fleet))

    def take_over(self, fleet: Fleet, capture: Capture | None) -> None:
        """Do so, and capture by this from the same moment on; requests on their way are captured as they began."""
        self._change(fleet, lambda serving: serving.take_over(fleet, capture))

    def _change(self, fleet: Fleet, how: Callable[[Serving], None]) -> None:
        loop, serving = self._loop, self._serving
        if loop is not None and serving is not None:
            self.fleet = fleet
            done = threading.Event()

            def change() -> None:
                how(serving)
                done.set()

            with suppress(RuntimeError):  # it was closed meanwhile
                loop.call_soon_threadsafe(change)
                done.wait(_CHANGE_S)

    @property
    def retiring(self) -> int:
        """How many containers are given no more requests, but still work on some."""
        return 0 if self._serving is None else self._serving.router.retiring

    def __enter__(self) -> Gateway:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, listening: socket.socket, ready: threading.Event) -> None:
        try:
            loop = self._loop = loop_factory()()
            try:
                loop.run_until_complete(self._serve(loop, listening, ready))
            finally:
                loop.run_until_complete(loop.shutdown_default_executor())
                loop.close()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits in start()
            self._failure = error
        finally:
            ready.set()

    async def _serve(
        self, loop: asyncio.AbstractEventLoop, listening: socket.socket, ready: threading.Event
    ) -> None:
        from sm_emulate.gateway.connection import ClientConnection
        from sm_emulate.gateway.serving import Serving

        self._stop = loop.create_future()
        serving = self._serving = Serving(
            self.front,
            loop,
            self._listener,
            self.meters,
            accept=self._accept,
            capture=self._capture,
            page=self._page,
        )
        server = await loop.create_server(lambda: ClientConnection(serving), sock=listening, backlog=_BACKLOG)
        ready.set()
        grace_s = await self._stop
        server.close()
        await serving.drain(grace_s)

    def _ask_to_stop(self, grace_s: float) -> None:
        if self._stop is not None and not self._stop.done():
            self._stop.set_result(grace_s)
        elif self._serving is not None and grace_s == 0:
            self._serving.abort()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Give uvloop's loop where there is one: it costs half of asyncio's time per request."""
    try:
        import uvloop
    except ImportError:
        import asyncio

        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _listen(host: str, port: int) -> socket.socket:
    """Take a port of this machine, or say why it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        # a port that a closed gateway had a moment ago may be taken again
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        raise _cannot_listen(host, port, error) from error
    listening.setblocking(False)
    return listening


def _cannot_listen(host: str, port: int, error: OSError | OverflowError) -> MachineError:
    where = f"{host}:{port}"
    if isinstance(error, OverflowError):
        return MachineError("there is no such port", value=port, expected="0 to 65535")
    if error.errno == errno.EADDRINUSE:
        return MachineError(
            f"port {port} is taken",
            value=where,
            expected="a port that nothing listens on",
            hint="choose another port, or leave it out: the kernel then picks a free one",
        )
    if error.errno == errno.EACCES:
        return MachineError(
            f"port {port} may not be used by this user",
            value=where,
            expected="a port from 1024 on",
            hint="choose another port, or leave it out: the kernel then picks a free one",
        )
    return MachineError(
        f"cannot listen on {where}",
        value=error.strerror or str(error),
        hint="use an address of this machine, such as 127.0.0.1",
    )
