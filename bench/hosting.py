"""(b) From nothing to the first prediction, against `docker run -p` and curl, and against the SDK's deploy."""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import time
from functools import partial
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench import sdk
from bench.ground import ROOT, NotHereError
from bench.measure import side_by_side
from bench.row import Row

if TYPE_CHECKING:
    from bench.ground import Ground

CURL, SDK = 1.15, 10.0
PAYLOAD = ROOT / "fixtures/iris/payload.csv"

# what people write by hand; the pause is short so that the loop is not what is measured
_BY_HAND = """
set -e
docker run --detach --name {name} --label dev.sm-emulate.session={session} --publish 127.0.0.1::8080 \\
  --volume {model}:/opt/ml/model:ro {image} serve >/dev/null
address=$(docker port {name} 8080/tcp)
until curl --silent --fail --output /dev/null "http://$address/ping"; do sleep 0.02; done
curl --silent --fail --header 'Content-Type: text/csv' --data-binary @{payload} "http://$address/invocations"
"""


def first_prediction(ground: Ground) -> list[Row]:
    """Measure (b)."""
    ours = _Ours(ground)
    subjects = {"sm-emulate serve": ours}
    what = "serve to first prediction / docker run + curl"
    if not shutil.which("curl"):
        return [Row.skipped("b", what, "curl is not installed (Debian: apt-get install curl)")]
    by_hand = _ByHand(ground)

    def clear() -> None:
        ours.end()
        by_hand.end()

    try:
        times = side_by_side(
            subjects | {"docker run + curl": by_hand}, rounds=ground.rounds(9, 3), between=clear
        )
    finally:
        clear()
    ratio = times["sm-emulate serve"].median / times["docker run + curl"].median
    rows = [Row(part="b", what=what, value=ratio, bar=CURL, times=times)]
    what = "SageMaker SDK v2 deploy / serve to first prediction"
    try:
        deploy = sdk.command(
            ground, "deploy", ground.decision_trees, str(ground.model), str(PAYLOAD), timeout_s=150
        )
        times = side_by_side(
            {"sm-emulate serve": ours, "deploy": deploy},
            rounds=ground.rounds(3, 1),
            warm_up=0,
            between=clear,
        )
    except NotHereError as missing:
        return [*rows, Row.skipped("b", what, str(missing))]
    finally:
        clear()
    ratio = times["deploy"].median / times["sm-emulate serve"].median
    return [
        *rows,
        Row(part="b", what=what, value=ratio, bar=SDK, better="more", times=times, note=sdk.versions(ground)),
    ]


class _Ours:
    """`sm-emulate serve` until it says where it serves, then one prediction."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._command = ground.console(
            "serve", ground.decision_trees, "--model", str(ground.model), "--quiet"
        )
        self._number = itertools.count()
        self._serving: subprocess.Popen[str] | None = None

    def __call__(self) -> None:
        self._serving = subprocess.Popen(
            [*self._command, "--endpoint-name", f"bench-{next(self._number)}"],
            env=self._ground.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._serving.stdout is not None
        predict(self._serving.stdout.readline().strip())

    def end(self) -> None:
        if self._serving is None:
            return
        while self._serving.poll() is None:  # the second signal ends the grace
            self._serving.send_signal(signal.SIGTERM)
            time.sleep(0.1)
        assert self._serving.stdout is not None
        self._serving.stdout.close()
        self._serving = None


class _ByHand:
    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._name = f"{ground.session}-by-hand"
        script = _BY_HAND.format(
            name=self._name,
            session=ground.session,
            model=ground.model,
            image=ground.decision_trees,
            payload=PAYLOAD,
        )
        self._run = partial(ground.run, ["bash", "-c", script])

    def __call__(self) -> None:
        self._run()

    def end(self) -> None:
        subprocess.run(["docker", "rm", "--force", "--volumes", self._name], capture_output=True, check=False)


def predict(url: str) -> bytes:
    """Send the iris payload and give the answer, which must be a prediction."""
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        connection.request("POST", address.path, PAYLOAD.read_bytes(), {"Content-Type": "text/csv"})
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{url} answered {answer.status}: {body[:200]!r}")
    return body
