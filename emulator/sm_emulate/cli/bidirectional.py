"""`sm-emulate invoke --bidirectional`: lines or chunks go out as parts, and parts come back as they come."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sm_emulate.errors import MachineError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO

    from sm_emulate.gateway.bidirectional_client import BidirectionalCall
    from sm_emulate.gateway.client import InvokeError

_CHUNK = 64 * 1024
_POLL_S = 0.2


class Outgoing:
    """What is sent, in a thread of its own: a stream that ends does not wait for a line that nobody types.

    Args:
        call: where to.
        data: the text, `@FILE`, or stdin for None and `@-`.
        binary: chunks as they are read go out as binary parts; else each line as a text part.

    Raises:
        RequestError: the file cannot be read.
    """

    def __init__(self, call: BidirectionalCall, data: str | None, *, binary: bool) -> None:
        self._call, self._binary = call, binary
        self.done_at: float | None = None
        """When the last part had been sent."""
        self.trouble: str | None = None
        self._parts = self._split(data)
        threading.Thread(target=self._send, name="outgoing parts", daemon=True).start()

    def _send(self) -> None:
        try:
            for part in self._parts:
                if not self._call.send(part, text=not self._binary):
                    return
        except OSError as error:
            self.trouble = error.strerror or str(error)
        self.done_at = time.monotonic()

    def _split(self, data: str | None) -> Iterator[bytes]:
        if data is None or data == "@-":
            # unbuffered: a thread that waits within sys.stdin's lock would keep the process from ending
            return self._pieces(open(0, "rb", buffering=0, closefd=False))
        if data.startswith("@"):
            try:
                return self._pieces(Path(data[1:]).open("rb", buffering=0))
            except OSError as error:
                raise RequestError(
                    f"the payload cannot be read: {error.strerror}",
                    value=data[1:],
                    expected="a file, or @- for stdin",
                ) from error
        return iter([data.encode()])

    def _pieces(self, file: FileIO) -> Iterator[bytes]:
        with file:
            rest = b""
            while data := file.read(_CHUNK):
                if self._binary:
                    yield data
                    continue
                *lines, rest = (rest + data).split(b"\n")
                yield from lines
            if rest:
                yield rest


class Leaving:
    """Whether a signal has asked us to leave; the second one does not ask.

    An exception in the middle of what two threads share would leave the other one waiting.
    """

    def __init__(self) -> None:
        self.asked = False

    def stop(self) -> None:
        """Ask; called by the signal's handler."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def converse(
    call: BidirectionalCall, data: str | None, leaving: Leaving, *, binary: bool, linger_s: float
) -> InvokeError | None:
    """Send what there is, print what comes, and give the error that ended the stream.

    Text parts get a line end behind each whole message; bytes go out as they are.

    Args:
        call: an open stream.
        data: see `Outgoing`.
        leaving: asked now and then; the stream is left then.
        binary: see `Outgoing`.
        linger_s: so long nothing may come after the last part; then the stream is ended.
    """
    out = sys.stdout.buffer
    outgoing = Outgoing(call, data, binary=binary)
    last = time.monotonic()
    ended = False
    while not leaving.asked:
        try:
            part = call.receive(_POLL_S)
        except TimeoutError:
            done = outgoing.done_at
            if not ended and done is not None and time.monotonic() > max(done, last) + linger_s:
                ended = True
                call.end_input()
            continue
        if part is None:
            break
        last = time.monotonic()
        out.write(part.data + b"\n" if part.text and part.complete else part.data)
        out.flush()
    if outgoing.trouble is not None:
        raise MachineError("the payload could not be read to its end", value=outgoing.trouble)
    return call.error


def refuse_mixed(given: dict[str, object]) -> None:
    """Refuse options that have no meaning for a bidirectional stream."""
    wrong = [name for name, value in given.items() if value]
    if wrong:
        raise click.UsageError(f"{wrong[0]} and --bidirectional exclude each other.")
