"""Feeding a container: stopping at any moment, answers that come out of turn, disks that are full."""

from __future__ import annotations

import io
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sm_emulate.artifacts.transform_output import Assembly
from sm_emulate.errors import MachineError
from sm_emulate.gateway.caller import Caller
from sm_emulate.gateway.front import Upstream
from sm_emulate.lifecycle.transform import feed as feeding
from sm_emulate.lifecycle.transform.files import TransformFile
from sm_emulate.lifecycle.transform.sending import Sending
from sm_emulate.request.record_filter import record_filter
from sm_emulate.request.transform import DataProcessing
from sm_emulate.staging.payloads import Packing
from sm_emulate.storage.objects import StoredObject

ALL = record_filter("$", what="InputFilter")


class Store:
    """Objects that are made up as they are read."""

    def __init__(self, opened):
        self.open = opened


def sending(connections=1, limit=100):
    return feeding.Sending(
        connections=connections, headers={"Host": "x"}, timeout_s=180, connect_timeout_s=180, retries=0,
        retries_5xx=False, streams=False, chunked=False, gzip=False,
        packing=Packing(
            split_type="Line", single=True, limit_bytes=limit, content_type=None, kept=ALL, joins=False
        ),
        assembly=Assembly(lines=True, split=True, processing=DataProcessing(), content_type=None),
    )  # fmt: skip


def feed(tmp_path, opened, *, port=1, count=1, **more):
    found = [StoredObject(uri=f"file:///in/{n}", key=f"in/{n}", size=1, etag="e") for n in range(count)]
    return feeding.Feed(
        upstream=Upstream(host="127.0.0.1", port=port),
        files=[TransformFile(n, each, str(n), tmp_path / "outputs" / str(n)) for n, each in enumerate(found)],
        store=Store(opened),
        sending=sending(**more),
        log=lambda _: None,
        finished=lambda file: file.close(),
        stopping=lambda: False,
    )


@pytest.fixture
def echo():
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


class Slow(io.RawIOBase):
    """Blocks within its first read until it is let go."""

    def __init__(self):
        self.reading, self.go_on = threading.Event(), threading.Event()

    def readable(self):
        return True

    def readinto(self, _):
        self.reading.set()
        assert self.go_on.wait(180)
        return 0


def test_a_stop_while_an_object_is_read_ends_without_an_error(tmp_path):
    slow = Slow()
    work = Sending([feed(tmp_path, lambda _: slow)], wake=lambda: None)
    work.start()
    assert slow.reading.wait(180)
    work.stop()
    threading.Timer(0.2, slow.go_on.set).start()
    work.join()
    assert work.error is None
    assert slow.closed


def test_a_stop_right_after_the_start_is_heard(tmp_path):
    for _ in range(50):
        work = Sending([feed(tmp_path, lambda _: io.BytesIO(b"a\n" * 1000))], wake=lambda: None)
        work.start()
        work.stop()
        work.join()
        assert work.error is None


def test_answers_are_written_in_the_order_of_their_records(tmp_path, echo):
    lines = b"".join(b"%d\n" % number for number in range(2000))
    fed = feed(tmp_path, lambda _: io.BytesIO(lines), port=echo, connections=8, count=3)
    work = Sending([fed], wake=lambda: None)
    work.start()
    work.join()
    assert (work.error, [file.failure for file in fed.files]) == (None, [None] * 3)
    assert [file.draft.read_bytes() for file in fed.files] == [lines] * 3
    assert all(file.whole and file.waiting_bytes == 0 for file in fed.files)


def test_small_bodies_need_no_event_loop_be_they_of_one_object_or_of_many(tmp_path, echo, monkeypatch):
    async def call(*_, **__):
        raise AssertionError("this one went another way")

    monkeypatch.setattr(Caller, "call", call)
    one = feed(tmp_path, lambda _: io.BytesIO(b"a\n" * 5000), port=echo)
    many = feed(tmp_path, lambda _: io.BytesIO(b"b\n"), port=echo, count=304)
    for fed in (one, many):
        work = Sending([fed], wake=lambda: None)
        work.start()
        work.join()
        assert work.error is None
        assert all(file.whole for file in fed.files)
    assert (one.counts.requests, many.counts.requests) == (5000, 304)


def test_long_bodies_that_are_read_ahead_keep_their_order_as_well(tmp_path, echo):
    lines = b"".join(b"%d," % number * 5000 + b"\n" for number in range(60))
    fed = feed(tmp_path, lambda _: io.BytesIO(lines), port=echo, connections=3, limit=1 << 20, count=2)
    work = Sending([fed], wake=lambda: None)
    work.start()
    work.join()
    assert (work.error, [file.failure for file in fed.files]) == (None, [None] * 2)
    assert [file.draft.read_bytes() for file in fed.files] == [lines] * 2
    assert fed.counts.requests == 120


def test_an_output_that_cannot_be_written_is_this_machine_s_fault_and_ends_all_instances(tmp_path, echo):
    (tmp_path / "outputs").write_text("a file where a folder should be")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        work = Sending(
            [
                feed(tmp_path, lambda _: io.BytesIO(b"a\n"), port=silent.getsockname()[1]),
                feed(tmp_path, lambda _: io.BytesIO(b"a\n"), port=echo),
            ],
            wake=lambda: None,
        )
        work.start()
        work.join()
    assert isinstance(work.error, MachineError)
    assert work.error.what.startswith("the output cannot be written")
