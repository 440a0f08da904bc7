"""Answers that a broken, hostile or merely odd container may give, made at random, and what SageMaker makes of each."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GOOD = b"well again"
GOOD_HEAD = OK + b"Content-Type: text/csv\r\nContent-Length: %d\r\n\r\n" % len(GOOD)


@dataclass(frozen=True, kw_only=True)
class Whole:
    """It is passed on."""

    body: bytes


@dataclass(frozen=True, kw_only=True)
class Refused:
    """ModelError: the container's own, or no answer at all (0)."""

    original: int = 0
    message: str | None = None


@dataclass(frozen=True, kw_only=True)
class BrokenOff:
    """The head was right, the body was not: ModelError, or an event at the end of a stream that had begun."""

    original: int = 0
    until: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Documented:
    """Whole or one of the errors: the answer is a right one with random damage."""


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """One answer, what the container does then, and what the caller is to get."""

    kind: str
    data: bytes
    then: str
    expected: Whole | Refused | BrokenOff | Documented
    cuts: tuple[int, ...] = ()
    """Where it is sent in pieces."""

    def pieces(self):
        edges = [0, *sorted(self.cuts), len(self.data)]
        return [self.data[start:end] for start, end in itertools.pairwise(edges) if end > start]


def answers(random, count):
    """Give so many hostile answers, each kind about as often as any other."""
    kinds = list(_KINDS)
    for number in range(count):
        name = kinds[number % len(kinds)]
        made = _KINDS[name](random)
        cuts = tuple(random.randrange(len(made.data) + 1) for _ in range(random.choice((0, 0, 1, 3))))
        yield replace(made, kind=name, cuts=cuts)


_KINDS = {}


def _kind(make):
    _KINDS[make.__name__] = make
    return make


def _made(data, then, expected):
    return Hostile(kind="", data=data, then=then, expected=expected)


def _end(random):
    return random.choice(("close", "reset"))


def _any_end(random):
    return random.choice(("close", "reset", "hold"))


def _text(random, most=200):
    return bytes(random.choices(b"abc,.0123456789\n", k=random.randint(1, most)))


def _head(random, length, status=200):
    more = random.sample(
        (
            b"Server: x\r\n",
            b"Content-Type: text/csv\r\n",
            b"X-Amzn-SageMaker-Custom-Attributes: a=b\r\n",
            b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
            b"Connection: keep-alive\r\n",
        ),
        random.randrange(4),
    )
    return b"HTTP/1.1 %d X\r\n%bContent-Length: %d\r\n\r\n" % (status, b"".join(more), length)


def _right(random, status=200):
    """A right answer and its body."""
    body = _text(random)
    if random.random() < 0.5:
        return _head(random, len(body), status) + body, body
    return b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n" % status + _chunks(
        random, body
    ) + b"0\r\n\r\n", body


def _chunks(random, body):
    made = b""
    while body:
        size = random.randint(1, len(body))
        form = random.choice((b"%x\r\n", b"%X\r\n", b"0%x\r\n", b"%x;name=value\r\n"))
        made += form % size + body[:size] + b"\r\n"
        body = body[size:]
    return made


# --- no answer ----------------------------------------------------------------------------------------------


@_kind
def nothing(random):
    return _made(b"", _end(random), Refused())


@_kind
def garbage(random):
    # not what a head or the empty lines before one may begin with
    first = random.choice([byte for byte in range(256) if byte not in b"H\r\n"])
    return _made(bytes([first]) + random.randbytes(random.randint(1, 3000)), _any_end(random), Refused())


@_kind
def head_cut(random):
    head = _head(random, 5)
    return _made(head[: random.randint(1, len(head) - 1)], _end(random), Refused())


@_kind
def other_protocol(random):
    return _made(
        random.choice(
            (
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\x10\0\0\0\x06\0\x01\0\0",
                b"<html><body>It works</body></html>",
                b"setosa\nversicolor\n",
                b"\x15\x03\x01\0\x02\x02\x0a",
                b"SSH-2.0-OpenSSH_9.2p1\r\n",
                b"220 mail ESMTP\r\n",
                b"GET /invocations HTTP/1.1\r\nHost: x\r\n\r\n",
                b"HTTP/2 200\r\ncontent-length: 2\r\n\r\nok",
                b"ICY 200 OK\r\n\r\nabc",
            )
        ),
        _any_end(random),
        Refused(),
    )


@_kind
def status_line(random):
    line = random.choice(
        (
            b"HTTP/1.1", b"HTTP/1.1 ", b"HTTP/1.1 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 -200 OK",
            b"HTTP/1.1 2e2 OK", b"HTTP/1.1\t200 OK", b"HTTP/x 200 OK", b"HTTP/9.9 200 OK", b"HTTP/11 200 OK",
            b"HTTPS/1.1 200 OK", b"HTTP/1.1 600 X", b"HTTP/1.1 999 X", b"HTTP/1.1 000 X", b"HTTP/1.1 099 X",
            b"HTTP 200 OK", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket",
        )
    )  # fmt: skip
    return _made(line + b"\r\nContent-Length: 2\r\n\r\nok", _any_end(random), Refused())


@_kind
def wrong_length(random):
    value = random.choice(
        (
            b"-1",
            b"+2",
            b"2.0",
            b"0x2",
            b"two",
            b"2,2",
            b"2 2",
            b"2;",
            b"\xb2",
            b"9" * 25,
            b"18446744073709551616",
            b"2\x00",
        )
    )
    return _made(OK + b"Content-Length: " + value + b"\r\n\r\nok", _any_end(random), Refused())


@_kind
def two_lengths(random):
    first, second = random.sample(range(20), 2)
    head = OK + b"Content-Length: %d\r\nContent-Length: %d\r\n\r\n" % (first, second)
    return _made(head + b"a" * 20, _any_end(random), Refused())


@_kind
def length_and_chunks(random):
    lines = [b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"]
    random.shuffle(lines)
    return _made(OK + b"".join(lines) + b"\r\n3\r\nabc\r\n0\r\n\r\n", _any_end(random), Refused())


@_kind
def header_line(random):
    line = random.choice(
        (
            b"Content-Type text/csv", b"Content-Type : text/csv", b": text/csv", b"Content-Type: a\0b", b"A\0B: c",
            b"Content-Type: a\rb", b" folded: x", b"(a): b", b"a b: c", b"\x80\x81: c", b"Content-Type: a\x01b",
        )
    )  # fmt: skip
    return _made(OK + line + b"\r\nContent-Length: 2\r\n\r\nok", _any_end(random), Refused())


@_kind
def flood(random):
    size = random.randint(70_000, 400_000)
    data = random.choice(
        (
            OK + b"X-Flood: y\r\n" * (size // 12),
            OK
            + b"".join(b"X-%d: y\r\n" % number for number in range(size // 8))
            + b"Content-Length: 0\r\n\r\n",
            OK + b"X-Long: " + b"y" * size,
            OK + b"y" * size,
            b"HTTP/1.1 200 " + b"y" * size,
            b"HTTP/1.1 100 Continue\r\n\r\n" * (size // 25),
            b"HTTP/1.1 103 X\r\nLink: </x>\r\n\r\n" * (size // 28),
        )
    )
    return _made(data, _any_end(random), Refused())


# --- the container's own errors -----------------------------------------------------------------------------


@_kind
def error(random):
    status = random.choice((300, 302, 307, 400, 403, 404, 408, 413, 415, 429, 451, 500, 502, 503, 504, 599))
    data, body = _right(random, status)
    return _made(data, random.choice(("close", "hold")), Refused(original=status, message=body.decode()))


@_kind
def error_in_bytes(random):
    body = random.randbytes(random.randint(0, 5000))
    status = random.randint(400, 599)
    message = body.decode("utf-8", "replace")
    return _made(_head(random, len(body), status) + body, "hold", Refused(original=status, message=message))


@_kind
def error_cut(random):
    status = random.choice((400, 500))
    return _made(_head(random, 300, status) + _text(random), _end(random), BrokenOff(original=status))


# --- a body that breaks off ---------------------------------------------------------------------------------


@_kind
def body_cut(random):
    body = _text(random)
    sent = body[: random.randrange(len(body))]
    return _made(_head(random, len(body)) + sent, "close", BrokenOff(until=sent))


@_kind
def familiar_head_and_body_cut(random):
    sent = GOOD[: random.randrange(len(GOOD))]
    return _made(GOOD_HEAD + sent, "close", BrokenOff(until=sent))


@_kind
def chunks_cut(random):
    body = _text(random)
    return _made(CHUNKED + _chunks(random, body), "close", BrokenOff(until=body))


@_kind
def chunk_size(random):
    body = _text(random) if random.random() < 0.7 else b""
    size = random.choice(
        (b"zz", b"-3", b"", b" ", b"3 3", b"F" * 17, b"0x3", b"3\0", b"\xb3", b"+3", b"3\r\nabcde")
    )
    return _made(
        CHUNKED + _chunks(random, body) + size + b"\r\nabc\r\n0\r\n\r\n",
        _any_end(random),
        BrokenOff(until=body + (b"abc" if size.startswith(b"3\r\n") else b"")),
    )


# --- odd, but right -----------------------------------------------------------------------------------------


@_kind
def right(random):
    data, body = _right(random)
    return _made(data, random.choice(("close", "hold")), Whole(body=body))


@_kind
def garbage_behind(random):
    body = _text(random)
    behind = random.choice(
        (random.randbytes(50), b"\r\n\r\n", b"HTTP/1.1 500 X\r\n\r\n", _head(random, 5) + b"again")
    )
    return _made(_head(random, len(body)) + body + behind, _any_end(random), Whole(body=body))


@_kind
def familiar_head_and_more(random):
    behind = random.choice((b"x", b"\r\n", GOOD_HEAD + GOOD, GOOD_HEAD[:20], random.randbytes(9)))
    return _made(GOOD_HEAD + GOOD + behind, random.choice(("close", "hold")), Whole(body=GOOD))


@_kind
def informed(random):
    first = random.choice(
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 X\r\n\r\n", b"HTTP/1.1 103 X\r\nLink: <a>\r\n\r\n")
    )
    data, body = _right(random)
    return _made(first * random.randint(1, 20) + data, "hold", Whole(body=body))


@_kind
def many_headers(random):
    lines = b"".join(b"X-%d: y\r\n" % number for number in range(1000))
    body = _text(random)
    return _made(OK + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body, "hold", Whole(body=body))


@_kind
def until_close(random):
    body = _text(random, 5000)
    version = random.choice((b"1.0", b"1.1"))
    return _made(b"HTTP/%b 200 OK\r\n\r\n" % version + body, "close", Whole(body=body))


@_kind
def closing(random):
    body = _text(random)
    head = OK + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    return _made(head + body, random.choice(("close", "hold")), Whole(body=body))


@_kind
def trailers(random):
    body = _text(random)
    end = b"0\r\nContent-Type: text/x\r\nX-Checksum: 1\r\n\r\n"
    return _made(CHUNKED + _chunks(random, body) + end, "hold", Whole(body=body))


@_kind
def bodyless(random):
    more = random.choice((b"", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"))
    return _made(b"HTTP/1.1 204 X\r\n" + more + b"\r\n", random.choice(("close", "hold")), Whole(body=b""))


# --- damage -------------------------------------------------------------------------------------------------


@_kind
def damaged(random):
    data = bytearray(_right(random)[0])
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(data))
        what = random.random()
        if what < 0.4:
            data[at] = random.randrange(256)
        elif what < 0.6:
            del data[at : at + random.randint(1, 8)]
        elif what < 0.8:
            data[at:at] = random.randbytes(random.randint(1, 8))
        else:
            data[at:at] = data[random.randrange(len(data)) :][:20]
        data = data or bytearray(b"x")
    return _made(bytes(data), _end(random), Documented())


@_kind
def damaged_familiar(random):
    data = bytearray(GOOD_HEAD + GOOD)
    data[random.randrange(len(data))] = random.randrange(256)
    return _made(bytes(data), _end(random), Documented())
