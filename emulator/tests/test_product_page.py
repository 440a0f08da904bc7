"""The page at the gateway's address, in a real browser: what a person sees and sends there."""

from __future__ import annotations

import json
import re
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from browser import Browser, needs_browser
from product import PYTHON

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("page"), needs_browser]

SERVER = (
    PYTHON
    + """\
import os
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

go_on = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, b"")

    def do_POST(self):
        payload = self.rfile.read(int(self.headers["Content-Length"]))
        word, _, rest = payload.partition(b" ")
        if word == b"print":
            print(rest.decode(), flush=True)
            self.answer(200, b"printed")
        elif word == b"status":
            self.answer(int(rest), b"<b>as asked</b>")
        elif word == b"bytes":
            self.answer(200, bytes(range(256)), "application/octet-stream")
        elif word == b"headers":
            seen = "".join(f"{name}={value};" for name, value in self.headers.items())
            self.answer(200, seen.encode())
        elif word == b"go":
            go_on.set()
            self.answer(200, b"gone")
        elif word == b"parts":
            self.parts(rest.split())
        else:
            self.answer(200, payload, self.headers.get("Content-Type", "text/plain"))

    def parts(self, words):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for word in words:
            if word == b"wait":
                go_on.wait()
            elif word == b"break":
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            else:
                self.wfile.write(b"%x\\r\\n%b\\n\\r\\n" % (len(word) + 1, word))
        self.wfile.write(b"0\\r\\n\\r\\n")

    def answer(self, status, body, content_type="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("", 8080), Handler)
server.daemon_threads = True
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
print("\\x1b[32mready\\x1b[0m <script>document.title = 'taken'</script>", flush=True)
print("the key is", os.environ.get("API_KEY"), flush=True)
server.serve_forever()
"""
)
SECRET = "swordfish-and-more"


@pytest.fixture(scope="module")
def endpoints(new_product, images):
    """Two endpoints of one home: `demo` with two variants, and `other`, an asynchronous one."""
    product = new_product("page")
    image = images.make(serve=SERVER)
    demo = (
        "--endpoint-name",
        "demo",
        "--variant",
        f"second={image},weight=0",
        "--environment",
        f"API_KEY={SECRET}",
    )
    with ThreadPoolExecutor() as both:
        later = ("--async-output", product.tmp / "answers")
        other = both.submit(product.serve, image, "--endpoint-name", "other", *later)
        served = product.serve(image, *demo, "--setting", "ping-interval=1")
        yield served, other.result()
    assert product.strike() == [], "left behind on the engine"


@pytest.fixture(scope="module")
def browser(endpoints, tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture
def page(browser, endpoints):
    """The page of `demo`, opened anew and connected; at the end it has nothing to complain of."""
    browser.complaints()
    browser.open(endpoints[0]["Emulator"]["Url"])
    browser.until_text("#name", "demo")
    yield browser
    assert [
        line for line in browser.complaints() if "the server responded with a status of" not in line
    ] == []


def invoke(endpoints, payload):
    url = endpoints[0]["Emulator"]["Url"] + "/invocations"
    with urllib.request.urlopen(urllib.request.Request(url, payload, method="POST"), timeout=60) as answer:
        return answer.read()


def send(page, payload, operation="invoke"):
    """Fill in the form and send it; the answer's first line once it is over."""
    begin(page, payload, operation)
    page.until(lambda: page.find("#go").is_enabled(), "the end of the answer")
    return page.text("#outcome")


def begin(page, payload, operation="invoke"):
    page.choose("#operation", operation)
    page.write("#text", payload)
    page.find("#go").click()


def test_the_address_of_the_gateway_shows_the_endpoint_and_its_neighbours(page, endpoints):
    demo, other = endpoints
    assert page.driver.current_url == demo["Emulator"]["Page"]
    page.until_text("#status", "InService")
    rows = page.until_text("#variants", "second").splitlines()
    shown = [re.sub(r" sm-emulate\S+", "", row) for row in rows]
    assert [row.startswith(("AllTraffic 1 of 1 1 ", "second 1 of 1 0 ")) for row in shown] == [True, True]
    assert page.driver.title == "demo · InService"
    page.until_text("#endpoints", "other")
    # the list is drawn anew every few seconds
    hrefs = page.until(
        lambda: [
            link.get_attribute("href") for link in page.driver.find_elements("css selector", "#endpoints a")
        ]
    )
    assert hrefs == [other["Emulator"]["Page"]]
    page.until(lambda: page.find("#endpoints a").click() or True, "the click on the neighbour")
    page.until_text("#name", "other")
    assert page.text("#endpoints [aria-current]").startswith("other")


def test_pings_are_drawn_as_they_happen(page):
    def told():
        return page.script("return document.querySelector('#pings .now').textContent")

    before = page.until(told, "the pings that were")
    page.until(lambda: told() != before, "one more ping")
    path = '#pings [data-series="AllTraffic/instance-1"] path'
    assert page.until(lambda: page.find(path).get_attribute("d"), "its line").count("L") > 0
    label = page.find("#pings svg").get_attribute("aria-label")
    assert re.match(
        r"Ping\. AllTraffic/instance-1: last [\d.]+ ms, highest [\d.]+ ms, \d+ values; second/", label
    )
    assert re.search(r"AllTraffic/instance-1 [\d.]+ ms", page.text("#pings .now"))


def test_latency_and_invocations_are_drawn_as_they_happen(page, endpoints):
    for _ in range(3):
        invoke(endpoints, b"x")
    page.until_text("#latency .now", "model p50")
    for series in ("model p50", "model p99", "overhead p50"):
        assert page.driver.find_elements("css selector", f'#latency [data-series="{series}"] path')
    page.until(
        lambda: page.driver.find_elements("css selector", '#rate [data-series="AllTraffic"] path'), "a rate"
    )
    assert "Invocations per second. AllTraffic: last" in page.find("#rate svg").get_attribute("aria-label")
    page.until(lambda: int(page.text("#variants tr").split(" 1 of 1 1 ")[1].split()[0]) >= 3, "the count")


def test_logs_come_as_they_are_written_and_stay_text(page, endpoints):
    page.until_text("#log", "ready <script>document.title = 'taken'</script>")
    assert page.driver.title == "demo · InService"
    invoke(endpoints, b"print loud and clear")
    page.until_text("#log", "AllTraffic/instance-1 loud and clear")
    page.choose("#host", "second/instance-1")
    assert "loud" not in page.text("#log")
    page.choose("#host", "")
    page.write("#filter", "LOUD AND")
    assert page.text("#log").splitlines()[-1] == "AllTraffic/instance-1 loud and clear"
    assert "ready" not in page.text("#log")


def test_secrets_of_the_request_are_nowhere_on_the_page(page, endpoints):
    page.until_text("#log", "the key is ***")
    assert SECRET not in page.driver.page_source
    with urllib.request.urlopen(endpoints[0]["Emulator"]["Page"] + "endpoint", timeout=60) as answer:
        assert SECRET not in answer.read().decode()


def test_a_payload_is_sent_and_the_answer_shown(page):
    assert re.match(r"200 OK · 8 bytes after [\d.]+ ms, headers after [\d.]+ ms", send(page, '{"a":1}\n'))
    assert json.loads(page.text("#body")) == {"a": 1}
    assert page.text("#body").splitlines() == ["{", '  "a": 1', "}"]
    page.find("#answer details summary").click()
    assert "x-amzn-invoked-production-variant AllTraffic" in page.text("#headers")


def test_every_parameter_reaches_the_container(page):
    page.choose("[name=target_variant]", "second")
    page.write("[name=type]", "text/csv")
    page.write("[name=accept]", "text/plain")
    page.find("#send details summary").click()
    page.write("[name=custom_attributes]", "trace=7")
    page.write("[name=inference_id]", "one")
    assert send(page, "headers ").startswith("200 OK")
    shown = page.text("#body")
    for line in (
        "Content-Type=text/csv;",
        "Accept=text/plain;",
        "X-Amzn-SageMaker-Custom-Attributes=trace=7;",
        "X-Amzn-SageMaker-Inference-Id=one;",
        "X-Amzn-SageMaker-Target-Variant=second;",
    ):
        assert line in shown
    assert "Origin" not in shown


def test_a_file_is_sent_byte_for_byte(page, tmp_path):
    file = tmp_path / "payload.bin"
    file.write_bytes(bytes(range(256)) * 8)
    page.write("[name=type]", "application/octet-stream")
    page.find("#file").send_keys(str(file))
    page.find("#go").click()
    assert page.until_text("#outcome", "bytes").startswith("200 OK · 2048 bytes")
    assert page.text("#body").startswith(
        "000000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f  ................"
    )


def test_an_error_of_the_model_is_shown_in_sagemaker_s_words_and_as_text(page):
    assert send(page, "status 500").startswith("424 Failed Dependency · ")
    error = json.loads(page.text("#body"))
    assert (error["OriginalStatusCode"], error["OriginalMessage"]) == (500, "<b>as asked</b>")


def test_a_stream_is_shown_part_by_part(page, endpoints):
    begin(page, "parts one wait two", "stream")
    page.until_text("#body", "one")
    assert "two" not in page.text("#body")
    invoke(endpoints, b"go on")
    page.until_text("#outcome", "8 bytes in 2 parts")
    assert page.text("#body").split() == ["one", "two"]


def test_a_stream_that_breaks_off_says_why(page):
    outcome = send(page, "parts one break", "stream")
    assert outcome.startswith("200 OK · 4 bytes")
    assert "ModelStreamError" in page.text("#body .error")
    assert "bad" in page.find("#outcome b").get_attribute("class")


def test_the_container_s_own_stream_is_shown_as_it_is(page):
    # this container knows no such path, and answers any POST
    assert send(page, "parts one two", "openai").startswith("200 OK · 8 bytes")
    assert page.text("#body").split() == ["one", "two"]


def test_an_asynchronous_endpoint_says_where_the_answer_will_be(page, endpoints):
    page.open(endpoints[1]["Emulator"]["Page"])
    page.until_text("#name", "other")
    assert page.find("#operation").get_property("value") == "async"
    page.write("#text", "later")
    page.find("#go").click()
    page.until_text("#outcome", "202 Accepted")
    assert "/answers/" in page.until_text("#headers", "x-amzn-sagemaker-outputlocation")


@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_is_wider_than_the_window(page, width):
    page.driver.set_window_size(width, 900)
    page.until_text("#log", "ready")
    assert page.script("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_by_day_and_by_night(page, scheme):
    """Every colour of text against its ground: at least 4.5 to 1, as WCAG's level AA asks."""
    page.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    colours = page.script(
        """
        const style = getComputedStyle(document.documentElement);
        const probe = document.body.appendChild(document.createElement("i"));
        const read = (name) => {
          probe.style.color = style.getPropertyValue(name);
          return getComputedStyle(probe).color.match(/[0-9.]+/g).map(Number);
        };
        const names = ["ground", "card", "field", "ink", "soft", "blue", "good", "bad", "warn"];
        const found = Object.fromEntries(names.map((name) => [name, read(`--${name}`)]));
        probe.remove();
        return found;
        """
    )
    assert (luminance(colours["ground"]) > 0.5) == (scheme == "light")
    weak = {
        (ground, text): round(contrast(colours[ground], colours[text]), 2)
        for ground in ("ground", "card", "field")
        for text in ("ink", "soft", "blue", "good", "bad", "warn")
        if contrast(colours[ground], colours[text]) < 4.5
    }
    assert weak == {}


def luminance(colour):
    parts = [part / 255 for part in colour[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)
