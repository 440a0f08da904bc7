"""What the gateway costs: latency and rate through it, against the container itself and nginx as a proxy.

Needs `nginx` and `wrk` on PATH. Without --container, an nginx with a fixed answer plays the container, which
is far faster than any model. Every round measures all three in turn; the medians of the rounds are printed as
one JSON object. The load generator shares the machine's cores with all that it measures.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000; client_max_body_size 50m; client_body_temp_path {folder}/body;
  upstream container {{ server {container}; keepalive 64; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{answering}; location / {{ default_type text/csv; return 200 "setosa\\n"; }} }}
  server {{ listen 127.0.0.1:{proxy};
    location / {{ proxy_pass http://container; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
}}
"""
WRK = """wrk.method = "POST"; wrk.body = "5.1,3.5,1.4,0.2\\n"; wrk.headers["Content-Type"] = "text/csv"\n"""
GATEWAY = """
import sys, threading
from sm_emulate.gateway import EndpointFront, Gateway, Upstream
host, _, port = sys.argv[1].rpartition(":")
gateway = Gateway(EndpointFront(endpoint_name="iris", upstream=Upstream(host=host, port=int(port))))
print(gateway.start(), flush=True)
sys.stdin.read()
gateway.close()
"""
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def load(address, script, *, connections, seconds):
    """Give p50 and p99 in milliseconds, requests per second and answers that were no success."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "-s", script]
    text = subprocess.run(
        [*command, f"http://{address}/invocations"], check=True, capture_output=True, text=True
    ).stdout

    def latency(percent):
        number, unit = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)", text).groups()
        return float(number) * UNITS[unit]

    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))
    return {"p50_ms": latency(50), "p99_ms": latency(99), "rps": rate, "bad": int(bad.group(1)) if bad else 0}


def wait_for(port):
    deadline = time.monotonic() + 10
    while True:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing listens on port {port}")
        time.sleep(0.02)


def measure(container, rounds, seconds):
    with tempfile.TemporaryDirectory() as folder:
        answering, proxy = free_port(), free_port()
        container = container or f"127.0.0.1:{answering}"
        (Path(folder) / "nginx.conf").write_text(
            NGINX.format(folder=folder, container=container, answering=answering, proxy=proxy)
        )
        script = Path(folder) / "post.lua"
        script.write_text(WRK)
        nginx = subprocess.Popen(["nginx", "-c", f"{folder}/nginx.conf"], stderr=subprocess.DEVNULL)
        gateway = subprocess.Popen(
            [sys.executable, "-c", GATEWAY, container],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "emulator")},
        )
        try:
            wait_for(proxy)
            ways = {
                "direct": container,
                "nginx": f"127.0.0.1:{proxy}",
                "gateway": f"127.0.0.1:{int(gateway.stdout.readline())}",
            }
            seen = {(way, connections): [] for connections in (1, 16) for way in ways}
            for number in range(rounds):
                order = list(ways) if number % 2 == 0 else list(reversed(ways))
                for connections in (1, 16):
                    for way in order:
                        seen[way, connections].append(
                            load(ways[way], script, connections=connections, seconds=seconds)
                        )
        finally:
            gateway.stdin.close()
            gateway.wait(30)
            gateway.stdout.close()
            nginx.terminate()
            nginx.wait(30)
    return {
        f"{way}@{connections}": {key: statistics.median(one[key] for one in many) for key in many[0]}
        for (way, connections), many in seen.items()
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--container", help="HOST:PORT of a container that serves POST /invocations")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    asked = parser.parse_args()
    medians = measure(asked.container, asked.rounds, asked.seconds)
    direct, gateway, nginx = (medians[f"{way}@16"]["rps"] for way in ("direct", "gateway", "nginx"))
    added = medians["gateway@1"]["p50_ms"] - medians["direct@1"]["p50_ms"]
    verdict = {
        "added_p50_ms_at_1": round(added, 3),
        "rate_kept_at_16": round(gateway / direct, 3),
        "rate_kept_at_16_by_nginx": round(nginx / direct, 3),
        "bars": {"added_p50_ms_at_1": "<= 1", "rate_kept_at_16": ">= 0.9 of the decision-tree container"},
    }
    print(json.dumps({**verdict, "medians": medians}, indent=2))


if __name__ == "__main__":
    main()
