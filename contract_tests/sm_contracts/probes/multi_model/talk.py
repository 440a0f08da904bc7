"""What the platform says to a multi-model container, request by request."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from sm_contracts.evidence.multi_model import Loaded, LoadWithPings, Page, PingBeside, read_page
from sm_contracts.probes.serving_http import Request
from sm_contracts.probes.serving_life import InterruptedLifeError
from sm_contracts.probes.serving_long import CUSTOM_ATTRIBUTES, any_request

if TYPE_CHECKING:
    from sm_contracts.evidence.serving.exchange import Exchange
    from sm_contracts.probes.multi_model.shelf import Shelf
    from sm_contracts.probes.serving_life import Life
    from sm_contracts.probes.serving_long import Sample

DIRECTORY = "/opt/ml/models"
TARGET_MODEL = "X-Amzn-SageMaker-Target-Model"
LOAD_LIMIT_S = 360.0
"""How long a model may take to load: guide, invoke-multi-model-endpoint."""
ANSWER_LIMIT_S = 60.0
LIST_LIMIT_S = 5.0
PING_LIMIT_S = 2.0
SETTLED_S = 2.0
"""In which the end of a container is heard of, after a connection that it broke."""
PING_AFTER_S, PING_EVERY_S = 0.05, 0.2
MOST_PINGS = 200
EARLY = 0.75
"""The part of a load in which a ping must have been answered to have been answered beside it."""


def opaque(key: str, number: int) -> str:
    """Give the container's name for a model, as the platform would."""
    return hashlib.sha256(f"{number}\0{key}".encode()).hexdigest()[:32]


class EndedError(Exception):
    """The container has ended: it can be asked nothing more."""


class Talk:
    """Requests to one container about its models.

    Args:
        life: the container.
        shelf: the files that it sees.
        sample: the sample payload, if one was given.
    """

    def __init__(self, life: Life, shelf: Shelf, sample: Sample | None) -> None:
        self._life, self._shelf, self._sample = life, shelf, sample
        self.watched: list[LoadWithPings] = []
        """Every load so far that was watched."""
        self.given: set[str] = set()
        """Names under which models were loaded."""

    def load(
        self, name: str, key: str, *, target: str | None = None, limit_s: float = LOAD_LIMIT_S
    ) -> Exchange:
        """`POST /models`, with pings beside it.

        Args:
            name: the container's name of it.
            key: which archive lies there.
            target: TargetModel, where it is not the archive's own.
            limit_s: for the answer.
        """
        self._shelf.put(key, name)
        self.given.add(name)
        body = json.dumps({"model_name": name, "url": f"{DIRECTORY}/{name}/model"}).encode()
        asked = Request(
            what="POST /models",
            path="/models",
            body=body,
            content_type="application/json",
            accept="application/json",
            headers={TARGET_MODEL: target or key},
            timeout_s=limit_s,
        )
        self.check()
        pings = _Pings(self._life)
        pings.start()
        try:
            answer = self._ask(asked)
        finally:
            seen = pings.end()
        self.check(ended=False)
        if answer.answered:
            self.watched.append(seen)
        return answer

    def loaded(self, name: str, key: str, *, target: str | None = None) -> Loaded:
        """Load a model, ask for it, and invoke it."""
        answer = self.load(name, key, target=target)
        model = Loaded(name=name, target_model=target or key, answer=answer)
        if not model.ok:
            return model
        got = self.get(name, target or key)
        return replace(model, got=got, invoked=self.invoke(name, target or key))

    def get(self, name: str, key: str) -> Exchange:
        """`GET /models/NAME`."""
        return self._send(
            Request(what="GET /models/NAME", method="GET", path=f"/models/{name}", accept="application/json"),
            key,
        )

    def unload(self, name: str, key: str) -> Exchange:
        """`DELETE /models/NAME`."""
        return self._send(Request(what="DELETE /models/NAME", method="DELETE", path=f"/models/{name}"), key)

    def invoke(self, name: str, key: str) -> Exchange:
        """`POST /models/NAME/invoke` with the sample payload, or any."""
        asked = any_request(self._sample)
        more = {"X-Amzn-SageMaker-Custom-Attributes": CUSTOM_ATTRIBUTES}
        return self._send(
            replace(asked, path=f"/models/{name}/invoke", headers={**asked.headers, **more}), key
        )

    def page(self, token: str | None = None) -> Page:
        """`GET /models`."""
        more = "" if token is None else f"?next_page_token={quote(token, safe='')}"
        asked = Request(
            what=f"GET /models{more}",
            method="GET",
            path=f"/models{more}",
            accept="application/json",
            timeout_s=LIST_LIMIT_S,
        )
        self.check()
        return read_page(self._ask(asked))

    def pages(self, most: int) -> tuple[Page, ...]:
        """Follow the list to its end, or to so many pages."""
        found = [self.page()]
        while found[-1].token is not None and len(found) < most:
            found.append(self.page(found[-1].token))
        return tuple(found)

    def check(self, *, ended: bool = True) -> None:
        """Go on only if the user wants it, and the container runs.

        Raises:
            InterruptedLifeError: the user wants to leave.
            EndedError: the container has ended.
        """
        if self._life.bench.stopping():
            raise InterruptedLifeError
        if ended and self._life.container is None:
            raise EndedError

    def _send(self, asked: Request, key: str) -> Exchange:
        self.check()
        headers = {**asked.headers, TARGET_MODEL: key}
        answer = self._ask(replace(asked, headers=headers, timeout_s=ANSWER_LIMIT_S))
        self.check(ended=False)
        return answer

    def _ask(self, asked: Request) -> Exchange:
        answer = self._life.client.send(asked)
        if answer.failure and answer.failure != "timeout":
            # what ended it is told by this answer: those that follow must know that it has ended
            self._life.ended_within(SETTLED_S)
        return answer


class _Pings:
    """Pings in a thread of their own, one after another, until a load has ended."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._over = threading.Event()
        self._began = time.monotonic()
        self._pings: list[tuple[float, float, Exchange]] = []
        self._thread = threading.Thread(target=self._run, name="pings beside a load", daemon=True)

    def start(self) -> None:
        self._began = time.monotonic()
        self._thread.start()

    def end(self) -> LoadWithPings:
        seconds = time.monotonic() - self._began
        self._over.set()
        self._thread.join()
        return LoadWithPings(
            seconds=seconds,
            pings=tuple(
                # one that is answered when the load ends may be heard of a little before it
                PingBeside(sent_s=sent, answer=answer, in_time=answer.answered and ended <= EARLY * seconds)
                for sent, ended, answer in self._pings
            ),
        )

    def _run(self) -> None:
        pause = PING_AFTER_S
        while not self._over.wait(pause) and len(self._pings) < MOST_PINGS:
            sent = time.monotonic() - self._began
            answer = self._life.client.ping(timeout_s=PING_LIMIT_S)
            self._pings.append((sent, time.monotonic() - self._began, answer))
            pause = PING_EVERY_S
