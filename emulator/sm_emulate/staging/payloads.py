"""An input object of a transform job becomes request bodies: split into records, filtered, put together again.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_TransformInput.html (SplitType)
"""

from __future__ import annotations

import csv
import io
import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from sm_emulate.request.record_filter import NotInRecordError, RecordFilter
from sm_emulate.request.transform import bare
from sm_emulate.staging import recordio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK_BYTES = 256 << 10
"""Read in one go: of short lines these are thousands."""
_PART_BYTES = 8 << 20
_FRAME = 16
"""Bytes of padding and checksums that a record's length leaves out, and some more."""


class BadInputError(Exception):
    """An input object cannot be sent; the words go into the job's log."""


@dataclass(frozen=True, slots=True)
class Payload:
    """The body of one request."""

    body: bytes
    records: tuple[bytes, ...] = ()
    """The records in it as they stood in the input; only where answers are joined with them."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The bodies of some requests that follow one another, without an object for each: there are millions."""

    bodies: list[bytes]
    records: list[tuple[bytes, ...]] | None = None
    """Those of each body, where answers are joined with them."""

    def payload(self, number: int) -> Payload:
        """Give one of them by itself."""
        return Payload(self.bodies[number], () if self.records is None else self.records[number])


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How an object becomes request bodies.

    Args:
        split_type: `None`, `Line`, `RecordIO` or `TFRecord`.
        single: one record in each body, instead of as many as fit.
        limit_bytes: of a body; None is no limit.
        content_type: how records are read for the filter.
        kept: what of each record is sent.
        joins: records are kept for what comes back.
    """

    split_type: str
    single: bool
    limit_bytes: int | None
    content_type: str | None
    kept: RecordFilter
    joins: bool

    def batches(self, stream: BinaryIO) -> Iterator[Batch]:
        """Give the bodies in order, as many together as were read in one go; an empty object has none.

        Raises:
            BadInputError: a record is too large, is none of its kind, or lacks what the filter names.
        """
        if self.split_type == "Line" and self.kept.keeps_all and not self.joins:
            if self.single:
                yield from self._single_lines(stream)
            else:
                yield from (Batch([block]) for block in self._line_blocks(stream))
            return
        for payload in self._payloads(stream):
            yield Batch([payload.body], [payload.records] if self.joins else None)

    def _payloads(self, stream: BinaryIO) -> Iterator[Payload]:
        change = self._filtered if not self.kept.keeps_all else None
        if self.single or self.split_type == "None":
            for record in self._records(stream):
                body = _unwrapped(record, self.split_type) if change is None else change(record)
                yield Payload(self._fitting(body), (record,) if self.joins else ())
            return
        yield from self._gathered(stream, change)

    def _gathered(self, stream: BinaryIO, change: Callable[[bytes], bytes] | None) -> Iterator[Payload]:
        bodies: list[bytes] = []
        records: list[bytes] = []
        size = 0
        for record in self._records(stream):
            body = self._fitting(record if change is None else change(record))
            if bodies and self.limit_bytes is not None and size + len(body) > self.limit_bytes:
                yield Payload(b"".join(bodies), tuple(records))
                bodies, records, size = [], [], 0
            bodies.append(body)
            size += len(body)
            if self.joins:
                records.append(record)
        if bodies:
            yield Payload(b"".join(bodies), tuple(records))

    def _records(self, stream: BinaryIO) -> Iterator[bytes]:
        if self.split_type == "Line":
            for block in _whole_lines(stream, self._longest):
                yield from _lines(block)
        elif self.split_type == "RecordIO":
            yield from _recordio(stream, self._longest)
        elif self.split_type == "TFRecord":
            yield from _tfrecord(stream, self._longest)
        elif whole := self._whole(stream):
            yield whole

    @property
    def _longest(self) -> int | None:
        """How long a record may be as it stands: a filter may make a long one short enough."""
        return self.limit_bytes if self.kept.keeps_all else None

    def _whole(self, stream: BinaryIO) -> bytes:
        """Read an object, or as much of it as tells that it is too large."""
        limit = self._longest
        if limit is None:
            return stream.read()
        whole = stream.read(limit + 1)
        if len(whole) > limit:
            raise _too_large(limit)
        return whole

    def _line_blocks(self, stream: BinaryIO) -> Iterator[bytes]:
        """Cut at the last line end that fits, without looking at single lines."""
        limit = self.limit_bytes
        if limit is None:
            if whole := stream.read():
                yield whole
            return
        rest = b""
        while True:
            more = stream.read(limit + 1 - len(rest))
            rest += more
            if len(rest) <= limit:
                if more:
                    continue
                if rest:
                    yield rest
                return
            cut = rest.rfind(b"\n", 0, limit) + 1
            if not cut:
                raise _too_large(limit)
            yield rest[:cut]
            rest = rest[cut:]

    def _single_lines(self, stream: BinaryIO) -> Iterator[Batch]:
        """Give each line by itself, by the million."""
        limit = self.limit_bytes
        for block in _whole_lines(stream, limit):
            lines = _lines(block)
            if limit is None or len(max(lines, key=len)) <= limit:
                yield Batch(lines)
                continue
            first = next(number for number, line in enumerate(lines) if len(line) > limit)
            yield Batch(lines[:first])
            raise _too_large(limit, len(lines[first]))

    def _filtered(self, record: bytes) -> bytes:
        try:
            if bare(self.content_type) == "text/csv":
                return csv_line(_as_list(self.kept.select(csv_row(record))))
            return json_text(self.kept.select(json.loads(record))) + _line_end(record)
        except (NotInRecordError, ValueError, RecursionError, csv.Error) as error:
            raise BadInputError(f"the record cannot be filtered: {error}") from error

    def _fitting(self, body: bytes) -> bytes:
        if self.limit_bytes is not None and len(body) > self.limit_bytes:
            raise _too_large(self.limit_bytes, len(body))
        return body


def csv_row(line: bytes) -> list[str]:
    """Read one line of CSV."""
    if len(line) > csv.field_size_limit():  # a picture may well be one field
        csv.field_size_limit(len(line))
    return next(csv.reader([line.decode()]), [])


def csv_line(row: list[Any]) -> bytes:
    """Write one line of CSV, its end included."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(row)
    return text.getvalue().encode()


def json_text(value: Any) -> bytes:
    """Write JSON on one line."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _line_end(record: bytes) -> bytes:
    return b"\n" if record.endswith(b"\n") else b""


def _too_large(limit: int, size: int | None = None) -> BadInputError:
    seen = f"of {size} bytes " if size is not None else ""
    return BadInputError(f"a record {seen}is larger than MaxPayloadInMB allows ({limit} bytes)")


def _whole_lines(stream: BinaryIO, longest: int | None) -> Iterator[bytes]:
    """Give blocks of whole lines; the last one may lack its end."""
    parts: list[bytes] = []
    size = 0
    while block := stream.read(BLOCK_BYTES):
        cut = block.rfind(b"\n") + 1
        if not cut:
            parts.append(block)
            size += len(block)
            if longest is not None and size > longest:
                raise _too_large(longest)
            continue
        size = len(block) - cut
        yield b"".join((*parts, block[:cut]))
        parts = [block[cut:]] if cut < len(block) else []
    if parts:
        yield b"".join(parts)


def _lines(block: bytes) -> list[bytes]:
    """Cut at newlines alone: bytes.splitlines also cuts at carriage returns."""
    return block.splitlines(keepends=True) if b"\r" not in block else list(io.BytesIO(block))


def _recordio(stream: BinaryIO, longest: int | None) -> Iterator[bytes]:
    """Give whole records of MXNet's RecordIO, framing and padding included."""
    parts: list[bytes] = []
    while head := stream.read(recordio.HEADER_BYTES):
        try:
            header = recordio.read_header(head)
        except recordio.NotRecordIOError as error:
            raise BadInputError(str(error)) from error
        parts.append(head + _exactly(stream, header.padded, longest))
        if longest is not None and (size := sum(map(len, parts))) > longest + _FRAME * len(parts):
            raise _too_large(longest, size)
        if header.ends:
            yield b"".join(parts)
            parts = []
    if parts:
        raise BadInputError("this RecordIO breaks off within a record")


def _tfrecord(stream: BinaryIO, longest: int | None) -> Iterator[bytes]:
    """Give whole TFRecords: length, its checksum, data, its checksum."""
    while head := stream.read(12):
        if len(head) < 12:
            raise BadInputError("this TFRecord breaks off within a record")
        (length,) = struct.unpack_from("<Q", head)
        yield head + _exactly(stream, length + 4, longest)


def _exactly(stream: BinaryIO, size: int, longest: int | None) -> bytes:
    """Read so many bytes, piece by piece: a damaged length may claim more than there is memory."""
    if longest is not None and size > longest + _FRAME:
        raise _too_large(longest, size)
    parts = []
    while size:
        part = stream.read(min(size, _PART_BYTES))
        if not part:
            raise BadInputError("the object breaks off within a record")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _unwrapped(record: bytes, split_type: str) -> bytes:
    """Give a record's own bytes: framing and padding are removed where a request has one record."""
    if split_type == "TFRecord":
        return record[12:-4]
    return recordio.payload_of(record) if split_type == "RecordIO" else record
