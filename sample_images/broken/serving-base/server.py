"""A small server that keeps every rule. The images beside it override one method each, and break one."""

import asyncio
import json
import os
import pathlib
import signal
import sys

MODEL = pathlib.Path("/opt/ml/model/bias.json")
REASONS = {200: "OK", 204: "No Content", 400: "Bad Request", 404: "Not Found", 406: "Not Acceptable",
           413: "Content Too Large", 415: "Unsupported Media Type", 431: "Request Header Fields Too Large",
           500: "Internal Server Error", 503: "Service Unavailable"}


class Refused(Exception):
    """A request that cannot be answered: a status and a sentence."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status, self.text = status, text


class Request:
    def __init__(self, head):
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, _ = first.split(" ", 2)
        self.headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if colon:
                self.headers[name.strip().lower()] = value.strip()
        self.body = b""

    @property
    def keep_alive(self):
        return self.headers.get("connection", "").lower() != "close"


class Server:
    host = "0.0.0.0"
    backlog = 512
    largest_body = 26 << 20

    def __init__(self):
        self.port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
        self.bias = 0.0
        self.under_way = 0
        self.stopping = asyncio.Event()

    # what the images beside this one override

    def log(self, text):
        print(text, flush=True)

    def load(self):
        """Before it listens."""
        if MODEL.exists():
            self.bias = json.loads(MODEL.read_text())["bias"]

    async def listen(self):
        return await asyncio.start_server(self.serve, self.host, self.port, backlog=self.backlog)

    async def ping(self, request):
        return 200, b"", {}

    def check(self, request):
        """Look at the headers of an invocation."""
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise Refused(415, "send application/json")

    def read(self, body):
        """Take a payload apart."""
        try:
            return [[float(number) for number in row] for row in json.loads(body)["instances"]]
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(400, f"not what this model takes: {type(error).__name__}") from error

    async def predict(self, rows):
        return [sum(row) + self.bias for row in rows]

    async def invoke(self, request):
        self.check(request)
        predictions = await self.predict(self.read(request.body))
        return 200, json.dumps({"predictions": predictions}).encode(), {"Content-Type": "application/json"}

    async def refuse(self, refused):
        return refused.status, refused.text.encode() + b"\n", {"Content-Type": "text/plain"}

    async def read_body(self, reader, length):
        return await reader.readexactly(length)

    def gone(self):
        """A client went away within its request."""

    def terminate(self):
        """SIGTERM came."""
        self.stopping.set()

    # what they share

    async def route(self, request):
        if (request.method, request.path) == ("GET", "/ping"):
            return await self.ping(request)
        if request.path == "/invocations":
            return await self.invoke(request)
        raise Refused(404, "no such path")

    async def answer(self, request, reader):
        try:
            length = int(request.headers.get("content-length", "0"))
            if length > self.largest_body:
                raise Refused(413, "the body is too large")
            request.body = await self.read_body(reader, length)
            return await self.route(request)
        except Refused as refused:
            self.log(f"{request.method} {request.path}: {refused}")
            return await self.refuse(refused)

    async def serve(self, reader, writer):
        try:
            while not self.stopping.is_set():
                head = await reader.readuntil(b"\r\n\r\n")
                request = Request(head)
                self.under_way += 1
                try:
                    status, body, headers = await self.answer(request, reader)
                    close = not request.keep_alive or status == 413 or self.stopping.is_set()
                    await self.write(writer, status, body, headers, close=close)
                finally:
                    self.under_way -= 1
                if close:
                    break
        except asyncio.IncompleteReadError as error:
            if error.expected is not None or error.partial:
                self.gone()
        except ConnectionError:
            self.gone()
        finally:
            writer.close()

    async def write(self, writer, status, body, headers, *, close):
        lines = [f"HTTP/1.1 {status} {REASONS[status]}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if close:
            lines.append("Connection: close")
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        await writer.drain()

    async def main(self):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.terminate)
        server = await self.listen()
        self.log(f"serving on port {self.port}")
        await self.stopping.wait()
        server.close()
        while self.under_way:
            await asyncio.sleep(0.02)

    def run(self):
        self.load()
        asyncio.run(self.main())
        sys.exit(0)
