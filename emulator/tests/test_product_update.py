"""Updates of a running endpoint: blue/green, rollback, and weights."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections import Counter

import pytest
from product import SERVER, WAIT_SECONDS
from test_product_serve_variants import ask

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def old(images):
    return images.make("ENV ME=old", serve=SERVER)


@pytest.fixture(scope="module")
def new(images):
    return images.make("ENV ME=new", serve=SERVER)


@pytest.fixture(scope="module")
def broken(images):
    return images.make(serve="#!/bin/sh\necho no model here; exit 3\n")


def me(described):
    return json.loads(ask(described, b"seen")[1])["environment"]["ME"]


def test_an_update_starts_new_containers_and_switches_without_a_failed_request(product, old, new):
    described = product.serve(old, "--endpoint-name", "demo")
    url = f"{described['Emulator']['Url']}/invocations"
    statuses, over = Counter(), threading.Event()

    def load():
        while not over.is_set():
            with urllib.request.urlopen(urllib.request.Request(url, b"x"), timeout=WAIT_SECONDS) as answer:
                statuses[answer.status] += 1

    loading = threading.Thread(target=load)
    loading.start()
    done = product.run("update", "demo", "--image", new)
    over.set()
    loading.join()
    assert (done.code, done.out) == (0, "endpoints/demo: InService\n"), str(done)
    assert set(statuses) == {200}
    assert statuses[200] > 10
    assert me(described) == "new"
    after = product.describe("demo")
    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", "demo-update-1")
    assert after["ProductionVariants"][0]["DeployedImages"][0]["SpecifiedImage"] == new
    assert after["Emulator"]["ContainerExitCodes"] == {"AllTraffic": 0}
    assert after["Emulator"]["Metrics"]["AllTraffic"]["Invocation5XXErrors"] == 0
    assert product.run("stop", "demo").code == 0
    assert product.left_on_engine() == []


def test_an_update_that_does_not_become_healthy_is_rolled_back(product, old, broken):
    described = product.serve(old, "--endpoint-name", "demo")
    done = product.run("update", "demo", "--image", broken)
    assert done.code == 1
    assert "did not pass the ping health check" in done.err
    assert "no model here" in done.err
    assert me(described) == "old"
    after = product.describe("demo")
    assert after["EndpointStatus"] == "InService"
    assert after["EndpointConfigName"] == "demo"
    assert "did not pass the ping health check" in after["FailureReason"]
    lines = (product.home / "endpoints" / "demo" / "events.ndjson").read_text().splitlines()
    told = [event["status"] for event in map(json.loads, lines) if event["event"] == "StatusChanged"]
    assert told == ["Creating", "InService", "Updating", "RollingBack", "InService"]
    assert product.run("stop", "demo").code == 0
    assert product.left_on_engine() == []


def test_weights_change_without_a_restart(product, old, new):
    described = product.serve(
        old, "--endpoint-name", "demo", "--variant-name", "a", "--variant", f"b={new},weight=0"
    )
    assert {me(described) for _ in range(10)} == {"old"}
    assert product.run("update", "demo", "--weight", "a=0", "--weight", "b=2").code == 0
    assert {me(described) for _ in range(10)} == {"new"}
    assert [each["CurrentWeight"] for each in product.describe("demo")["ProductionVariants"]] == [0, 2]
    wrong = product.run("update", "demo", "--weight", "c=1")
    assert (wrong.code, "no such variant" in wrong.err) == (2, True)


def test_a_request_file_replaces_all_variants_and_a_wrong_one_changes_nothing(product, old, new):
    described = product.serve(old, "--endpoint-name", "demo")
    document = json.loads((product.home / "endpoints" / "demo" / "request.json").read_text())
    document["CreateModel"]["PrimaryContainer"]["Image"] = new
    variant = document["CreateEndpointConfig"]["ProductionVariants"][0]
    variant |= {"VariantName": "renamed", "InitialInstanceCount": 2}
    done = product.run("update", "demo", "--request", "-", stdin=json.dumps(document).encode())
    assert done.code == 0, str(done)
    assert ask(described)[0] == "renamed"
    assert product.describe("demo")["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    variant["InitialInstanceCount"] = 99
    wrong = product.run("update", "demo", "--request", "-", stdin=json.dumps(document).encode())
    assert wrong.code == 2
    assert ask(described)[0] == "renamed"
