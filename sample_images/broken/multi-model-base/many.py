"""A small server that keeps every rule of multi-model endpoints. The images beside it change one method.

A model is a file `words.txt`, and answers with it. Its files `mib` and `seconds` say how much memory it takes and how long
it loads.
"""

import json
import pathlib
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PAGE = 2
MARGIN_MIB = 8
MODELS = {}
LOCK = threading.Lock()


class Refused(Exception):
    """A request that cannot be answered: a status and a sentence."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status, self.text = status, text


class Many(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    # what the images beside this one override

    def ping(self):
        self.answer(200)

    def page(self, begin):
        names = list(MODELS)
        page = {"models": [self.described(name) for name in names[begin : begin + PAGE]]}
        if begin + PAGE < len(names):
            page["nextPageToken"] = str(begin + PAGE)
        return page

    def load(self, name, url):
        with LOCK:
            if name in MODELS:
                raise Refused(409, "it is loaded already")
            MODELS[name] = self.read(url)

    def unload(self, name):
        with LOCK:
            del MODELS[name]

    def invoke(self, name, body):
        return f"{MODELS[name]['words']}: {body.decode()}"

    def unknown(self, name):
        raise Refused(404, "no such model")

    def enough(self, mib):
        return mib + MARGIN_MIB <= memory_left()

    # what they share

    @property
    def target(self):
        return self.headers.get("X-Amzn-SageMaker-Target-Model", "")

    def described(self, name):
        return {"modelName": name, "modelUrl": MODELS[name]["url"]}

    def read(self, url):
        folder = pathlib.Path(url)
        time.sleep(float(number(folder / "seconds")))
        mib = int(number(folder / "mib"))
        if not self.enough(mib):
            raise Refused(507, f"no room for {mib} MiB")
        # every page is written to: only then it is there
        weight = bytearray(b"\1" * 4096) * (mib << 8)
        return {"url": url, "words": (folder / "words.txt").read_text().strip(), "weight": weight}

    def do_GET(self):
        self.handled(self.get)

    def do_POST(self):
        self.handled(self.post)

    def do_DELETE(self):
        self.handled(self.delete)

    def get(self, parts):
        if parts == ["ping"]:
            self.ping()
        elif parts == ["models"]:
            begin = parse_qs(urlsplit(self.path).query).get("next_page_token", ["0"])
            self.answer(200, self.page(int(begin[0])))
        else:
            self.answer(200, self.described(self.known(parts)))

    def post(self, parts):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if parts == ["models"]:
            asked = json.loads(body)
            self.load(asked["model_name"], asked["url"])
            self.answer(200, {"status": "loaded"})
        elif len(parts) == 3 and parts[2] == "invoke":
            self.answer(200, self.invoke(self.known(parts), body))
        else:
            raise Refused(404, "no such path")

    def delete(self, parts):
        self.unload(self.known(parts))
        self.answer(200, {"status": "unloaded"})

    def known(self, parts):
        if len(parts) < 2 or parts[0] != "models":
            raise Refused(404, "no such path")
        return parts[1] if parts[1] in MODELS else self.unknown(parts[1])

    def handled(self, method):
        try:
            method(urlsplit(self.path).path.strip("/").split("/"))
        except Refused as refused:
            self.answer(refused.status, {"message": refused.text})
        except OSError as error:
            self.answer(500, {"message": str(error)})

    def answer(self, status, body=""):
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def number(file):
    return file.read_text() if file.exists() else "0"


def memory_left():
    """Tell how many MiB the machine has left: /proc/meminfo."""
    lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) >> 10


def run(handler, kind=ThreadingHTTPServer):
    kind.request_queue_size = 64
    server = kind(("0.0.0.0", 8080), handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("serving on port 8080")
    server.serve_forever()


__all__ = ["LOCK", "MODELS", "PAGE", "HTTPServer", "Many", "Refused", "run"]
