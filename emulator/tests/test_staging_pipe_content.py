"""What a Pipe channel sends, piece by piece, without a pipe."""

from __future__ import annotations

import gzip
import json
import random
import struct

import pytest

from sm_emulate import api
from sm_emulate.errors import RequestError, SmEmulateError, StorageError
from sm_emulate.spec.profiles import DEFAULT_PROFILE
from sm_emulate.spec.settings import Settings
from sm_emulate.staging import recordio
from sm_emulate.staging.augmented import members
from sm_emulate.staging.cluster import Host
from sm_emulate.staging.pipe_content import PipeContent, Span
from sm_emulate.storage.fifo import read_exactly
from sm_emulate.storage.s3_place import S3Place

HOSTS = [Host(name=f"algo-{number}", instance_type="ml.m5.large", group="g") for number in (1, 2)]


@pytest.fixture
def made(tmp_path):
    contents = []

    def make(*, hosts=HOSTS[:1], setting=(), **channel):
        request = api.training_request("img", channels={"x": api.channel(mode="Pipe", **channel)})
        contents.append(
            PipeContent(
                request.input_data_config[0],
                hosts=hosts,
                s3=S3Place(),
                settings=Settings(DEFAULT_PROFILE, dict(setting)),
                scratch=tmp_path,
            )
        )
        return contents[-1]

    yield make
    for each in contents:
        each.close()


def sent(content, epoch=0, host=HOSTS[0]):
    whole = b""
    for piece in content.epoch(epoch, host):
        if isinstance(piece, bytes):
            whole += piece
        elif piece.size is None:
            while data := piece.file.read(1 << 16):
                whole += data
        else:
            whole += read_exactly(piece.file, piece.size)
    return whole


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    for number in range(12):
        file = folder / f"{number % 3}" / f"{number:02}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number:02} ")
    return folder


IN_ORDER = b"00 03 06 09 01 04 07 10 02 05 08 11 "


def test_objects_come_in_the_order_of_their_keys(made, data):
    assert sent(made(source=str(data))) == IN_ORDER
    assert sent(made(source=str(data)), epoch=5) == IN_ORDER


def test_one_file_is_that_file_and_not_its_neighbours(made, data):
    (data / "0" / "00.more").write_text("neighbour")
    assert sent(made(source=str(data / "0" / "00"))) == b"00 "


def test_a_folder_is_not_its_namesake(made, data):
    (data.parent / "data2").mkdir()
    (data.parent / "data2" / "x").write_text("namesake")
    assert sent(made(source=str(data))) == IN_ORDER


def test_an_empty_channel_sends_nothing(made, tmp_path):
    (tmp_path / "empty").mkdir()
    assert sent(made(source=str(tmp_path / "empty"))) == b""


def test_what_is_shuffled_is_in_another_order_in_each_epoch(made, data):
    content = made(source=str(data), shuffle_seed="3")
    epochs = [sent(content, epoch) for epoch in range(4)]
    assert len(set(epochs)) == 4
    assert {tuple(sorted(epoch.split())) for epoch in epochs} == {tuple(sorted(IN_ORDER.split()))}
    assert [sent(made(source=str(data), shuffle_seed="3"), epoch) for epoch in range(4)] == epochs
    assert sent(made(source=str(data), shuffle_seed="4")) != epochs[0]


def test_hosts_share_the_objects_and_when_shuffled_get_others_in_each_epoch(made, data):
    plain = made(source=str(data), hosts=HOSTS, distribution="ShardedByS3Key")
    first, second = (sent(plain, 0, host).split() for host in HOSTS)
    assert (len(first), len(second)) == (6, 6)
    assert sorted(first + second) == sorted(IN_ORDER.split())
    assert sent(plain, 1).split() == first
    shuffled = made(source=str(data), hosts=HOSTS, distribution="ShardedByS3Key", shuffle_seed="1")
    mine = [set(sent(shuffled, epoch).split()) for epoch in range(3)]
    assert mine[0] != mine[1]
    for epoch in range(3):
        assert sorted([*mine[epoch], *sent(shuffled, epoch, HOSTS[1]).split()]) == sorted(IN_ORDER.split())


def test_a_manifest_file_is_followed_in_its_order(made, data):
    (data / "manifest").write_text(json.dumps([{"prefix": f"file://{data}/"}, "2/11", "0/00"]))
    assert sent(made(source=str(data / "manifest"), type="ManifestFile")) == b"11 00 "


def test_strings_of_an_augmented_manifest_are_bare_or_quoted_as_set(made, data):
    line = '{"b": "d\\u00e4 \\"x\\"", "n": 1.0, "big": 12345678901234567890, "o": {"k" : [1, null]}, "t": true}\n\n'
    (data / "lines").write_text(line * 2)
    given = {
        "source": str(data / "lines"),
        "type": "AugmentedManifestFile",
        "attributes": "t:b:n:big:o",
    }
    rest = '1.012345678901234567890{"k" : [1, null]}'
    assert sent(made(**given)).decode() == f'truedä "x"{rest}' * 2
    quoted = made(**given, setting={"augmented-string-attributes": "quoted"})
    assert sent(quoted).decode() == f'true"d\\u00e4 \\"x\\""{rest}' * 2


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('{"a": "x"}\n[1]\n', "line 2 of the augmented manifest is no JSON object"),
        ('{"a": "x"} {"a": "y"}\n', "line 1 of the augmented manifest is no JSON object: more behind it"),
        ('{"a": \n', "line 1 of the augmented manifest is no JSON object"),
        ("{1: 2}\n", "line 1 of the augmented manifest is no JSON object"),
        ('{"b": "x"}\n', "line 1 of the augmented manifest has no attribute a"),
    ],
)
def test_an_augmented_manifest_is_checked_before_it_is_sent(made, data, lines, words):
    (data / "lines").write_text(lines)
    with pytest.raises(RequestError, match=words):
        made(source=str(data / "lines"), type="AugmentedManifestFile", attributes="a")


def test_a_reference_must_be_a_uri_of_something(made, data):
    given = {"source": str(data / "lines"), "type": "AugmentedManifestFile", "attributes": "x-ref"}
    (data / "lines").write_text('{"x-ref": 7}\n')
    with pytest.raises(RequestError, match="x-ref is no URI but 7"):
        made(**given)
    (data / "lines").write_text('{"x-ref": "none"}\n')
    with pytest.raises(RequestError, match="an object of the augmented manifest is not there"):
        sent(made(**given))


def test_members_keep_the_text_of_their_values():
    assert members(' {"a" : 1.50 ,"b":{} , "c" :"\\u0041"}\r\n') == {
        "a": (1.5, "1.50"),
        "b": ({}, "{}"),
        "c": ("A", '"\\u0041"'),
    }
    assert members("{}") == {}


def test_lines_are_shuffled_as_a_whole(made, data):
    (data / "lines").write_text("".join(f'{{"a": "{number:02}", "b": "-"}}\n' for number in range(30)))
    content = made(
        source=str(data / "lines"), type="AugmentedManifestFile", attributes="b:a", shuffle_seed="1"
    )
    epochs = [sent(content, epoch).decode() for epoch in range(2)]
    assert epochs[0] != epochs[1]
    assert [sorted(epoch.split("-")) for epoch in epochs] == [
        ["", *(f"{number:02}" for number in range(30))]
    ] * 2


def test_a_record_is_magic_flag_and_length_payload_and_padding():
    assert recordio.record(b"abcde") == bytes.fromhex("0a23d7ce 05000000") + b"abcde\0\0\0"
    assert recordio.record(b"") == bytes.fromhex("0a23d7ce 00000000")
    (part,) = recordio.parts((1 << 29) - 1)
    assert part.header == bytes.fromhex("0a23d7ce ffffff1f")


@pytest.mark.parametrize("size", [9, 10, 12, 17, 23, 24, 25])
def test_what_is_too_long_for_one_part_comes_in_several_told_by_flags(size):
    parts = list(recordio.parts(size, longest=11))
    words = [struct.unpack("<II", part.header) for part in parts]
    assert {magic for magic, _ in words} == {0xCED7230A}
    assert [word & (1 << 29) - 1 for _, word in words] == [part.length for part in parts]
    assert sum(part.length for part in parts) == size
    flags = [word >> 29 for _, word in words]
    assert flags == ([0] if size <= 11 else [1, *[2] * (len(flags) - 2), 3])
    assert all(not part.padding for part in parts[:-1])
    assert (parts[-1].length + len(parts[-1].padding)) % 4 == 0


def test_a_large_object_is_one_record_also_when_it_was_packed(made, tmp_path):
    whole = random.Random(1).randbytes(9_000_001)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.gz").write_bytes(gzip.compress(whole, 1))
    content = made(source=str(tmp_path / "data"), compression="Gzip", record_wrapper="RecordIO")
    assert sent(content) == struct.pack("<II", 0xCED7230A, len(whole)) + whole + bytes(3)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("damage", ["cut", "changed", "plain"])
def test_damaged_gzip_is_told_by_its_name(made, tmp_path, damage):
    packed = gzip.compress(b"abc" * 1000)
    bad = {"cut": packed[:-9], "changed": packed[:-6] + b"\xff" * 6, "plain": b"abc"}[damage]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.gz").write_bytes(bad)
    with pytest.raises(RequestError, match=r"data/a\.gz is no gzip, or not whole"):
        sent(made(source=str(tmp_path / "data"), compression="Gzip"))


def test_an_object_that_goes_or_shrinks_meanwhile_is_an_error(made, tmp_path):
    file = tmp_path / "data" / "a"
    file.parent.mkdir()
    file.write_bytes(b"x" * 100)
    content = made(source=str(tmp_path / "data"))
    epoch = content.epoch(0, HOSTS[0])
    span = next(epoch)
    assert isinstance(span, Span)
    file.write_bytes(b"x")
    with pytest.raises(StorageError):
        read_exactly(span.file, span.size)
    epoch.close()
    file.unlink()
    with pytest.raises(SmEmulateError, match="the data cannot be read"):
        sent(content)
