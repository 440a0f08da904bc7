"""Answers connections that containers make to addresses of ours in their own network."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

JOIN_SECONDS = 5.0


class LinkLocal:
    """One thread that accepts, and one for each connection. Nothing is started before the first listener comes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[int, tuple[socket.socket, Callable[[socket.socket], None]]] = {}
        self._open: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._thread: threading.Thread | None = None
        self._wake: tuple[socket.socket, socket.socket] | None = None
        self._closed = False

    def add(self, listener: socket.socket, handler: Callable[[socket.socket], None]) -> None:
        """Answer a listener's connections with a handler, which need not close them. Any thread may call it."""
        with self._lock:
            if self._closed:
                listener.close()
                return
            listener.setblocking(False)
            self._listeners[listener.fileno()] = (listener, handler)
            if self._wake is None:
                self._wake = socket.socketpair()
                self._thread = threading.Thread(target=self._accept, name="link-local address", daemon=True)
                self._thread.start()
            else:
                self._wake[1].send(b"+")

    def close(self) -> None:
        """Cut every connection, and wait until all threads have ended."""
        with self._lock:
            self._closed = True
            wake, thread = self._wake, self._thread
        if wake is None or thread is None:
            return
        wake[1].send(b"-")
        thread.join(JOIN_SECONDS)
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            left = tuple(self._threads)
            for listener, _ in self._listeners.values():
                listener.close()
        for each in left:
            each.join(JOIN_SECONDS)
        for end in wake:
            end.close()

    def _accept(self) -> None:
        wake = self._wake
        if wake is None:
            return
        poller = select.poll()
        poller.register(wake[0], select.POLLIN)
        known: set[int] = set()
        while True:
            with self._lock:
                if self._closed:
                    return
                for number in self._listeners.keys() - known:
                    poller.register(number, select.POLLIN)
                known |= self._listeners.keys()
            for number, _ in poller.poll():
                if number == wake[0].fileno():
                    wake[0].recv(64)
                else:
                    self._take(*self._listeners[number])

    def _take(self, listener: socket.socket, handler: Callable[[socket.socket], None]) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:  # gone again before it was taken
            return
        connection.setblocking(True)
        thread = threading.Thread(
            target=self._handle, args=(connection, handler), name="link-local connection", daemon=True
        )
        with self._lock:
            self._open.add(connection)
            self._threads.add(thread)
        thread.start()

    def _handle(self, connection: socket.socket, handler: Callable[[socket.socket], None]) -> None:
        try:
            with suppress(OSError):  # the container has hung up, or was cut off
                handler(connection)
        finally:
            with self._lock:
                self._open.discard(connection)
                self._threads.discard(threading.current_thread())
            connection.close()
