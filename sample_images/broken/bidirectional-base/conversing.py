"""A small server that keeps every rule of bidirectional streams: it sends back what it gets. The images beside it
change one method. The frames are written by hand, as no library would let them be wrong."""

import base64
import hashlib
import json
import os
import signal
import socketserver

PATH = "/invocations-bidirectional-stream"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Over(Exception):
    """The conversation is over."""


class Conversing(socketserver.StreamRequestHandler):
    # what the images beside this one override

    def upgrades(self, path):
        return path == PATH

    def key(self, given):
        digest = hashlib.sha1((given + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        return base64.b64encode(digest).decode()

    def text(self, data):
        try:
            json.loads(data)
        except ValueError:
            self.close(1007, b"not JSON")
        self.send(TEXT, data)

    def binary(self, data):
        self.text(data)

    def pinged(self, data):
        self.send(PONG, data)

    # what they share

    def handle(self):
        request = self.rfile.readline().split()
        headers = {}
        while line := self.rfile.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        path = request[1].decode().partition("?")[0] if len(request) == 3 else ""
        given = headers.get("sec-websocket-key")
        if path == "/ping":
            self.answer("200 OK")
        elif path == "/invocations":
            self.answer("200 OK", self.rfile.read(int(headers.get("content-length", "0"))))
        elif given is None or not self.upgrades(path):
            self.answer("404 Not Found", b"no such path")
        else:
            self.write(
                "101 Switching Protocols",
                f"Upgrade: websocket\r\nSec-WebSocket-Accept: {self.key(given)}",
                "Upgrade",
            )
            try:
                while True:
                    self.converse()
            except Over:
                pass

    def answer(self, status, body=b""):
        self.write(status, f"Content-Type: application/json\r\nContent-Length: {len(body)}", "close")
        self.wfile.write(body)

    def write(self, status, headers, connection):
        self.wfile.write(f"HTTP/1.1 {status}\r\n{headers}\r\nConnection: {connection}\r\n\r\n".encode())

    def converse(self):
        kind, data = self.frame()
        if kind == TEXT:
            self.text(data)
        elif kind == BINARY:
            self.binary(data)
        elif kind == PING:
            self.pinged(data)
        elif kind == CLOSE:
            self.send(CLOSE, data)
            raise Over

    def frame(self):
        first, size = self.exactly(2)
        size &= 127
        if size > 125:
            size = int.from_bytes(self.exactly(2 if size == 126 else 8), "big")
        mask = self.exactly(4)
        return first & 15, bytes(byte ^ mask[place % 4] for place, byte in enumerate(self.exactly(size)))

    def exactly(self, size):
        data = self.rfile.read(size)
        if len(data) < size:
            raise Over
        return data

    def send(self, kind, data):
        size = len(data)
        length = (
            bytes([size])
            if size < 126
            else b"\x7e" + size.to_bytes(2, "big")
            if size < 65536
            else b"\x7f" + size.to_bytes(8, "big")
        )
        self.wfile.write(bytes([0x80 | kind]) + length + data)

    def close(self, code, reason):
        self.send(CLOSE, code.to_bytes(2, "big") + reason)
        raise Over


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, address):
        print("a connection broke", flush=True)


def run(handler):
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print("serving", flush=True)
    Server(("", 8080), handler).serve_forever()
