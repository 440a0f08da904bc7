"""Containers that take WebSockets, read and written frame by frame."""

from __future__ import annotations

import socket

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


class ServerSocket:
    """The container's side of one WebSocket, over a connection of `containers`."""

    def __init__(self, wire):
        self.wire = wire
        self.protocol = ServerProtocol(max_size=None)
        self.request = None
        self.frames = []

    def more(self):
        """Read once; tell whether the connection is still there."""
        data = self.wire.sock.recv(65536)
        if not data:
            return False
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if isinstance(event, Request):
                self.request = event
            else:
                self.frames.append(event)
        self.write()
        return True

    def write(self):
        writes = self.protocol.data_to_send()
        data = b"".join(writes)
        if data:
            self.wire.send(data)
        if b"" in writes:
            self.wire.sock.shutdown(socket.SHUT_WR)

    def accept(self):
        """Take the handshake; give path and query, or None if the connection closed before."""
        while self.request is None:
            if not self.more():
                return None
        self.protocol.send_response(self.protocol.accept(self.request))
        self.write()
        return self.request.path

    def receive(self):
        """Give the next frame, or None at the end of the connection."""
        while not self.frames:
            if not self.more():
                return None
        return self.frames.pop(0)

    def send(self, frame):
        """Send a frame as it is."""
        self.protocol.send_frame(frame)
        self.write()

    def close(self, code, reason=""):
        self.protocol.send_close(code, reason)
        self.write()
        while self.receive() is not None:
            pass


def echo(wire):
    """Send each frame back as it came."""
    ours = ServerSocket(wire)
    if ours.accept() is None:
        return
    while (frame := ours.receive()) is not None:
        if frame.opcode in DATA:
            ours.protocol.send_frame(Frame(frame.opcode, frame.data, frame.fin))
            if not ours.frames:
                ours.write()


def speaking(talk):
    """Give the function of a container that takes the WebSocket and then does `talk(socket)`."""

    def run(wire):
        ours = ServerSocket(wire)
        if ours.accept() is not None:
            talk(ours)

    return run
