"""What the gateway itself tells: its metrics, and the page with its facts. No container is asked."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sm_emulate.gateway import answers, meters, readers, wire
from sm_emulate.gateway.page_source import PAGE_PATH

if TYPE_CHECKING:
    from sm_emulate.gateway.answers import ErrorAnswer
    from sm_emulate.gateway.connection import ClientConnection
    from sm_emulate.gateway.incoming import Incoming

METRICS_PATH = "/-/metrics"
ENDPOINT_PATH = "/-/endpoint"
ENDPOINTS_PATH = "/-/endpoints"
EVENTS_PATH = "/-/events"
MOST_STREAMS = 32
"""Pages that are told events at the same time."""
POLL_S = 0.25

_FOLDER = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_LINES = tuple(
    f"{name}: {value}\r\n".encode()
    for name, value in {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }.items()
)


class OwnExchange:
    """One request for something under `/-/`, and its answer."""

    def __init__(self, client: ClientConnection, request: Incoming) -> None:
        self._client, self._request = client, request
        self._serving = client.serving
        self._task: asyncio.Task[None] | None = None
        self._slow = False
        self._streaming = False
        self._done = False
        self.streams_request = False
        self.sending_paused = False
        self.deadline = 0.0

    # --- the client's side, as in Exchange ----------------------------------------------------------------

    def begin(self) -> None:
        """Refuse, answer, or begin to."""
        path = self._request.target.partition(b"?")[0].decode("latin-1")
        why = readers.refused(self._request.forward, page=path in {"/", PAGE_PATH})
        if why is not None:
            self._give(_json({"Message": why}, status=403))
        elif path == METRICS_PATH:
            self._give(answers.plain(self._serving.meters.prometheus(), meters.CONTENT_TYPE))
        elif path == "/":
            self._give(answers.plain("", "text/plain", status=302), f"Location: {PAGE_PATH}\r\n".encode())
        else:
            self._task = self._serving.loop.create_task(self._answer(path))

    def client_left(self) -> None:
        self._end()

    def client_is_slow(self) -> None:
        self._slow = True

    def client_keeps_up(self) -> None:
        self._slow = False

    def cut(self) -> None:
        """End now: the endpoint is going."""
        self._end()
        self._client.abort()

    def drain(self) -> None:
        """End a stream, which would go on for ever, as if it were whole; its page asks again, and finds nobody."""
        if self._streaming and not self._done:
            self._end()
            self._client.write(b"" if self._request.version_10 else wire.LAST_CHUNK)
            self._client.exchange_done(close=True)

    def expire(self) -> None:
        """Do nothing: nobody is waited for."""

    def refuse(self, error: ErrorAnswer) -> None:
        """Do nothing: no body is read."""

    def body_arrived(self, data: bytes) -> None:
        """Do nothing, likewise."""

    def body_grew(self) -> None:
        """Do nothing, likewise."""

    def request_complete(self) -> None:
        """Do nothing, likewise."""

    # --- steps --------------------------------------------------------------------------------------------

    async def _answer(self, path: str) -> None:
        source, loop = self._serving.page, self._serving.loop
        try:
            if path == EVENTS_PATH and source is not None:
                await self._stream()
                return
            if path == ENDPOINT_PATH and source is not None:
                answer = _json(await loop.run_in_executor(None, source.describe))
            elif path == ENDPOINTS_PATH and source is not None:
                answer = _json(await loop.run_in_executor(None, source.endpoints))
            else:
                answer = await loop.run_in_executor(None, _file, path)
        except Exception as error:  # noqa: BLE001 - a page that cannot be told is no reason to stop serving
            loop.call_exception_handler({"message": "the gateway's page failed", "exception": error})
            answer = _json({"Message": f"the gateway's page failed: {type(error).__name__}"}, status=500)
        if self._streaming:
            self.cut()
        elif not self._done:
            self._give(answer)

    def _give(self, answer: ErrorAnswer, *lines: bytes) -> None:
        self._done = True
        close = self._must_close()
        content_type = f"Content-Type: {answer.content_type}\r\n".encode()
        framing = wire.content_length(len(answer.body))
        self._client.write(
            self._head(answer.status, (content_type, *lines), framing, close=close) + answer.body
        )
        self._client.exchange_done(close=close)

    async def _stream(self) -> None:
        from sm_emulate.gateway.page_feed import PageFeed

        serving, request = self._serving, self._request
        assert serving.page is not None
        if len(serving.streams) >= MOST_STREAMS:
            self._give(_json({"Message": f"{MOST_STREAMS} pages are open already."}, status=503))
            return
        query = request.target.partition(b"?")[2].decode("latin-1")
        feed = PageFeed(serving.page, self._last_event_id() or _since(query))
        self._streaming = True
        request.flushes = True  # a client that closes its sending half is gone
        serving.streams.add(self)
        framing = b"" if request.version_10 else b"Transfer-Encoding: chunked\r\n"
        head = self._head(200, (b"Content-Type: text/event-stream\r\n",), framing, close=request.version_10)
        self._client.write(head)
        while not self._done:
            # a page that does not keep up is told later; what is older than one reading is lost to it
            if not self._slow:
                text = await serving.loop.run_in_executor(None, _worded, feed)
                if text and not self._done:
                    self._client.write(text if request.version_10 else wire.chunk(text))
            await asyncio.sleep(POLL_S)

    def _end(self) -> None:
        self._done = True
        self._serving.streams.discard(self)
        if self._task is not None:
            self._task.cancel()

    def _must_close(self) -> bool:
        return not (self._request.keep_alive and self._request.complete) or self._serving.draining

    def _head(self, status: int, lines: tuple[bytes, ...], framing: bytes, *, close: bool) -> bytes:
        connection = b"Connection: close\r\n" if close else b""
        if not close and self._request.version_10:
            connection = b"Connection: keep-alive\r\n"
        return self._serving.wording.answer_head(
            status, (*lines, *_LINES), framing, connection, invoked=False
        )

    def _last_event_id(self) -> str:
        from sm_emulate.gateway.captured import header_of

        return header_of(self._request.forward, b"Last-Event-ID") or ""


def _since(query: str) -> str:
    from urllib.parse import parse_qs

    return parse_qs(query).get("since", [""])[0]


def _worded(feed: Any) -> bytes:
    """Give a round of messages as server-sent events; the last says how far the page has come."""
    messages = feed.round()
    if not messages:
        return b""
    blocks = [
        f"event: {message.kind}\ndata: {json.dumps(message.data, separators=(',', ':'))}\n"
        for message in messages
    ]
    blocks[-1] += f"id: {feed.position}\n"
    return ("\n".join(blocks) + "\n").encode()


def _file(path: str) -> ErrorAnswer:
    """Give one of the page's files; in a thread."""
    name = path.removeprefix(PAGE_PATH) or "index.html"
    file = _FOLDER / name
    if "/" in name or file.suffix not in _TYPES or not file.is_file():
        return _json({"Message": f"There is no {path} here. The page is {PAGE_PATH}"}, status=404)
    return answers.plain(file.read_text(encoding="utf-8"), _TYPES[file.suffix])


def _json(document: Any, *, status: int = 200) -> ErrorAnswer:
    return answers.plain(json.dumps(document, indent=2) + "\n", "application/json", status=status)
