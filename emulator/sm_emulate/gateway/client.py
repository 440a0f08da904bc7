"""InvokeEndpoint for `sm-emulate invoke`: one blocking call, no AWS SDK."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote, urlsplit

from sm_emulate.errors import MachineError, RequestError
from sm_emulate.gateway.event_stream import Reader
from sm_emulate.spec import invocation as spec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sm_emulate.gateway.event_stream import Message

READ_TIMEOUT_S = 70.0
"""What AWS advises for a model that may take its 60 seconds (RT InvokeEndpoint)."""

STREAM_READ_TIMEOUT_S = spec.STREAM_TIMEOUT_S + READ_TIMEOUT_S - spec.MODEL_TIMEOUT_S
"""With as much to spare for a model that streams, and may be silent in between."""


@dataclass(frozen=True, kw_only=True)
class InvokeError:
    """An error answer of InvokeEndpoint.

    Args:
        code: the shape's name: ModelError, ValidationError, ModelStreamError ...
        message: for a person.
        original_status: what the container answered; only ModelError has it, 0 for no answer.
        original_message: the container's own body, at most 2048 characters; only ModelError has it.
        log_stream_arn: only ModelError has it.
        error_code: StreamBroken or ModelInvocationTimeExceeded; only ModelStreamError has it.
    """

    code: str
    message: str
    original_status: int | None = None
    original_message: str | None = None
    log_stream_arn: str | None = None
    error_code: str | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an endpoint answered; header names are in lower case, as HTTP does not tell them apart."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: InvokeError | None = None


def invoke(
    url: str,
    endpoint_name: str,
    body: bytes | BinaryIO,
    *,
    content_type: str | None = None,
    accept: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    on_part: Callable[[bytes], None] | None = None,
    path: str = spec.RUNTIME_PATH,
) -> Answer:
    """Invoke an endpoint and give its answer, be it a prediction or an error.

    Args:
        url: where the gateway is, such as http://127.0.0.1:8080.
        endpoint_name: the endpoint.
        body: the payload; a file is streamed from where it stands.
        content_type: MIME type of the payload.
        accept: MIME type that is wanted back.
        headers: further headers, such as X-Amzn-SageMaker-Custom-Attributes.
        timeout_s: seconds without a byte before giving up; None is what the operation's own limit asks for.
        on_part: InvokeEndpointWithResponseStream is called instead, and this with each part; the answer has no body.
        path: the operation's own, with `{endpoint_name}` in it.

    Raises:
        RequestError: `url` is not one, or a header has a line break.
        MachineError: nothing answers there, or the connection broke.
    """
    host, port, prefix = address_of(url)
    operation = path if on_part is None else spec.STREAM_PATH
    place = prefix + operation.format(endpoint_name=quote(endpoint_name, safe=""))
    if timeout_s is None:
        timeout_s = READ_TIMEOUT_S if on_part is None else STREAM_READ_TIMEOUT_S
    sent = dict(headers or {})
    if content_type is not None:
        sent["Content-Type"] = content_type
    if accept is not None:
        sent["Accept" if on_part is None else spec.ACCEPT_HEADER] = accept
    size = len(body) if isinstance(body, bytes) else _bytes_left(body)
    sent.update({"Transfer-Encoding": "chunked"} if size is None else {"Content-Length": str(size)})
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s, blocksize=256 * 1024)
    try:
        # refused while it was being sent: the answer says why, or its absence does
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", place, body=body, headers=sent, encode_chunked=size is None)
        response = connection.getresponse()
        streams = on_part is not None and response.status < 300
        content = b"" if streams else response.read()
        error = _read_stream(response, on_part) if streams and on_part is not None else None
    except ConnectionRefusedError as error:
        raise nobody_there(url) from error
    except ValueError as error:
        raise RequestError(
            "a header cannot be sent", value=str(error), expected="ASCII on one line"
        ) from error
    except BrokenPipeError:
        raise  # whoever reads the parts has left; the endpoint's own are suppressed above
    except TimeoutError as error:
        raise MachineError(f"the endpoint sent nothing for {timeout_s:g} s", value=url) from error
    except (OSError, http.client.HTTPException) as error:
        raise MachineError(
            "the connection to the endpoint broke",
            value=f"{type(error).__name__}: {error}",
            expected="an answer",
        ) from error
    finally:
        connection.close()
    got = {name.lower(): value for name, value in response.getheaders()}
    return Answer(
        status=response.status,
        headers=got,
        body=content,
        error=error if response.status < 300 else parse_error(response.status, got, content),
    )


def address_of(url: str) -> tuple[str, int | None, str]:
    """Give host, port and path of a gateway's URL.

    Raises:
        RequestError: it is none.
    """
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None  # a port that is no number, or too high a one
    if parts.scheme != "http" or not host:
        raise RequestError("this is not the address of a gateway", value=url, expected="http://HOST:PORT")
    return host, port, parts.path.rstrip("/")


def nobody_there(url: str) -> MachineError:
    """Give the error for an address at which nothing listens."""
    return MachineError(
        "no endpoint answers",
        value=url,
        expected="a gateway that `sm-emulate serve` has started",
        hint="`sm-emulate ps` shows the endpoints that run and their addresses",
    )


def _read_stream(response: http.client.HTTPResponse, on_part: Callable[[bytes], None]) -> InvokeError | None:
    """Hand out the parts as they come, and give the error that ended the stream, if one did."""
    reader = Reader()
    while data := response.read1(64 * 1024):
        try:
            messages = reader.feed(data)
        except ValueError as error:
            raise http.client.HTTPException(f"this is no event stream: {error}") from error
        for message in messages:
            ending = error_in(message)
            if ending is not None:
                return ending
            on_part(message.payload)
    if reader.unfinished:
        raise http.client.HTTPException("the event stream ended within a message")
    return None


def error_in(message: Message) -> InvokeError | None:
    """Give the error that an event is; None for one that is none."""
    headers = message.headers
    if headers.get(":message-type") == "error":
        return InvokeError(code=headers.get(":error-code", ""), message=headers.get(":error-message", ""))
    name = headers.get(":exception-type")
    if name is None:
        return None
    members = json.loads(message.payload)
    return InvokeError(
        code=name, message=str(members.get("Message")), error_code=_text(members.get("ErrorCode"))
    )


def _bytes_left(file: BinaryIO) -> int | None:
    """Give what is left to read, or None where only the end will tell (pipes)."""
    try:
        seen = os.fstat(file.fileno())
        return max(0, seen.st_size - file.tell()) if stat.S_ISREG(seen.st_mode) else None
    except OSError:
        pass  # io.BytesIO and its like have no descriptor
    if not file.seekable():
        return None
    here = file.tell()
    size = file.seek(0, os.SEEK_END) - here
    file.seek(here)
    return size


def parse_error(status: int, headers: Mapping[str, str], content: bytes) -> InvokeError:
    """Read an error answer, as rest-json has it."""
    try:
        members = json.loads(content)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        members = {}
    # the error type may carry a namespace and a URL behind its name
    code = headers.get(spec.ERROR_TYPE_HEADER.lower(), str(status)).partition(":")[0].rpartition("#")[2]
    original_status = members.get("OriginalStatusCode")
    return InvokeError(
        code=code,
        message=str(members.get("Message") or members.get("message") or content.decode("utf-8", "replace")),
        original_status=original_status if isinstance(original_status, int) else None,
        original_message=_text(members.get("OriginalMessage")),
        log_stream_arn=_text(members.get("LogStreamArn")),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
