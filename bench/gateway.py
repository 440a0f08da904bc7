"""(c) What the gateway adds to each request, against asking the container directly and against nginx."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.ground import NotHereError
from bench.hosting import PAYLOAD, predict
from bench.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.ground import Ground

ADDED_MS, ADDED_P99_MS, RATE = 1.0, 3.0, 0.9
NAMES = ("direct", "gateway", "nginx")
_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}

_NGINX = """
worker_processes auto;
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_max_body_size 25m;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream container {{ server {upstream}; keepalive 64; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://container; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


@dataclass(frozen=True)
class Load:
    """What one run of the load generator saw."""

    rate: float
    p50_ms: float
    p99_ms: float
    processor_ms: float
    """Processor time of the proxy for each request; of the gateway's process, too, when it is not asked."""


@dataclass(frozen=True)
class Served:
    """An endpoint that takes requests."""

    url: str
    """The gateway's."""
    direct: str
    """The container's own address."""
    container: str
    process: int
    """Of `sm-emulate serve`."""


def gateway(ground: Ground) -> Iterator[Row]:
    """Measure (c) with the decision-tree image behind."""
    for program in ("wrk", "nginx"):
        if not (shutil.which(program) or shutil.which(program, path="/usr/sbin")):
            raise NotHereError(f"{program} is not installed (Debian: apt-get install {program})")
    script = _script(ground)
    with _endpoint(ground) as endpoint, _nginx(ground, endpoint.direct) as (proxied, nginx):
        urls = dict(zip(NAMES, (f"http://{endpoint.direct}/invocations", endpoint.url, proxied), strict=True))
        pids = dict(zip(NAMES, (endpoint.process, endpoint.process, nginx), strict=True))
        for url in urls.values():
            predict(url)
        yield from _latency(_loads(ground, urls, pids, script, 1))
        many = _loads(ground, urls, pids, script, 16)
        yield from _rates(many, "16 connections")
        pause_ms = 2 * 16_000 / statistics.median(load.rate for load in many["gateway"])
        yield from _half(_loads(ground, urls, pids, _script(ground, pause_ms), 16))
        # where the container leaves nothing of any core, a proxy of any kind takes its time from the container
        ground.docker("update", "--cpuset-cpus", "0", endpoint.container)
        yield from _rates(_loads(ground, urls, pids, script, 16), "16 connections, container on one core")


def _script(ground: Ground, pause_ms: float = 0.0) -> Path:
    """Say what to send, and how long each connection waits on average before it sends again."""
    script = ground.work / f"post-{pause_ms:.0f}.lua"
    body = PAYLOAD.read_text().replace("\n", "\\n")
    lines = ['wrk.method = "POST"', f'wrk.body = "{body}"', 'wrk.headers["Content-Type"] = "text/csv"']
    if pause_ms:
        # at random, or the connections fall into step
        lines.append(f"function delay() return math.random(0, {2 * pause_ms:.0f}) end")
    script.write_text("\n".join(lines) + "\n")
    return script


def _half(seen: dict[str, list[Load]]) -> list[Row]:
    """Compare latencies where half of the requests come that the gateway can serve."""
    p50 = {name: statistics.median(load.p50_ms for load in loads) for name, loads in seen.items()}
    p99 = {name: statistics.median(load.p99_ms for load in loads) for name, loads in seen.items()}
    rate = {name: statistics.median(load.rate for load in loads) for name, loads in seen.items()}
    figures = "; ".join(
        f"{name} {rate[name]:.0f}/s p50 {p50[name]:.2f} p99 {p99[name]:.2f} ms" for name in NAMES
    )
    return [
        Row(
            part="c",
            what="added at p50, half of the gateway's rate",
            value=p50["gateway"] - p50["direct"],
            unit="ms",
            bar=ADDED_MS,
            note=figures,
        ),
        Row(
            part="c",
            what="added at p99, half of the gateway's rate",
            value=p99["gateway"] - p99["direct"],
            unit="ms",
            bar=ADDED_P99_MS,
        ),
    ]


def _latency(seen: dict[str, list[Load]]) -> list[Row]:
    p50 = {name: statistics.median(load.p50_ms for load in loads) for name, loads in seen.items()}
    p99 = {name: statistics.median(load.p99_ms for load in loads) for name, loads in seen.items()}
    figures = "; ".join(f"{name} p50 {p50[name]:.2f} p99 {p99[name]:.2f} ms" for name in NAMES)
    return [
        Row(
            part="c",
            what="added at p50, 1 connection",
            value=p50["gateway"] - p50["direct"],
            unit="ms",
            bar=ADDED_MS,
            note=figures,
        ),
        Row(part="c", what="added at p99, 1 connection", value=p99["gateway"] - p99["direct"], unit="ms"),
        Row(
            part="c", what="nginx: added at p50, 1 connection", value=p50["nginx"] - p50["direct"], unit="ms"
        ),
    ]


def _rates(seen: dict[str, list[Load]], how: str) -> list[Row]:
    """Compare rates within each round: the machine's own speed changes between them."""

    def ratio(one: str, other: str) -> float:
        return statistics.median(
            mine.rate / its.rate for mine, its in zip(seen[one], seen[other], strict=True)
        )

    figures = "; ".join(
        f"{name} {statistics.median(load.rate for load in seen[name]):.0f}/s "
        f"({min(load.rate for load in seen[name]):.0f} - {max(load.rate for load in seen[name]):.0f})"
        for name in NAMES
    )
    processor = {name: statistics.median(load.processor_ms for load in loads) for name, loads in seen.items()}
    return [
        Row(
            part="c",
            what=f"rate / direct rate, {how}",
            value=ratio("gateway", "direct"),
            bar=RATE,
            better="more",
            note=figures,
        ),
        Row(part="c", what=f"nginx: rate / direct rate, {how}", value=ratio("nginx", "direct")),
        Row(part="c", what=f"rate / nginx's rate, {how}", value=ratio("gateway", "nginx")),
        Row(
            part="c",
            what=f"processor time per request, {how}",
            value=processor["gateway"],
            unit="ms",
            note=f"of which for the container's log {processor['direct']:.3f} ms; nginx {processor['nginx']:.3f} ms",
        ),
    ]


def _loads(
    ground: Ground, urls: dict[str, str], pids: dict[str, int], script: object, connections: int
) -> dict[str, list[Load]]:
    """Load each in turn for a second, every second round the other way round."""
    seen: dict[str, list[Load]] = {name: [] for name in urls}
    for turn in range(ground.rounds(21, 3)):
        for name in sorted(urls, key=list(urls).index, reverse=bool(turn % 2)):
            seen[name].append(_wrk(urls[name], pids[name], str(script), connections, seconds=1))
    return seen


def _wrk(url: str, pid: int, script: str, connections: int, seconds: int) -> Load:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script, url]
    before = _processor_s(pid)
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    used = _processor_s(pid) - before
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"some requests to {url} failed:\n{said}")
    rate, count, p50, p99 = (
        re.search(pattern, said)
        for pattern in (
            r"Requests/sec:\s+([\d.]+)",
            r"(\d+) requests in",
            r"50%\s+([\d.]+)(us|ms|s)",
            r"99%\s+([\d.]+)(us|ms|s)",
        )
    )
    if rate is None or count is None or p50 is None or p99 is None:
        raise RuntimeError(f"wrk said something else:\n{said}")
    return Load(
        rate=float(rate[1]),
        p50_ms=float(p50[1]) * _MS[p50[2]],
        p99_ms=float(p99[1]) * _MS[p99[2]],
        processor_ms=1000 * used / int(count[1]),
    )


def _processor_s(pid: int) -> float:
    """The processor time that a process and its children have used so far."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ticks = 0
    for each in (pid, *children):
        user, system = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[11:13]
        ticks += int(user) + int(system)
    return ticks / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _endpoint(ground: Ground) -> Iterator[Served]:
    """Serve as a user does."""
    name = "bench-gateway"
    command = ground.console("serve", ground.decision_trees, "--model", str(ground.model), "--quiet")
    serving = subprocess.Popen(
        [*command, "--endpoint-name", name],
        env=ground.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert serving.stdout is not None
        url = serving.stdout.readline().strip()
        run = f"label=dev.sm-emulate.run=endpoints/{name}"
        home = f"label=dev.sm-emulate.home={ground.home}"
        container = ground.docker("ps", "--quiet", "--filter", run, "--filter", home)
        address = ground.docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", container)
        yield Served(url=url, direct=f"{address}:8080", container=container, process=serving.pid)
    finally:
        serving.terminate()
        serving.wait()
        if serving.stdout is not None:
            serving.stdout.close()


@contextlib.contextmanager
def _nginx(ground: Ground, upstream: str) -> Iterator[tuple[str, int]]:
    """An nginx of our own as a proxy; give its URL and its first process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = ground.work / "nginx"
    folder.mkdir()
    folder.chmod(0o755)
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, upstream=upstream, port=port))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    proxy = subprocess.Popen(
        [program, "-p", str(folder), "-e", "stderr", "-c", str(config)], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/invocations", proxy.pid
    finally:
        proxy.terminate()
        proxy.wait()
