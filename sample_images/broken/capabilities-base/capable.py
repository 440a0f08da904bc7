"""A small server of a pipeline's container that streams and keeps sessions, by every rule.

The images beside it override one method each, and break one.
"""

import datetime
import json
import os
import signal
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECONDS_PER_WORD = 0.15
HEADER = "X-Amzn-SageMaker-"


class Capable(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sessions = set()

    # what the images beside this one override

    @staticmethod
    def port():
        return int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))

    def parts(self, prompt):
        for word in prompt.split():
            time.sleep(SECONDS_PER_WORD)
            yield json.dumps({"word": word}).encode() + b"\n"

    def stream(self, parts):
        self.head(200, {"Content-Type": "application/x-ndjson", "Transfer-Encoding": "chunked"})
        for part in parts:
            self.chunk(part)
        self.chunk(b"")

    def opened(self, session):
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        return {HEADER + "New-Session-Id": f"{session}; Expires={until:%Y-%m-%dT%H:%M:%SZ}"}

    def closed(self, session):
        return {HEADER + "Closed-Session-Id": session}

    # what they share

    def do_GET(self):
        self.whole(200 if self.path == "/ping" else 404, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            request = json.loads(body)
            asked, prompt = request.get("requestType", ""), request.get("prompt", "")
        except (ValueError, AttributeError):
            self.whole(400, b"send JSON\n")
            return
        session = self.headers.get(HEADER + "Session-Id")
        if session == "NEW_SESSION":
            made = str(uuid.uuid4())
            self.sessions.add(made)
            self.whole(200, b"", self.opened(made))
        elif session is not None and session not in self.sessions:
            self.whole(404, b"no such session\n")
        elif asked == "CLOSE" and session is not None:
            self.sessions.discard(session)
            self.whole(200, b"", self.closed(session))
        else:
            self.stream(self.parts(prompt))

    def whole(self, status, body, headers=None):
        self.head(status, {"Content-Type": "text/plain", "Content-Length": len(body)} | (headers or {}))
        self.wfile.write(body)

    def head(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def log_message(self, *_):
        pass


def run(handler):
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server = ThreadingHTTPServer(("", handler.port()), handler)
    print(f"serving on port {handler.port()}", flush=True)
    server.serve_forever()
