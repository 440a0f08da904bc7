"""A multi-model server with room for MODEL_ROOM models, on the standard library alone.

A model is a file `words.txt`, and answers `words: payload`. A payload that begins with `!` asks for something else:
`!status 404` for that status, `!sleep 2` for a late answer, `!forget` has the server lose the model, `!seen` for what it
sees, `!write` for a file in the model's folder.
"""

import json
import os
import pathlib
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

ROOM = int(os.environ.get("MODEL_ROOM", "1000000"))
LOAD_SECONDS = float(os.environ.get("LOAD_SECONDS", "0"))
PAGE = int(os.environ.get("PAGE_SIZE", "100"))
MODELS = {}
LOCK = threading.Lock()
LOG = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = urlsplit(self.path)
        LOG.append(f"GET {self.path}")
        if path.path == "/ping":
            self.answer(200)
        elif path.path == "/models":
            begin = int(parse_qs(path.query).get("next_page_token", ["0"])[0])
            listed = [{"modelName": name, "modelUrl": model["url"]} for name, model in list(MODELS.items())]
            page = {"models": listed[begin : begin + PAGE]}
            if begin + PAGE < len(listed):
                page["nextPageToken"] = str(begin + PAGE)
            self.answer(200, page)
        elif path.path.startswith("/models/") and (model := MODELS.get(path.path.split("/")[2])):
            self.answer(200, {"modelName": path.path.split("/")[2], "modelUrl": model["url"]})
        else:
            self.answer(404, {"message": "no such model"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path).path.split("/")
        if parts[1:] == ["models"]:
            self.load(json.loads(body))
        elif len(parts) == 4 and parts[1] == "models" and parts[3] == "invoke":
            self.invoke(parts[2], body)
        else:
            self.answer(404)

    def do_DELETE(self):
        name = urlsplit(self.path).path.split("/")[2]
        with LOCK:
            model = MODELS.pop(name, None)
        if model is None:
            return self.answer(404, {"message": "no such model"})
        LOG.append(f"unload {model['words']}")
        return self.answer(200, {"status": "unloaded"})

    def load(self, asked):
        name, url = asked["model_name"], asked["url"]
        time.sleep(LOAD_SECONDS)
        with LOCK:
            if name in MODELS:
                return self.answer(409, {"message": "it is loaded already"})
            if len(MODELS) >= ROOM:
                return self.answer(507, {"message": "no room"})
            try:
                words = pathlib.Path(url, "words.txt").read_text().strip()
            except OSError as error:
                return self.answer(404, {"message": str(error)})
            if words == "broken":
                return self.answer(500, {"message": "a broken model"})
            MODELS[name] = {"url": url, "words": words}
            LOG.append(f"load {words}")
        return self.answer(200, {"status": "loaded"})

    def invoke(self, name, body):
        model = MODELS.get(name)
        if model is None:
            return self.answer(404, {"message": "no such model"})
        words = body.decode("utf-8", "replace")
        if words == "!forget":
            MODELS.pop(name, None)
            return self.answer(200, "forgotten")
        if words.startswith("!status "):
            return self.answer(int(words.split()[1]), "as you say")
        if words.startswith("!sleep "):
            time.sleep(float(words.split()[1]))
        if words == "!write":
            try:
                pathlib.Path(model["url"], "new").write_text("")
            except OSError as error:
                return self.answer(200, error.strerror)
            return self.answer(200, "written")
        if words == "!seen":
            return self.answer(
                200,
                {
                    "headers": {key.lower(): value for key, value in self.headers.items()},
                    "path": self.path,
                    "url": model["url"],
                    "files": sorted(os.listdir("/opt/ml/models")),
                    "model": sorted(os.listdir(model["url"])),
                    "multi": os.environ.get("SAGEMAKER_MULTI_MODEL"),
                    "log": LOG,
                },
            )
        return self.answer(200, f"{model['words']}: {words[:100]}")

    def answer(self, status, body=None):
        data = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, words, *values):
        print(words % values, flush=True)


def main():
    class Server(ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True

    server = Server(("0.0.0.0", int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))), Handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.serve_forever()


if __name__ == "__main__":
    main()
