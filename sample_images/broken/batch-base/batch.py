"""A small server that keeps every rule of batch transform: it sums rows up. The images beside it change one method."""

import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Refused(Exception):
    """A request that cannot be answered: a status and a sentence."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status, self.text = status, text


class Batch(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    largest_body = 1 << 30

    # what the images beside this one override

    def parameters(self):
        wishes = {"MaxConcurrentTransforms": 2, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}
        return 200, json.dumps(wishes).encode(), "application/json"

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self.chunks()
        return self.whole()

    def answers(self, rows):
        return [f"{sum(row):g}" for row in rows]

    def written(self, answers):
        return "\n".join(answers) + "\n"

    # what they share

    def whole(self):
        size = int(self.headers.get("Content-Length", "0"))
        if size > self.largest_body:
            self.close_connection = True
            raise Refused(413, "the body is too large")
        return self.rfile.read(size)

    def chunks(self):
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def do_GET(self):
        if self.path == "/ping":
            self.answer(200, b"", "text/plain")
        elif self.path == "/execution-parameters":
            self.answer(*self.parameters())
        else:
            self.answer(404, b"no such path\n", "text/plain")

    def do_POST(self):
        try:
            lines = self.body().decode().split("\n")
            rows = [[float(number) for number in line.split(",")] for line in lines if line.strip()]
            self.answer(200, self.written(self.answers(rows)).encode(), "text/csv")
        except ValueError as error:
            self.answer(400, f"not what this model takes: {error}\n".encode(), "text/plain")
        except Refused as refused:
            self.answer(refused.status, refused.text.encode() + b"\n", "text/plain")

    def answer(self, status, body, content_type):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def run(handler):
    server = ThreadingHTTPServer(("0.0.0.0", 8080), handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print("serving on port 8080")
    server.serve_forever()
    sys.exit(0)
