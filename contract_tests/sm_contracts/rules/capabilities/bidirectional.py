"""What bidirectional streaming asks of a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sm_contracts.evidence.bidirectional import Frames, Handshake, Pong
from sm_contracts.evidence.image import Configuration
from sm_contracts.roles import Role
from sm_contracts.rule import Fail, Inconclusive, Outcome, Pass, Severity, rule
from sm_contracts.rules.capabilities import sources
from sm_contracts.rules.capabilities.label import label_is_true

if TYPE_CHECKING:
    from collections.abc import Iterator

LABEL = "com.amazonaws.sagemaker.capabilities.bidirectional-streaming"


@rule(
    "SM621",
    "bidirectional-label-missing",
    severity=Severity.ERROR,
    roles=Role.BIDIRECTIONAL,
    needs=Configuration,
    source=sources.BIDIRECTIONAL,
)
def bidirectional_label_missing(configuration: Configuration) -> Iterator[Outcome]:
    """The image does not say that it takes bidirectional streams.

    What:
        The image has no label com.amazonaws.sagemaker.capabilities.bidirectional-streaming with the value `true`.

    Why:
        SageMaker opens WebSockets only to containers of images with that label. Without it callers of
        InvokeEndpointWithBidirectionalStream are refused, whatever the container could do.

    Fix:
        Write `LABEL com.amazonaws.sagemaker.capabilities.bidirectional-streaming=true` into the Dockerfile.
    """
    yield from label_is_true(configuration, LABEL)


@rule(
    "SM622",
    "no-websocket-upgrade",
    severity=Severity.ERROR,
    roles=Role.BIDIRECTIONAL,
    needs=Handshake,
    source=sources.BIDIRECTIONAL,
)
def no_websocket_upgrade(seen: Handshake) -> Iterator[Outcome]:
    """The container opens no WebSocket at the path where SageMaker asks for one.

    What:
        A healthy container does not answer the WebSocket handshake at /invocations-bidirectional-stream on port 8080
        with 101 and the key that RFC 6455 asks for.

    Why:
        There SageMaker connects for each InvokeEndpointWithBidirectionalStream, unless the caller names another path.
        Callers get ModelError.

    Fix:
        Serve a WebSocket at that path, beside /ping. uvicorn needs a library for it: `pip install websockets`; without
        one it answers 404. A proxy in front must pass `Upgrade` and `Connection` on.
    """
    if seen.ok:
        yield Pass({"path": seen.path})
    else:
        yield Fail(f"GET {seen.path} opens no WebSocket: {seen.trouble}", seen.as_evidence())


@rule(
    "SM623",
    "binary-frames",
    severity=Severity.WARNING,
    roles=Role.BIDIRECTIONAL,
    needs=Frames,
    source=sources.BIDIRECTIONAL,
)
def binary_frames(seen: Frames) -> Iterator[Outcome]:
    """The container ends the conversation at a binary frame.

    What:
        The sample payload is taken as a text frame; the same bytes in a binary frame make the container close the
        WebSocket or drop the connection.

    Why:
        A part whose caller gives no DataType arrives as a binary frame, be it JSON. Callers who forget it, and SDKs
        that never set it, meet ModelStreamError.

    Fix:
        Take both: decode a binary frame as UTF-8 where text is expected. Starlette: look for both `text` and `bytes` in
        what `receive()` gives.
    """
    shown = {"text": seen.text.as_evidence(), "binary": seen.binary.as_evidence()}
    if seen.binary.taken:
        yield Pass(shown)
    elif seen.text.taken:
        yield Fail(f"the container {seen.binary} after a binary frame; a text frame it took", shown)
    else:
        yield Inconclusive(
            f"the container {seen.text} after a text frame, too",
            "the payload may be none that it knows"
            if seen.sample
            else "give --data with a message that it knows",
        )


@rule(
    "SM624",
    "no-pong",
    severity=Severity.ERROR,
    roles=Role.BIDIRECTIONAL,
    needs=Pong,
    source=sources.BIDIRECTIONAL,
)
def no_pong(seen: Pong) -> Iterator[Outcome]:
    """A ping frame is not answered with a pong.

    What:
        On a WebSocket where nothing else happens, a ping frame is not answered within 20 seconds.

    Why:
        SageMaker pings each WebSocket every 60 seconds, and closes it after five pings in a row without a pong: every
        conversation ends after five minutes.

    Fix:
        Use a library that answers pings by itself, as nearly all do, and let it: code that computes without giving
        control back holds up the answer as well.
    """
    if seen.seconds is not None:
        yield Pass({"seconds": round(seen.seconds, 3)})
    elif seen.closed:
        yield Inconclusive(
            f"the container closed the idle WebSocket before it answered a ping: {seen.closed}"
        )
    else:
        yield Fail(f"a ping was not answered within {seen.window_s:g} s", {"window_s": seen.window_s})
