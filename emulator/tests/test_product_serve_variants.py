"""Endpoints of several variants and instances, shadows, replaced instances, and what is counted of them."""

from __future__ import annotations

import json
import time
import urllib.request
from collections import Counter

import pytest
from product import SERVER, WAIT_SECONDS

pytestmark = pytest.mark.engine

WHO = SERVER.replace(
    "made = {",
    'made = {"who": lambda: [os.environ.get("ME"), socket.gethostbyname(socket.gethostname())],',
    1,
)


@pytest.fixture(scope="module")
def server(images):
    return images.make(serve=WHO)


@pytest.fixture(scope="module")
def other(images):
    return images.make("ENV ME=other", serve=WHO)


def ask(described, body=b"who", **headers):
    """Invoke an endpoint; give the variant that answered, and its words."""
    url = f"{described['Emulator']['Url']}/endpoints/{described['EndpointName']}/invocations"
    request = urllib.request.Request(url, body, headers)
    with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
        return answer.headers["x-Amzn-Invoked-Production-Variant"], answer.read()


def until(product, name, happened):
    """Wait until the description is as wanted, and give it."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not happened(described := product.describe(name)):
        assert time.monotonic() < deadline, json.dumps(described, indent=2)
        time.sleep(0.1)
    return described


def invocations(described):
    return {name: counted["Invocations"] for name, counted in described["Emulator"]["Metrics"].items()}


def test_two_variants_share_the_traffic_by_weight_and_can_be_asked_by_name(product, server, other):
    described = product.serve(
        server, "--endpoint-name", "demo", "--variant-name", "old", "--variant", f"new={other},weight=3",
        "--environment", "ME=mine", "--seed", "7",
    )  # fmt: skip
    assert [
        (each["VariantName"], each["CurrentWeight"], each["CurrentInstanceCount"])
        for each in described["ProductionVariants"]
    ] == [("old", 1.0, 1), ("new", 3.0, 1)]
    seen = Counter(ask(described)[0] for _ in range(200))
    assert sorted(seen) == ["new", "old"]
    assert 120 <= seen["new"] <= 180, "three of four go to the heavier one"
    for variant in ("old", "new"):
        named = {ask(described, **{"X-Amzn-SageMaker-Target-Variant": variant})[0] for _ in range(10)}
        assert named == {variant}
    refused = product.run("invoke", "demo", "--data", "x", "--target-variant", "other")
    assert refused.code == 2
    assert product.run("stop", "demo").code == 0
    logs = product.run("logs", "demo", "--host", "new/instance-1")
    assert logs.out == "serving\nbye\n"
    assert product.left_on_engine() == []


def test_instances_of_a_variant_all_get_requests(product, server):
    described = product.serve(server, "--endpoint-name", "demo", "--instance-count", "3")
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 3
    answered = {ask(described)[1] for _ in range(60)}
    assert len(answered) == 3
    assert product.run("stop", "demo").code == 0
    assert product.describe("demo")["Emulator"]["ContainerExitCodes"] == {
        f"AllTraffic/instance-{number}": 0 for number in (1, 2, 3)
    }


def test_a_request_file_says_all_of_an_endpoint(product, server, other):
    def variant(name, model):
        return {
            "VariantName": name,
            "ModelName": model,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
        }

    document = {
        "CreateModel": [
            {"ModelName": "first", "PrimaryContainer": {"Image": server, "Environment": {"ME": "first"}}},
            {"ModelName": "second", "PrimaryContainer": {"Image": other}},
        ],
        "CreateEndpointConfig": {
            "EndpointConfigName": "both",
            "ProductionVariants": [
                variant("a", "first")
                | {"InitialVariantWeight": 0, "RoutingConfig": {"RoutingStrategy": "RANDOM"}},
                variant("b", "second"),
            ],
        },
        "CreateEndpoint": {"EndpointName": "demo", "EndpointConfigName": "both"},
    }
    done = product.run(
        "serve", "--request", "-", "--detach", "--output", "json", stdin=json.dumps(document).encode()
    )
    assert done.code == 0, str(done)
    described = done.json
    assert {ask(described)[0] for _ in range(20)} == {"b"}
    variant_name, words = ask(described, **{"X-Amzn-SageMaker-Target-Variant": "a"})
    assert (variant_name, json.loads(words)[0]) == ("a", "first")
    written = json.loads((product.home / "endpoints" / "demo" / "request.json").read_text())
    assert [each["ModelName"] for each in written["CreateModel"]] == ["first", "second"]
    assert written["CreateEndpointConfig"] == document["CreateEndpointConfig"]


def test_a_shadow_gets_copies_and_its_end_is_no_matter_to_callers(product, server, other):
    described = product.serve(server, "--endpoint-name", "demo", "--shadow", f"next={other}")
    assert described["ShadowProductionVariants"][0]["VariantName"] == "next"
    for _ in range(5):
        assert ask(described, b"print=copied") == ("AllTraffic", b"print=copied")
    big = b"x" * 3_000_000
    assert ask(described, big) == ("AllTraffic", big)
    until(product, "demo", lambda now: invocations(now) == {"next": 6, "AllTraffic": 6})
    until(product, "demo", lambda _: product.run("logs", "demo", "--host", "next").out.count("copied") >= 5)
    unknown = product.run("invoke", "demo", "--data", "x", "--target-variant", "next")
    assert unknown.code == 2, "a shadow is asked by nobody"
    product.run("stop", "demo")
    assert product.run("logs", "demo", "--host", "next").out.count("copied") == 5


def test_an_instance_that_dies_is_replaced_while_the_others_serve(product, server):
    described = product.serve(
        server, "--endpoint-name", "demo", "--instance-count", "2", "--routing", "LEAST_OUTSTANDING_REQUESTS"
    )
    dead = product.run("invoke", "demo", "--data", "die")
    assert dead.code == 1
    after = until(product, "demo", lambda now: "AllTraffic/instance-3" in json.dumps(events(product)))
    assert after["EndpointStatus"] == "InService"
    deadline = time.monotonic() + WAIT_SECONDS
    while len({ask(described)[1] for _ in range(20)}) < 2:
        assert time.monotonic() < deadline
    metrics = until(
        product,
        "demo",
        lambda now: now["Emulator"]["Metrics"].get("AllTraffic", {}).get("Invocations", 0) > 20,
    )
    counted = metrics["Emulator"]["Metrics"]["AllTraffic"]
    assert (counted["Invocation4XXErrors"], counted["Invocation5XXErrors"]) == (0, 1)
    assert product.run("stop", "demo").code == 0
    codes = product.describe("demo")["Emulator"]["ContainerExitCodes"]
    assert sorted(codes.values()) == [0, 0, 9]


def events(product):
    lines = (product.home / "endpoints" / "demo" / "events.ndjson").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_an_instance_that_fails_its_pings_is_replaced(product, images):
    """The program is well until somebody says otherwise."""
    moody = SERVER.replace("PING = 200", "PING = 503 if pathlib.Path('/tmp/bad').exists() else 200").replace(
        "made = {", 'made = {"bad": lambda: pathlib.Path("/tmp/bad").touch(),', 1
    )
    described = product.serve(
        images.make(serve=moody), "--endpoint-name", "demo", "--instance-count", "2",
        "--setting", "ping-interval=1", "--setting", "unhealthy-pings=4",
    )  # fmt: skip
    ask(described, b"bad")
    until(
        product,
        "demo",
        lambda now: sum(event["event"] == "ContainerStarted" for event in events(product)) == 3,
    )
    warned = [event["message"] for event in events(product) if event["event"] == "Warned"]
    assert sum("is replaced: it failed 4 pings in a row" in message for message in warned) == 1
    until(product, "demo", lambda now: now["ProductionVariants"][0]["CurrentInstanceCount"] == 2)


def test_instances_that_die_again_and_again_end_the_endpoint(product, server):
    running = product.start(
        "serve", server, "--endpoint-name", "demo", "--setting", "replace-instances=always"
    ).wait_for("/invocations\n")
    while running.process.poll() is None:
        product.run("invoke", "demo", "--data", "die")
    done = running.finish()
    assert done.code == 1
    described = product.describe("demo")
    assert described["EndpointStatus"] == "Failed"
    assert list(described["Emulator"]["ContainerExitCodes"].values()) == [9, 9, 9, 9]
    assert done.err.count("is replaced") == 3
    assert product.left_on_engine() == []


def test_the_numbers_are_in_describe_and_as_prometheus_text(product, server):
    described = product.serve(server, "--endpoint-name", "demo")
    for word in ("a", "status=400", "status=503", "b"):
        product.run("invoke", "demo", "--data", word)
    with urllib.request.urlopen(described["Emulator"]["Url"] + "/-/metrics", timeout=WAIT_SECONDS) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = answer.read().decode()
    assert 'sm_emulate_invocations_total{endpoint="demo",variant="AllTraffic"} 4' in text
    assert 'sm_emulate_invocation_4xx_errors_total{endpoint="demo",variant="AllTraffic"} 1' in text
    assert (
        'sm_emulate_model_latency_microseconds{endpoint="demo",variant="AllTraffic",quantile="0.99"}' in text
    )
    described = until(
        product, "demo", lambda now: now["Emulator"]["Metrics"].get("AllTraffic", {}).get("Invocations") == 4
    )
    counted = described["Emulator"]["Metrics"]["AllTraffic"]
    assert (counted["Invocations"], counted["Invocation4XXErrors"], counted["Invocation5XXErrors"]) == (
        4,
        1,
        1,
    )
    assert (
        0
        < counted["ModelLatency"]["p50"]
        <= counted["ModelLatency"]["p99"]
        <= counted["ModelLatency"]["Maximum"]
    )
