"""What an endpoint gives its page, and where it says that there is one."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

import pytest

from sm_emulate import api
from sm_emulate.events import Pinged, StatusChanged

SECRET = "swordfish-and-more"


@pytest.fixture
def served(endpoints, model):
    """A served endpoint that prints a secret of its request."""

    class Talkative(model):
        def __call__(self, box):
            box.print(f"the key is {SECRET}")
            return super().__call__(box)

    with endpoints.new(Talkative(), environment={"API_KEY": SECRET}) as endpoint:
        endpoint.start()
        yield endpoint


def told(endpoint, *kinds):
    """The first message of each kind that a new page hears."""
    address = urlsplit(endpoint.url)
    client = http.client.HTTPConnection(address.hostname, address.port, timeout=180)
    client.request("GET", "/-/events")
    answer, found, kind = client.getresponse(), {}, None
    while set(found) != set(kinds):
        name, _, value = answer.readline().decode().rstrip("\n").partition(": ")
        if name == "event":
            kind = value
        elif name == "data" and kind in kinds:
            found.setdefault(kind, json.loads(value))
    client.close()
    return [found[kind] for kind in kinds]


def test_describe_and_the_first_line_in_service_say_where_the_page_is(endpoints, served):
    page = f"{served.url}/-/"
    assert served.result().describe()["Emulator"]["Page"] == page
    assert endpoints.heard.of(StatusChanged)[-1].message.endswith(f"a page to look at: {page}")


def test_the_page_hears_of_invocations_pings_and_lines_but_of_no_secret(endpoints, served):
    api.invoke("demo", b"abc")
    endpoint, event, invocations, log = told(served, "endpoint", "event", "invocations", "log")
    assert endpoint["EndpointStatus"] == "InService"
    assert event["event"] == "StatusChanged"
    assert (invocations["Variant"], invocations["Invocations"]) == ("AllTraffic", 1)
    assert "***" in log["Text"]
    assert SECRET not in json.dumps([endpoint, event, invocations, log])


def test_a_ping_says_whose_it_is(endpoints, served):
    assert {event.host for event in endpoints.heard.of(Pinged)} == {"AllTraffic"}


def test_an_asynchronous_endpoint_is_described_as_one(endpoints, model, tmp_path):
    with endpoints.new(model(), async_output=str(tmp_path)) as endpoint:
        endpoint.start()
        described = endpoint.result().describe()
    assert described["AsyncInferenceConfig"]["OutputConfig"]["S3OutputPath"].endswith(tmp_path.name)
