"""Input objects of transform jobs, cut into request bodies."""

from __future__ import annotations

import io
import struct

import pytest

from sm_emulate.request.record_filter import record_filter
from sm_emulate.staging.payloads import BadInputError, Packing

ALL = record_filter("$", what="InputFilter")


def bodies(data, *, split="Line", single=False, limit=None, kept="$", content_type="text/csv", joins=False):
    packing = Packing(
        split_type=split,
        single=single,
        limit_bytes=limit,
        content_type=content_type,
        kept=record_filter(kept, what="InputFilter"),
        joins=joins,
    )
    return payloads(packing, io.BytesIO(data))


def payloads(packing, stream):
    return [batch.payload(number) for batch in packing.batches(stream) for number in range(len(batch.bodies))]


def sent(data, **how):
    return [payload.body for payload in bodies(data, **how)]


def recordio(*records):
    out = b""
    for record, flag in records:
        out += struct.pack("<II", 0xCED7230A, flag << 29 | len(record)) + record + b"\0" * (-len(record) % 4)
    return out


def tfrecord(*records):
    return b"".join(struct.pack("<QI", len(each), 1) + each + struct.pack("<I", 2) for each in records)


@pytest.mark.parametrize("joins", [False, True])
def test_as_many_lines_as_fit_make_a_body(joins):
    data = b"aa\nbb\ncc\ndd"
    assert sent(data, limit=6, joins=joins) == [b"aa\nbb\n", b"cc\ndd"]
    assert sent(data, limit=5, joins=joins) == [b"aa\n", b"bb\n", b"cc\ndd"]
    assert sent(data, joins=joins) == [data]
    assert sent(b"", joins=joins) == []


def test_bodies_together_are_the_object_whatever_the_limit():
    lines = b"".join(b"%d,%s\n" % (number, b"x" * (number % 50)) for number in range(3000))
    for limit in (100, 1000, 4096, 1 << 20):
        found = sent(lines, limit=limit)
        assert b"".join(found) == lines
        assert max(map(len, found)) <= limit
        assert all(body.endswith(b"\n") for body in found)


def test_a_single_record_is_a_line_with_its_end():
    assert sent(b"a\r\nb\n\nc", single=True) == [b"a\r\n", b"b\n", b"\n", b"c"]


def test_without_splitting_the_object_is_one_body():
    assert sent(b"a\nb\n", split="None") == [b"a\nb\n"]


@pytest.mark.parametrize("how", [{}, {"single": True}, {"split": "None"}, {"joins": True}])
def test_a_record_over_the_limit_is_an_error(how):
    with pytest.raises(BadInputError, match="larger than MaxPayloadInMB allows"):
        bodies(b"a\n" + b"x" * 11 + b"\nb\n", limit=10, **how)


def test_recordio_keeps_its_framing_in_batches_and_loses_it_alone():
    data = recordio((b"one", 0), (b"tw", 1), (b"o", 3), (b"three", 0))
    assert sent(data, split="RecordIO") == [data]
    assert sent(data, split="RecordIO", single=True) == [b"one", b"two", b"three"]
    with pytest.raises(BadInputError, match="magic number"):
        bodies(b"no such thing", split="RecordIO")
    with pytest.raises(BadInputError, match="breaks off"):
        bodies(data[:-4], split="RecordIO")


def test_tfrecord_likewise():
    data = tfrecord(b"one", b"three")
    assert sent(data, split="TFRecord") == [data]
    assert sent(data, split="TFRecord", single=True) == [b"one", b"three"]
    with pytest.raises(BadInputError, match="breaks off"):
        bodies(data[:-1], split="TFRecord")


def test_a_filter_keeps_columns_of_each_row():
    data = b'1,"a, b",3\n2,c,4\n'
    assert sent(data, kept="$[1:]") == [b'"a, b",3\nc,4\n']
    assert sent(data, kept="$[-1]", single=True) == [b"3\n", b"4\n"]
    with pytest.raises(BadInputError, match="none at 7"):
        bodies(data, kept="$[7]")


def test_a_filter_keeps_members_of_each_document():
    data = b'{"id":1,"features":[1,2]}\n{"id":2,"features":[3]}'
    assert sent(data, kept="$.features", content_type="application/jsonlines") == [b"[1,2]\n[3]"]
    assert sent(b'{"id":1,"x":{"y":2}}', kept="$.x", split="None", content_type="application/json") == [
        b'{"y":2}'
    ]
    with pytest.raises(BadInputError, match="cannot be filtered"):
        bodies(b"no json\n", kept="$.x", content_type="application/jsonlines")


def test_records_stay_as_they_were_for_the_join():
    (payload,) = bodies(b"1,a\n2,b\n", kept="$[1]", joins=True)
    assert payload.body == b"a\nb\n"
    assert payload.records == (b"1,a\n", b"2,b\n")


class Endless(io.RawIOBase):
    """Gives bytes for ever, and counts them."""

    def __init__(self, start=b"", more=b"x"):
        self.start, self.more, self.given = start, more, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self.start[: len(buffer)] or self.more * len(buffer)
        self.start = self.start[len(data) :]
        buffer[: len(data)] = data
        self.given += len(data)
        return len(data)


@pytest.mark.parametrize(
    ("split", "start"),
    [
        ("None", b""),
        ("Line", b""),
        ("RecordIO", struct.pack("<II", 0xCED7230A, (1 << 29) - 1)),
        ("TFRecord", struct.pack("<QI", (1 << 64) - 1, 1)),
    ],
)
@pytest.mark.parametrize("single", [True, False])
def test_a_record_over_the_limit_is_not_read_to_its_end(split, start, single):
    stream = Endless(start)
    packing = Packing(
        split_type=split, single=single, limit_bytes=1 << 20, content_type="text/csv", kept=ALL, joins=not single
    )  # fmt: skip
    with pytest.raises(BadInputError, match="larger than MaxPayloadInMB allows"):
        payloads(packing, io.BufferedReader(stream))
    assert stream.given < 4 << 20


def test_a_length_that_is_damaged_is_told_without_a_limit_as_well():
    with pytest.raises(BadInputError, match="breaks off within a record"):
        sent(struct.pack("<QI", 1 << 63, 1) + b"x" * 100, split="TFRecord")


def test_a_field_of_csv_may_be_long():
    picture = b"A" * 300_000
    assert sent(b"7," + picture + b"\n", kept="$[1:]", single=True) == [picture + b"\n"]


def test_json_that_is_nested_too_deep_is_told():
    with pytest.raises(BadInputError, match="cannot be filtered"):
        sent(b"[" * 100_000 + b"\n", kept="$.a", content_type="application/jsonlines")
