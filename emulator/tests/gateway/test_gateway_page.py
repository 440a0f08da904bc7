"""What the gateway tells under /-/, to whom, and as which JSON."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from sm_emulate.gateway import EndpointFront, Fleet, Gateway, Upstream, VariantFront
from sm_emulate.gateway.own import MOST_STREAMS, POLL_S
from sm_emulate.gateway.page_source import PageSource
from sm_emulate.gateway.run_tail import Tail
from sm_emulate.storage.run_folder import RunFolder

WAIT_SECONDS = 180
AT = "2026-01-31T12:00:00.000+00:00"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@dataclass
class Scene:
    """A gateway whose run folder is written by hand."""

    gateway: Gateway
    run: RunFolder
    described: dict
    hidden: list = field(default_factory=list)
    open: list = field(default_factory=list)

    def ask(self, path, headers=(), method="GET"):
        client = self.connect()
        client.request(method, path, headers=dict(headers))
        answer = client.getresponse()
        answer.body = answer.read()
        return answer

    def json(self, path):
        answer = self.ask(path)
        assert answer.status == 200
        assert answer.getheader("Content-Type") == "application/json"
        return json.loads(answer.body)

    def connect(self):
        client = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=WAIT_SECONDS)
        self.open.append(client)
        return client

    def follow(self, path="/-/events", headers=()):
        client = self.connect()
        client.request("GET", path, headers=dict(headers))
        return Stream(client.getresponse())

    def event(self, kind, **fields):
        with self.run.events.open("a") as file:
            file.write(json.dumps({"event": kind, "at": AT, **fields}) + "\n")

    def invoked(self, at=AT, status=200, **fields):
        given = {"model_seconds": 0.01, "overhead_seconds": 0.001, "variant": "a", "path": "/invocations"}
        self.event("Invoked", **{**given, "original_status": status, "at": at, **fields})

    def log(self, host, text):
        """Add to a log, all of it in one moment: a page may look at any."""
        file = self.run.log(host)
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.read_bytes() if file.exists() else b""
        new = file.with_name("being-written")
        new.write_bytes(before + (text if isinstance(text, bytes) else text.encode()))
        new.replace(file)


class Stream:
    """Reads server-sent events as a browser does."""

    def __init__(self, answer):
        self.answer, self.id = answer, ""

    def next(self):
        kind = data = None
        while line := self.answer.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                data = json.loads(value)
            elif name == "id":
                self.id = value
            elif not name and kind:
                return kind, data
        return None

    def until(self, kind):
        """Give the next message of a kind, and what came before it."""
        before = []
        while (message := self.next()) is not None:
            if message[0] == kind:
                return message[1], before
            before.append(message)
        raise AssertionError(f"no {kind} came, only {before}")


@pytest.fixture
def scene(tmp_path):
    run = RunFolder(tmp_path / "endpoints" / "iris", "endpoints")
    (run.path / "logs").mkdir(parents=True)
    described = {"EndpointName": "iris", "EndpointStatus": "InService", "Emulator": {"Url": "http://here"}}
    hidden = []
    source = PageSource(run=run, describe=lambda: described, hidden=lambda: hidden)
    upstream = Upstream(host="127.0.0.1", port=9)
    fleet = Fleet(variants=(VariantFront(variant_name="a", upstreams=(upstream,)),))
    gateway = Gateway(EndpointFront(endpoint_name="iris", fleet=fleet), page=source)
    gateway.start()
    made = Scene(gateway, run, described, hidden)
    yield made
    for client in made.open:
        client.close()
    gateway.close(grace_s=0)
    assert gateway._failure is None


# --- where it is ------------------------------------------------------------------------------------------


def test_a_browser_that_opens_the_gateway_is_led_to_the_page(scene):
    answer = scene.ask("/", BROWSER)
    assert (answer.status, answer.getheader("Location")) == (302, "/-/")
    page = scene.ask("/-/", BROWSER)
    assert (page.status, page.getheader("Content-Type")) == (200, "text/html; charset=utf-8")
    assert b'<script type="module" src="/-/page.js">' in page.body


def test_a_client_of_the_api_gets_its_error_for_the_root_as_before(scene):
    answer = scene.ask("/", {"Accept": "*/*"})
    assert answer.status == 404
    assert answer.getheader("x-amzn-ErrorType") == "UnknownOperationException"


@pytest.mark.parametrize(
    "path", ["/-/nothing", "/-/../own.py", "/-/page/page.js", "/-/%2e%2e/own.py", "/-/own.py", "/-/.."]
)
def test_nothing_but_the_page_s_own_files_is_given(scene, path):
    assert scene.ask(path).status == 404


def test_only_get_is_served_there(scene):
    assert scene.ask("/-/endpoint", method="POST").status == 404
    assert scene.ask("/-/endpoint", method="OPTIONS").status == 404


def test_a_gateway_without_facts_has_its_metrics_only(gateways, serve):
    gateway = gateways(serve(lambda seen: b""))
    for path, status in (("/-/metrics", 200), ("/-/endpoint", 404), ("/-/events", 404)):
        client = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=WAIT_SECONDS)
        client.request("GET", path)
        assert client.getresponse().status == status
        client.close()


# --- who may read it --------------------------------------------------------------------------------------

OWN = ["/-/", "/-/page.js", "/-/endpoint", "/-/endpoints", "/-/events", "/-/metrics"]


@pytest.mark.parametrize("path", [*OWN, "/"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8080"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
def test_pages_of_others_are_refused(scene, path, headers):
    answer = scene.ask(path, BROWSER | headers)
    assert answer.status == 403
    assert set(json.loads(answer.body)) == {"Message"}


@pytest.mark.parametrize(
    "host", ["127.0.0.1:80", "localhost", "LOCALHOST:1", "[::1]:9", "host.docker.internal:8"]
)
def test_this_machine_s_own_names_may_read(scene, host):
    assert scene.ask("/-/endpoint", {"Host": host}).status == 200


def test_the_page_itself_may_read(scene):
    host = f"127.0.0.1:{scene.gateway.port}"
    headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert scene.ask("/-/endpoint", headers).status == 200


def test_a_link_of_another_page_may_lead_to_the_page_and_to_no_facts(scene):
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert scene.ask("/-/", BROWSER | link).status == 200
    assert scene.ask("/-/endpoint", BROWSER | link).status == 403


@pytest.mark.parametrize("path", OWN)
def test_every_answer_is_fenced_in(scene, path):
    headers = scene.follow().answer.headers if path == "/-/events" else scene.ask(path).headers
    assert not [name for name in headers if name.lower().startswith("access-control")]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


# --- the facts --------------------------------------------------------------------------------------------


def test_the_endpoint_as_describe_gives_it(scene):
    assert scene.json("/-/endpoint") == scene.described


def test_the_endpoints_in_service_this_one_first(scene):
    holds, held = threading.Event(), threading.Event()

    def run(name, description, *, alive=True):
        folder = scene.run.path.with_name(name)
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps(description))
        if alive:
            (folder / "owner").write_text("7\n")

    page = {"Url": "http://127.0.0.1:1", "Page": "http://127.0.0.1:1/-/", "Image": "img:2"}
    run("b", {"EndpointName": "b", "EndpointStatus": "InService", "CreationTime": AT, "Emulator": page})
    run("a", {"EndpointName": "a", "EndpointStatus": "InService"}, alive=False)
    holding = threading.Thread(target=hold, args=(scene.run.path.with_name("b") / "owner", holds, held))
    holding.start()
    try:
        assert holds.wait(WAIT_SECONDS)
        listed = scene.json("/-/endpoints")
    finally:
        held.set()
        holding.join()
    assert [each["EndpointName"] for each in listed] == ["iris", "b"]
    assert listed[1] == {
        "EndpointName": "b",
        "EndpointStatus": "InService",
        "CreationTime": AT,
        "Image": "img:2",
        "Url": "http://127.0.0.1:1",
        "Page": "http://127.0.0.1:1/-/",
        "This": False,
    }
    assert set(listed[0]) == set(listed[1])


def hold(owner, holds, until):
    import fcntl

    with owner.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        holds.set()
        until.wait(WAIT_SECONDS)


def test_a_fact_that_cannot_be_had_stops_nothing(scene):
    scene.described["Emulator"] = None
    answer = scene.ask("/-/endpoints")
    assert (answer.status, "AttributeError" in answer.body.decode()) == (500, True)
    assert scene.ask("/-/endpoint").status == 200


# --- the events -------------------------------------------------------------------------------------------


def test_a_page_hears_at_once_how_the_endpoint_stands_and_what_was(scene):
    scene.event("Pinged", status=200, seconds=0.0012, failure="", host="a")
    scene.log("a/instance-1", "one\ntwo\n")
    stream = scene.follow()
    assert stream.answer.getheader("Content-Type") == "text/event-stream"
    assert stream.next() == ("endpoint", scene.described)
    kind, tick = stream.next()
    assert (kind, set(tick)) == ("tick", {"At"})
    assert stream.next() == (
        "event",
        {"event": "Pinged", "at": AT, "status": 200, "seconds": 0.0012, "failure": "", "host": "a"},
    )
    assert stream.next() == ("log", {"Host": "a/instance-1", "Text": "one\ntwo\n", "Lost": 0})


def test_news_come_as_they_are_written_in_whole_lines(scene):
    stream = scene.follow()
    stream.until("tick")
    scene.log("a", "half")
    stream.until("tick")
    scene.log("a", " a line\n")
    log, _ = stream.until("log")
    assert log == {"Host": "a", "Text": "half a line\n", "Lost": 0}
    scene.event("Warned", message="look")
    assert stream.until("event")[0] == {"event": "Warned", "at": AT, "message": "look"}


def test_how_it_stands_is_told_again_when_it_changes_and_only_then(scene):
    stream = scene.follow()
    stream.until("endpoint")
    scene.described["LastModifiedTime"] = "later"
    stream.until("tick")
    assert [kind for kind, _ in stream.until("tick")[1]] == []
    scene.described["EndpointStatus"] = "Updating"
    assert stream.until("endpoint")[0]["EndpointStatus"] == "Updating"


def test_invocations_are_summed_up_by_second_and_variant(scene):
    for seconds in (0.01, 0.02, 0.03):
        scene.invoked(model_seconds=seconds)
    scene.invoked(status=400)
    scene.invoked(status=None, at="2026-01-31T12:00:01.500+00:00")
    scene.invoked(variant="b")
    scene.invoked(path="/ping")
    stream = scene.follow()
    told = [stream.until("invocations")[0] for _ in range(3)]
    second = 1769860800
    assert [(each["At"] - second, each["Variant"]) for each in told] == [(0, "a"), (0, "b"), (1, "a")]
    assert told[0] == {
        "At": second,
        "Variant": "a",
        "Invocations": 4,
        "Invocation4XXErrors": 1,
        "Invocation5XXErrors": 0,
        "ModelLatency": {"p50": 10000.0, "p99": 30000.0, "Maximum": 30000.0},
        "OverheadLatency": {"p50": 1000.0, "p99": 1000.0, "Maximum": 1000.0},
    }
    assert (told[2]["Invocations"], told[2]["Invocation5XXErrors"]) == (1, 1)


@pytest.mark.parametrize("way", ["query", "header"])
def test_a_page_that_comes_back_hears_what_it_missed_and_nothing_twice(scene, way):
    scene.log("a", "old\n")
    scene.event("Noted", message="old")
    stream = scene.follow()
    stream.until("log")
    stream.until("tick")
    stream.answer.close()
    scene.log("a", "new\n")
    scene.log("b", "of one that started meanwhile\n")
    scene.event("Noted", message="new")
    again = (
        scene.follow("/-/events", {"Last-Event-ID": stream.id})
        if way == "header"
        else scene.follow(f"/-/events?since={stream.id.replace('%', '%25').replace('&', '%26')}")
    )
    again.until("tick")
    assert again.next() == ("event", {"event": "Noted", "at": AT, "message": "new"})
    assert again.next() == ("log", {"Host": "a", "Text": "new\n", "Lost": 0})
    assert again.next() == ("log", {"Host": "b", "Text": "of one that started meanwhile\n", "Lost": 0})


@pytest.mark.parametrize(
    "since", ["x", "events=-1", "events=99999999999999999999", "events=9&log%3A..%2F..%2Fx=0"]
)
def test_a_made_up_position_harms_nothing(scene, since):
    (scene.run.path.parent / "x.log").write_text("not a log of this endpoint\n")
    scene.log("a", "line\n")
    stream = scene.follow("/-/events", {"Last-Event-ID": since})
    log, before = stream.until("log")
    assert (log["Host"], log["Text"]) == ("a", "line\n")
    assert "not a log" not in str(before)


def test_a_page_that_does_not_keep_up_loses_the_oldest_lines_and_is_told(scene):
    line = b"x" * 99 + b"\n"
    scene.log("a", b"first\n")
    stream = scene.follow()
    stream.until("log")
    scene.log("a", line * 10_000)
    log, _ = stream.until("log")
    assert log["Lost"] >= 1_000_000 - 256 * 1024
    assert log["Text"].encode().replace(line, b"") == b""


def test_a_page_that_takes_nothing_is_told_later_and_not_all(scene):
    page = scene.follow()
    page.until("tick")
    (stream,) = scene.gateway._serving.streams
    call = scene.gateway._loop.call_soon_threadsafe
    call(stream.client_is_slow)  # as the transport does when its buffer is full
    scene.log("a", b"x" * 99 + b"\n")
    threading.Event().wait(4 * POLL_S)
    scene.log("a", (b"y" * 99 + b"\n") * 10_000)
    call(stream.client_keeps_up)
    while (log := page.until("log")[0])["Lost"] == 0:
        pass  # a round that was under way when it became slow
    assert log["Lost"] >= 1_000_000 - 256 * 1024
    assert set(log["Text"]) == {"y", "\n"}


def until(seen):
    for _ in range(WAIT_SECONDS * 100):
        if seen():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came")


def test_secrets_are_hidden_even_where_the_container_prints_them(scene):
    scene.hidden.append("hunter2-very-long")
    scene.log("a", "the password is hunter2-very-long.\n")
    scene.event("Warned", message="hunter2-very-long is wrong")
    stream = scene.follow()
    event, _ = stream.until("event")
    assert event["message"] == "*** is wrong"
    assert stream.until("log")[0]["Text"] == "the password is ***.\n"


def test_there_are_only_so_many_streams(scene):
    streams = [scene.follow() for _ in range(MOST_STREAMS)]
    assert {stream.answer.status for stream in streams} == {200}
    assert scene.ask("/-/events").status == 503
    assert scene.ask("/-/endpoint").status == 200


def test_a_stop_ends_the_streams_in_good_order_and_waits_for_none(scene):
    stream = scene.follow()
    stream.until("tick")
    closing = threading.Thread(target=scene.gateway.close, args=(10 * WAIT_SECONDS,))
    closing.start()
    while stream.next() is not None:
        pass
    assert stream.answer.read() == b""  # the last chunk came
    closing.join(WAIT_SECONDS)
    assert not closing.is_alive()


def test_a_page_that_left_is_forgotten(scene):
    stream = scene.follow()
    stream.until("tick")
    stream.answer.close()
    scene.open[-1].close()
    until(lambda: not scene.gateway._serving.streams)


def test_an_old_client_gets_the_stream_until_it_ends(scene):
    begins, received = b"event: endpoint\ndata: {", b""
    with socket.create_connection(("127.0.0.1", scene.gateway.port), timeout=WAIT_SECONDS) as client:
        client.sendall(b"GET /-/events HTTP/1.0\r\nHost: localhost\r\n\r\n")
        while begins not in received:
            part = client.recv(65536)
            assert part
            received += part
        closing = threading.Thread(target=scene.gateway.close)
        closing.start()
        while part := client.recv(65536):
            received += part
        closing.join()
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert body.startswith(begins)


# --- the tail of a file -----------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    return tmp_path / "log"


def test_a_file_that_is_not_there_yet_is_read_from_its_beginning(file):
    tail = Tail(file, most=100, position=0)
    assert tail.read() == (b"", 0)
    file.write_bytes(b"a\nb")
    assert tail.read() == (b"a\n", 0)
    assert tail.position == 2


@pytest.mark.parametrize(
    ("seed", "given"),
    [(0, b""), (1, b""), (3, b"cc\n"), (4, b"cc\n"), (6, b"bb\ncc\n"), (100, b"aa\nbb\ncc\n")],
)
def test_a_seed_is_whole_lines_of_the_end(file, seed, given):
    file.write_bytes(b"aa\nbb\ncc\n")
    tail = Tail(file, most=100, seed=seed)
    assert tail.read() == (given, 0)
    assert tail.position == 9
    assert tail.read() == (b"", 0)


def test_a_line_without_an_end_is_given_in_pieces(file):
    file.write_bytes(b"x" * 25)
    tail = Tail(file, most=10, position=15)
    assert tail.read() == (b"x" * 10, 0)
    assert tail.position == 25


def test_a_file_that_was_replaced_is_read_from_its_beginning(file):
    file.write_bytes(b"new\n")
    assert Tail(file, most=10, position=500).read() == (b"new\n", 0)


# --- the page ---------------------------------------------------------------------------------------------


class Strict(HTMLParser):
    """Knows every element, its attributes, and that each is closed in turn."""

    def __init__(self):
        super().__init__()
        self.open, self.elements = [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "input", "link", "br", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def elements(scene):
    parser = Strict()
    parser.feed(scene.ask("/-/").body.decode())
    parser.close()
    assert parser.open == []
    return parser.elements


def test_the_page_needs_nothing_from_elsewhere(scene, elements):
    named = [given[key] for _, given in elements for key in ("src", "href") if given.get(key)]
    files = [name for name in named if name.startswith("/-/")]
    assert set(named) - set(files) == {"#main"}
    assert {scene.ask(name).status for name in files} == {200}
    texts = [scene.ask(f"/-/{name}").body.decode() for name in ("page.css", *SCRIPTS)]
    for text in texts:
        assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)\S+|url\(|@import", text) == []


SCRIPTS = ("page.js", "plot.js", "log.js", "send.js", "frames.js")


def test_every_element_that_the_scripts_look_for_is_there(scene, elements):
    ids = [given["id"] for _, given in elements if "id" in given]
    assert len(ids) == len(set(ids))
    scripts = "".join(scene.ask(f"/-/{name}").body.decode() for name in SCRIPTS)
    looked_for = set(re.findall(r'\$\("([\w-]+)"\)', scripts))
    assert looked_for <= set(ids)
    assert len(looked_for) > 20
    imported = set(re.findall(r'from "\./([\w.]+)"', scripts))
    assert imported == set(SCRIPTS) - {"page.js"}


def test_everything_has_a_name_for_those_who_cannot_see_it(elements):
    ids = {given["id"] for _, given in elements if "id" in given}
    assert elements[0] == ("html", {"lang": "en"})
    for tag, given in elements:
        if "aria-labelledby" in given:
            assert given["aria-labelledby"] in ids
        if given.get("tabindex") == "0" or tag in {"section", "nav"}:
            assert given.get("aria-label") or given.get("aria-labelledby")
