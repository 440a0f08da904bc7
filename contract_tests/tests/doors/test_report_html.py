"""The page: it needs nothing else, cannot be abused, and works in a real browser."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from sm_contracts.reports import render
from sm_contracts.reports.markdown import to_html
from sm_contracts.reports.timeline import picture, thinned

VOID = {"meta", "input", "link", "br", "img", "hr"}


class Strict(HTMLParser):
    """Knows every element, its attributes, and that each is closed in turn."""

    def __init__(self):
        super().__init__()
        self.open, self.elements = [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def page(verdict):
    return render(verdict, "html")


@pytest.fixture
def elements(page):
    parser = Strict()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser.elements


def test_it_needs_no_network_and_no_other_file(page, elements):
    assert {tag for tag, _ in elements} & {"link", "img", "iframe", "object", "embed", "base"} == set()
    assert not any("src" in attributes for _, attributes in elements)
    assert "@import" not in page
    assert "url(" not in page
    (policy,) = [
        given["content"] for tag, given in elements if given.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'")


def test_what_a_container_wrote_stays_text(page, elements):
    assert sum(tag == "script" for tag, _ in elements) == 1
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\x1b" not in page
    page.encode()


def test_everything_has_a_name_for_those_who_cannot_see_it(elements):
    ids = [given["id"] for _, given in elements if "id" in given]
    assert len(ids) == len(set(ids))
    for tag, given in elements:
        if tag == "svg":
            assert given["role"] == "img"
        if "aria-labelledby" in given:
            assert given["aria-labelledby"] in ids
        if given.get("tabindex") == "0" or tag == "input":
            assert given["aria-label"]
    assert elements[0] == ("html", {"lang": "en"})


def test_every_rule_is_there_the_broken_ones_first_and_open(elements, verdict):
    rules = [given for tag, given in elements if tag == "details" and "data-status" in given]
    assert [given["id"] for given in rules] == ["SM304", "SM330", "SM311", "SM103", "SM101", "SM112", "SM202"]
    assert ["open" in given for given in rules] == [True, *[False] * 6]


def test_lives_pings_and_invocations_are_drawn(elements):
    drawn = [given.get("class") for tag, given in elements if tag in {"rect", "circle"}]
    assert drawn.count("life") == 1
    assert drawn.count("life bad") == 1  # 137: killed
    assert drawn.count("ping") == 1
    assert drawn.count("ping bad") == 2  # too slow, and no answer
    assert drawn.count("invocation bad") == 1


def test_what_is_neither_good_nor_bad_is_not_red():
    def drawn(what, **more):
        each = {"at": 1.0, "what": what, "status": None, "seconds": 0.001, "failure": ""} | more
        return re.search(rf'class="({what}[^"]*)"', picture("serving", [each]))[1]

    assert drawn("ping", failure="refused") == "ping other"  # nothing listens yet
    assert drawn("ping", failure="reset") == "ping bad"
    assert drawn("ping", status=204) == "ping bad"
    assert drawn("invocation", status=400) == "invocation other"  # what malformed input should get
    assert drawn("invocation", status=500) == "invocation bad"
    assert drawn("invocation", status=200, seconds=61.0) == "invocation bad"


def test_many_pings_are_thinned_but_no_bad_one_is_lost():
    def ping(number):
        bad = number % 1000 == 0
        return {"at": number / 10, "what": "ping", "status": 500 if bad else 200, "seconds": 0.001}

    pings = [ping(number) for number in range(10_000)]
    kept = thinned(pings)
    assert len(kept) < 1600
    assert sum(each["status"] == 500 for each in kept) == 10
    assert picture("serving", [each | {"failure": ""} for each in pings]).count("<circle") == len(kept)


def test_a_probe_without_containers_has_no_picture():
    assert picture("image", []) == ""


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Use `a < b` and **c**.", "<p>Use <code>a &lt; b</code> and <strong>c</strong>.</p>"),
        ("`**no**`", "<p><code>**no**</code></p>"),
        ("[a](https://b.c/d)", '<p><a href="https://b.c/d">a</a></p>'),
        ("[a](javascript:x)", "<p>[a](javascript:x)</p>"),
        ("- one\n  more\n- two", "<ul><li>one more</li><li>two</li></ul>"),
        ("    code <x>\n    y", "<pre><code>code &lt;x&gt;\ny</code></pre>"),
        ("```\ncode\n\nmore\n```\nafter", "<pre><code>code\n\nmore</code></pre><p>after</p>"),
        ("one\ntwo\n\nthree", "<p>one two</p><p>three</p>"),
    ],
)
def test_the_markdown_of_rules_pages(text, html):
    assert to_html(text) == html


BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install chromium brings one")
def test_the_filters_work_in_a_real_browser(page, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")

    def shown(address):
        done = subprocess.run(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--dump-dom",
             f"{file.as_uri()}{address}"],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        assert "CONSOLE" not in done.stderr, "the page complained"
        details = re.findall(r'<details class="rule[^>]*>', done.stdout)
        visible = [re.search('id="(SM...)"', each)[1] for each in details if "hidden" not in each]
        return visible, re.search(r'id="count"[^>]*>([^<]*)<', done.stdout)[1]

    assert shown("") == (["SM304", "SM330", "SM311", "SM103"], "4 of 7 rules shown")
    assert shown("#status=skip,pass") == (["SM103", "SM101", "SM112", "SM202"], "4 of 7 rules shown")
    assert shown("#status=fail,skip&severity=warning") == (["SM330", "SM112"], "2 of 7 rules shown")
    assert shown("#status=fail,skip&text=PURPOSE") == (["SM112"], "1 of 7 rules shown")
